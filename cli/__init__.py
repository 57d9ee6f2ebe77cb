"""The command `deimv2`: one file per subcommand, each with `add(subparsers)` and `run(args)`."""
