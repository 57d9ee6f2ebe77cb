"""`deimv2 preview`: a contact sheet of augmented photos, as the network sees them."""

import argparse
from pathlib import Path
from typing import Any

from deimv2.cli import console
from deimv2.cli.arguments import count, natural
from deimv2.cli.data import add_data

EXAMPLE = "example: deimv2 preview --data shelves --variant n --output sheet.jpg"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "preview",
        help="see the augmented photos that a training would see",
        description="Writes a contact sheet with one row for each phase of the variant's recipe.",
        epilog=EXAMPLE,
    )
    add_data(parser, val=False)
    parser.add_argument("--variant", default="atto", metavar="NAME", help="default: atto")
    parser.add_argument("--columns", type=count, default=6, metavar="N", help="photos per phase")
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="default: 0")
    parser.add_argument("--output", type=Path, default=Path("preview.jpg"), metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.options import fields_in
    from deimv2.api.previewing import PreviewOptions, preview
    from deimv2.training.recipes import RECIPES

    rows = preview(**fields_in(PreviewOptions, vars(args)), progress=console.PROGRESS)
    if args.json:
        console.print_json({"sheet": str(args.output), "rows": rows})
        return 0
    epochs = RECIPES[args.variant].schedule.epochs
    for row, (name, epoch) in enumerate(rows.items(), 1):
        print(f"row {row}: from epoch {epoch} of {epochs}, {name}")
    print(args.output)
    return 0
