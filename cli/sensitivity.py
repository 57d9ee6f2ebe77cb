"""`deimv2 sensitivity`: what int8 costs in AP, part by part."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.data import add_annotated
from cli.figures import new_figure, to_png
from cli.measure import measurement
from cli.ranges import add_calibration, calibration_photos, find_ranges, to_int8
from model.errors import InputError

if TYPE_CHECKING:
    from cli.weights import Loaded
    from evaluation.sensitivity import Row
    from model import DEIMv2
    from quantization.prepare import Chosen

LOOKED_AT = 20  # photos on which it is measured how far boxes move

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
    parser.add_argument(
        "--recipe", action="store_true",
        help="one row for each part of the recipe, those too that stay in float",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the table as PNG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cli.weights import default, load
    from model.files import write_whole

    args.weights = args.weights or default(args.variant)
    if args.recipe and args.calibration is None and args.weights != "demo":
        raise InputError(
            f"no photos to find the ranges of each part for '{args.weights}', expected some with "
            "--recipe; name a folder with --calibration DIR"
        )
    own = args.calibration is None and not args.recipe
    loaded = load(args.variant, args.weights, None, None, ranges=own)
    rows = recipe_rows(args, loaded) if args.recipe else block_rows(args, loaded)
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


def block_rows(args: argparse.Namespace, loaded: "Loaded") -> "list[Row]":
    """Of what the recipe has in int8, block by block, with one set of ranges."""
    from evaluation.sensitivity import sensitivity

    to_int8(loaded, args.weights, args.calibration, args.calibration_photos)
    measure = measurement(args.images, args.annotations, loaded.labels, args.limit)
    return sensitivity(
        loaded.net,
        lambda net: measure(net)["AP"] or 0.0,
        lambda parts: console.track_rate(parts, "parts"),
    )


def recipe_rows(args: argparse.Namespace, loaded: "Loaded") -> "list[Row]":
    """Of the recipe's own parts, with ranges for each; boxes are looked at on some photos."""
    from evaluation.parity import LIMITS, compare
    from evaluation.sensitivity import recipe_costs
    from model.images import find_photos, load_photo, resize
    from model.postprocess import detect
    from quantization.calibrate import calibrate

    measure = measurement(args.images, args.annotations, loaded.labels, args.limit)
    paths = find_photos(args.images)[: min(LOOKED_AT, args.limit or LOOKED_AT)]
    frames = [resize(load_photo(path), loaded.net.image_size) for path in paths]
    limits = LIMITS["int8"]
    found = [detect(loaded.net, frame)[0] for frame in frames]

    def both(net: "DEIMv2") -> tuple[float, float]:
        size = net.image_size
        moved = max(
            compare(detections, detect(net, frame)[0], size, limits).box_px.worst
            for detections, frame in zip(found, frames, strict=True)
        )
        return measure(net)["AP"] or 0.0, moved

    most = args.calibration_photos
    with calibration_photos(args.calibration, args.weights, most) as photos:

        def prepare(net: "DEIMv2", chosen: "Chosen") -> None:
            find_ranges(net, photos, most, partial(calibrate, chosen=chosen))

        return recipe_costs(
            loaded.net, prepare, both, lambda parts: console.track_rate(parts, "parts")
        )


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
