"""`deimv2 app`: puts an export into the sample app, or into one of your own."""

import argparse
from pathlib import Path
from typing import Any

from deimv2.cli import console

EXAMPLE = "example: deimv2 app android artifacts/atto"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "app",
        help="put an export into the sample app",
        description="Copies the artifacts that a platform runs, their golden files and a manifest "
        "of those into the sample app, or into --output. Every file's hash is checked first.",
        epilog=EXAMPLE,
    )
    parser.add_argument("platform", choices=("android", "ios"))
    parser.add_argument("folder", type=Path, metavar="DIR", help="what deimv2 export wrote")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="a folder of your own app, instead of the sample"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.apps import put_into_app

    target, manifest = put_into_app(args.platform, args.folder, args.output)
    names = [file.name for file in manifest.files]
    if args.json:
        console.print_json({"folder": str(target), "files": names})
    else:
        print(f"{target}: {', '.join(names)} and {len(manifest.golden)} golden photographs")
    return 0
