"""`deimv2 quantize`: the int8 ranges of a checkpoint, kept in a checkpoint like any other."""

import argparse
from pathlib import Path
from typing import Any

from cli import console, qat, train
from cli.data import add_data
from cli.ranges import add_calibration, calibration_photos, find_ranges
from model.errors import InputError

EXAMPLE = "example: deimv2 quantize --weights best.safetensors --calibration photos"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "quantize",
        help="find int8 ranges on your photos, and train with them",
        description="Runs a checkpoint on photos, finds the ranges that int8 needs and weights "
        "that fit them, and writes a checkpoint, which export --precision int8 takes for every "
        "format. With --qat it is then trained while rounding as int8 does, on --data, or on the "
        "photos of --calibration alone, where it learns from the float network alone. AP is "
        "measured before the first step, and the best is kept.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--variant", default="atto", metavar="NAME", help="default: atto")
    parser.add_argument(
        "--weights", metavar="demo|coco|random|PATH", help="default as in deimv2 export"
    )
    add_calibration(parser)
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one per line")
    parser.add_argument(
        "--output", type=Path, metavar="FILE|DIR",
        help="default: VARIANT-int8.safetensors; with --qat a folder, runs/VARIANT-int8",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--qat", action="store_true", help="train with rounding; the options below are its own"
    )
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with a stopped --qat")
    add_data(parser, val=True)
    train.add_training(parser, rounds=True)
    parser.set_defaults(run=run, backbone=None, ranges=None, annotated=True)
    parser.set_defaults(defaults=vars(parser.parse_args([])))


def run(args: argparse.Namespace) -> int:
    from cli.weights import default

    if args.resume is None:
        args.weights = args.weights or default(args.variant)
        if not args.qat:
            return calibrated(args)
        qat.defaults(args)
    else:
        args.qat = False  # as a default: what was started says itself that it rounds
    return train.run(args)


def calibrated(args: argparse.Namespace) -> int:
    """Ranges, and weights that fit them: post-training quantization."""
    from cli.weights import load, origin
    from model.weights import save_weights
    from quantization.restore import restore

    output = args.output or Path(f"{args.variant}-int8.safetensors")
    if output.suffix != ".safetensors":
        raise InputError(f"--output is '{output}', expected a name that ends in .safetensors")
    loaded = load(args.variant, args.weights, args.labels, args.image_size)
    with calibration_photos(args.calibration, args.weights, args.calibration_photos) as photos:
        ranges = find_ranges(loaded.net, photos, args.calibration_photos)
    source = origin(args.weights, args.variant)
    save_weights(
        restore(loaded.net), output, loaded.labels, ranges=ranges, photos=args.calibration,
        in_float=source,
    )  # fmt: skip
    if args.json:
        console.print_json({"weights": str(output), "ranges": ranges})
    else:
        console.log(f"{len(ranges)} ranges; next: deimv2 export --variant {args.variant} "
                    f"--precision int8 --weights {output}")  # fmt: skip
        print(output)
    return 0
