"""`python -m deimv2`: the command line."""

from deimv2.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
