"""`deimv2 scenes`: the demo's data set, garments on photographs."""

import argparse
from pathlib import Path
from typing import Any

from deimv2.cli import console
from deimv2.cli.arguments import count, natural

EXAMPLE = "example: deimv2 scenes garments"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "scenes",
        help="make the demo's data set",
        description="Makes the data set that the demo weights were trained on: Fashion-MNIST's "
        "garments on photographs, with COCO annotations. The two parts share no garments and no "
        "photographs. On Debian and Ubuntu: apt-get install dataset-fashion-mnist "
        "mate-backgrounds lomiri-wallpapers-16.04 opencv-doc",
        epilog=EXAMPLE,
    )
    parser.add_argument("output", type=Path, metavar="DIR", help="folder for train/ and val/")
    parser.add_argument(
        "--part", choices=("train", "val"), action="append", help="which to make (default: both)"
    )
    parser.add_argument(
        "--count", type=count, metavar="N",
        help="number of scenes (default: 12000 in train, 200 in val)",
    )  # fmt: skip
    parser.add_argument("--seed", type=natural, metavar="N",
        help="random seed (default: 0 in train, 1 in val)",
    )  # fmt: skip
    parser.add_argument(
        "--garments", type=Path, metavar="DIR",
        help="folder of Fashion-MNIST's four files (default: /usr/share/datasets/fashion-mnist)",
    )  # fmt: skip
    parser.add_argument(
        "--photos", type=Path, nargs="+", metavar="PATH",
        help="backgrounds: photos, or folders of them (default: in train those of the three "
        "packages above, in val those that come with deimv2)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.synthetic import PARTS, make_scenes

    folders = {part: args.output / part for part in args.part or PARTS}
    made = make_scenes(folders, args.count, args.seed, args.garments, args.photos, console.PROGRESS)
    if args.json:
        console.print_json(
            {part: {"folder": str(folders[part]), "scenes": made[part]} for part in made}
        )
    else:
        for part, number in made.items():
            print(f"{folders[part]}: {number} scenes")
    return 0
