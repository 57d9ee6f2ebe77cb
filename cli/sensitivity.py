"""`deimv2 sensitivity`: what int8 costs in AP, part by part."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.counts import count
from cli.quantize import add_calibration, to_int8

if TYPE_CHECKING:
    from cli.weights import Loaded
    from evaluation.sensitivity import Row
    from model import DEIMv2

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
    parser.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="folder of the annotated photos"
    )
    parser.add_argument(
        "--annotations", type=Path, required=True, metavar="FILE", help="COCO annotations (JSON)"
    )
    parser.add_argument(
        "--limit", type=count, metavar="N", help="only the first N photos; default: all"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the table as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cli.weights import default, load
    from evaluation.sensitivity import sensitivity
    from model.files import write_whole

    loaded = load(args.variant, args.weights or default(args.variant), None, None)
    to_int8(loaded, args.calibration, args.calibration_photos)
    measure = measurement(args, loaded)
    rows = sensitivity(loaded.net, measure, lambda parts: console.track_rate(parts, "parts"))
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


def measurement(args: argparse.Namespace, loaded: "Loaded") -> Any:
    """Gives AP of a net on the photos."""
    from evaluation.annotations import match_classes, read_annotations
    from evaluation.coco import collect, evaluate, require_library
    from evaluation.runtimes import CheckpointRunner

    require_library()
    annotations = read_annotations(args.annotations, args.limit)
    photos = annotations.find(args.images)
    classes = match_classes(annotations, loaded.labels, len(loaded.labels))

    def measure(net: "DEIMv2") -> float:
        found = collect(CheckpointRunner(net), annotations, photos, classes)
        return evaluate(annotations, found).metrics["AP"] or 0.0

    return measure


def plot(rows: "Sequence[Row]") -> bytes:
    """What each part costs alone, as PNG."""
    from matplotlib.figure import Figure

    first, parts = rows[0].value, rows[1:]
    figure = Figure(figsize=(7, 1 + 0.3 * len(parts)), layout="constrained")
    axes = figure.subplots()
    names = [row.part for row in parts]
    axes.barh(names, [100 * (row.value - first) for row in parts])
    axes.invert_yaxis()
    axes.set(title="this part alone in int8", xlabel="change of AP, points")
    axes.grid(alpha=0.3, axis="x")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()
