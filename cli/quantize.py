"""`deimv2 quantize`: the int8 ranges of a checkpoint, kept in a checkpoint like any other."""

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console, qat, train
from cli.counts import count
from cli.data import add_data
from model.errors import InputError

if TYPE_CHECKING:
    from cli.weights import Loaded
    from model import DEIMv2
    from quantization.rounding import Range

EXAMPLE = "example: deimv2 quantize --weights best.safetensors --calibration photos"
PHOTOS = 200


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "quantize",
        help="find int8 ranges on your photos, and train with them",
        description="Runs a checkpoint on photos, finds the ranges that int8 needs, and writes a "
        "checkpoint with them, which export --precision int8 takes for every format. With --qat "
        "it is then trained while rounding as int8 does, with the float network as teacher.",
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
    train.add_training(parser)
    parser.set_defaults(run=run, backbone=None, ranges=None)
    parser.set_defaults(defaults=vars(parser.parse_args([])))


def add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration", type=Path, metavar="DIR",
        help="folder of photos like those the phone will see, for the ranges of int8",
    )  # fmt: skip
    parser.add_argument(
        "--calibration-photos", type=count, default=PHOTOS, metavar="N",
        help=f"how many of them, evenly chosen (default {PHOTOS})",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    from cli.weights import default

    if args.resume is None:
        args.weights = args.weights or default(args.variant)
        if not args.qat:
            return calibrated(args)
        qat_defaults(args)
    else:
        args.qat = False  # as a default: what was started says itself that it rounds
    return train.run(args)


def qat_defaults(args: argparse.Namespace) -> None:
    from cli.weights import fetch
    from model.weights import read_image_size

    args.epochs = args.epochs or qat.EPOCHS
    args.lr = args.lr or qat.LR
    args.final_lr = qat.FINAL if args.final_lr is None else args.final_lr
    args.output = args.output or Path("runs") / f"{args.variant}-int8"
    args.image_size = args.image_size or read_image_size(fetch(args.weights, args.variant))


def calibrated(args: argparse.Namespace) -> int:
    """Ranges alone: post-training quantization."""
    from cli.weights import load
    from model.weights import save_weights

    output = args.output or Path(f"{args.variant}-int8.safetensors")
    if output.suffix != ".safetensors":
        raise InputError(f"--output is '{output}', expected a name that ends in .safetensors")
    if args.calibration is None:
        raise InputError("no photos to find ranges on, expected --calibration DIR")
    loaded = load(args.variant, args.weights, args.labels, args.image_size)
    ranges = find_ranges(copy.deepcopy(loaded.net), args.calibration, args.calibration_photos)
    plain = {name: (found.low, found.high) for name, found in ranges.items()}
    save_weights(loaded.net, output, loaded.labels, ranges=plain)
    if args.json:
        console.print_json({"weights": str(output), "ranges": plain})
    else:
        console.log(f"{len(plain)} ranges; next: deimv2 export --variant {args.variant} "
                    f"--precision int8 --weights {output}")  # fmt: skip
        print(output)
    return 0


def find_ranges(net: "DEIMv2", folder: Path, most: int) -> "dict[str, Range]":
    """Prepares `net`, in place, for int8 with ranges from at most so many photos of a folder."""
    from model.images import find_photos
    from quantization.calibrate import calibrate, photos_of

    paths = evenly(find_photos(folder), most)
    return calibrate(net, photos_of(net, paths, lambda p: console.track(p, "finding int8 ranges")))


def evenly(paths: Sequence[Path], most: int) -> list[Path]:
    """At most so many of the paths, from all over the list."""
    share = max(1.0, len(paths) / most)
    return [paths[int(i * share)] for i in range(min(most, len(paths)))]


def to_int8(loaded: "Loaded", folder: Path | None, most: int) -> None:
    """Prepares the loaded net, in place, with ranges from photos or else its own.

    Raises InputError where there are neither.
    """
    from quantization.prepare import apply_ranges

    if folder is not None:
        find_ranges(loaded.net, folder, most)
    elif loaded.ranges is not None:
        apply_ranges(loaded.net, loaded.ranges)
    else:
        raise InputError(
            "these weights carry no int8 ranges; name photos to find them on with --calibration "
            "DIR, or weights that deimv2 quantize wrote"
        )
