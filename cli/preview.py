"""`deimv2 preview`: a contact sheet of augmented photos, as the network sees them."""

import argparse
from pathlib import Path
from typing import Any

from deimv2.cli import console
from deimv2.cli.arguments import add_seed, add_variant, count
from deimv2.cli.data import add_data
from deimv2.cli.train import add_length, add_variety

EXAMPLE = "example: deimv2 preview --data shelves --variant n --output sheet.jpg"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "preview",
        help="show the augmented photos that a training would use",
        description="Writes a contact sheet with one row for each phase of the training that "
        "deimv2 train would run with the same options.",
        epilog=EXAMPLE,
    )
    add_data(parser, val=False)
    add_variant(parser)
    parser.add_argument(
        "--weights", metavar="none|demo|coco|PATH",
        help="read for the variant alone; none: preview training from scratch (default: "
        "fine-tuning)",
    )  # fmt: skip
    how = parser.add_argument_group("training")
    add_length(how)
    add_variety(how)
    parser.add_argument(
        "--columns", type=count, default=6, metavar="N", help="photos per phase (default: 6)"
    )
    add_seed(parser)
    parser.add_argument(
        "--output", type=Path, default=Path("preview.jpg"), metavar="FILE",
        help="the contact sheet, .jpg or .png (default: preview.jpg)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.options import fields_in
    from deimv2.api.previewing import PreviewOptions, preview

    made = preview(**fields_in(PreviewOptions, vars(args)), progress=console.PROGRESS)
    if args.json:
        console.print_json(made.to_json())
        return 0
    for row, (name, epoch) in enumerate(made.rows.items(), 1):
        print(f"row {row}: from epoch {epoch + 1} of {made.epochs}, {name}")
    print(made.sheet)
    return 0
