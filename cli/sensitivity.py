"""`deimv2 sensitivity`: what int8 costs in AP, part by part."""

import argparse
from pathlib import Path
from typing import Any

from deimv2.cli import console
from deimv2.cli.arguments import add_calibration
from deimv2.cli.data import add_annotated

EXAMPLE = (
    "example: deimv2 sensitivity --weights n-int8.safetensors --variant n --images val2017 "
    "--annotations instances_val2017.json --limit 500"
)


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sensitivity",
        help="measure what int8 costs in AP, part by part",
        description="Measures AP with one part of the network at a time in int8 and the rest in "
        "float, which is how the int8 parts were chosen.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "--variant", default="atto", metavar="NAME", help="as in deimv2 list (default: atto)"
    )
    parser.add_argument(
        "--weights", metavar="demo|coco|PATH", help="as in deimv2 quantize (default: demo)"
    )
    add_calibration(parser)
    add_annotated(parser)
    parser.add_argument(
        "--recipe", action="store_true",
        help="one row for each part of the recipe, including those that stay in float",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the table as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.options import fields_in
    from deimv2.api.sensitivity import SensitivityOptions, measure_sensitivity, plot
    from deimv2.model.files import make_folder, require_target, write_whole

    if args.plot is not None:
        require_target(args.plot, [".png"], "--plot")
        make_folder(args.plot.parent)
    rows = measure_sensitivity(
        **fields_in(SensitivityOptions, vars(args)), progress=console.PROGRESS
    )
    if args.plot is not None:
        write_whole(args.plot, plot(rows))
    if args.json:
        console.print_json([row.to_json() for row in rows])
        return 0
    first = rows[0].value
    moved = [] if rows[0].moved is None else [f"{row.moved:.1f} px" for row in rows]
    table = [
        (row.part, str(row.layers), f"{row.value:.4f}", f"{row.value - first:+.4f}") for row in rows
    ]
    console.print_table(
        ("in int8", "layers", "AP", "change", *(("box moved",) if moved else ())),
        [(*cells, *moved[i : i + 1]) for i, cells in enumerate(table)],
    )
    return 0
