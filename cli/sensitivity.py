"""`deimv2 sensitivity`: what int8 costs in AP, part by part."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.data import add_annotated
from cli.figures import new_figure, to_png
from cli.measure import measurement
from cli.ranges import add_calibration, to_int8

if TYPE_CHECKING:
    from evaluation.sensitivity import Row

EXAMPLE = (
    "example: deimv2 sensitivity --weights n-int8.safetensors --variant n --images val2017 "
    "--annotations instances_val2017.json --limit 500"
)


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sensitivity",
        help="what int8 costs, part by part",
        description="Measures AP with one part of the network at a time in int8 and the others in "
        "float: what the choice of the int8 parts rests on.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--variant", default="atto", metavar="NAME", help="default: atto")
    parser.add_argument("--weights", metavar="demo|coco|PATH", help="default: the demo weights")
    add_calibration(parser)
    add_annotated(parser)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the table as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cli.weights import default, load
    from evaluation.sensitivity import sensitivity
    from model.files import write_whole

    args.weights = args.weights or default(args.variant)
    loaded = load(args.variant, args.weights, None, None, ranges=args.calibration is None)
    to_int8(loaded, args.weights, args.calibration, args.calibration_photos)
    measure = measurement(args.images, args.annotations, loaded.labels, args.limit)
    rows = sensitivity(
        loaded.net,
        lambda net: measure(net)["AP"] or 0.0,
        lambda parts: console.track_rate(parts, "parts"),
    )
    if args.plot is not None:
        write_whole(args.plot, plot(rows))
    if args.json:
        console.print_json([row.to_json() for row in rows])
    else:
        first = rows[0].value
        console.print_table(
            ("in int8", "layers", "AP", "change"),
            [
                (row.part, str(row.layers), f"{row.value:.4f}", f"{row.value - first:+.4f}")
                for row in rows
            ],
        )
    return 0


def plot(rows: "Sequence[Row]") -> bytes:
    """What each part costs alone, as PNG."""
    first, parts = rows[0].value, rows[1:]
    figure = new_figure(7, 1 + 0.3 * len(parts))
    axes = figure.subplots()
    axes.barh([row.part for row in parts], [100 * (row.value - first) for row in parts])
    axes.invert_yaxis()
    axes.set(title="this part alone in int8", xlabel="change of AP, points")
    axes.grid(alpha=0.3, axis="x")
    return to_png(figure)
