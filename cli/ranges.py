"""The int8 ranges of a network, from photos or from its checkpoint."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli import console
from cli.counts import count
from model.errors import InputError

if TYPE_CHECKING:
    from cli.weights import Loaded
    from model import DEIMv2
    from quantization.rounding import Range

PHOTOS = 200


def add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration", type=Path, metavar="DIR",
        help="folder of photos like those the phone will see, for the ranges of int8",
    )  # fmt: skip
    parser.add_argument(
        "--calibration-photos", type=count, default=PHOTOS, metavar="N",
        help=f"how many of them, evenly chosen (default {PHOTOS})",
    )  # fmt: skip


def find_ranges(net: "DEIMv2", photos: Sequence[Path], most: int) -> "dict[str, Range]":
    """Prepares `net`, in place, for int8 with ranges from at most so many of the photos."""
    from quantization.calibrate import calibrate, photos_of

    share = max(1.0, len(photos) / most)
    paths = [photos[int(i * share)] for i in range(min(most, len(photos)))]
    return calibrate(net, photos_of(net, paths, lambda p: console.track(p, "finding int8 ranges")))


def to_int8(loaded: "Loaded", folder: Path | None, most: int) -> None:
    """Prepares the loaded net, in place, with ranges from photos or else its own.

    Raises InputError where there are neither.
    """
    from model.images import find_photos
    from quantization.prepare import apply_ranges

    if folder is not None:
        find_ranges(loaded.net, find_photos(folder), most)
    elif loaded.ranges is not None:
        apply_ranges(loaded.net, loaded.ranges)
    else:
        raise InputError(
            "these weights carry no int8 ranges; name photos to find them on with --calibration "
            "DIR, or weights that deimv2 quantize wrote"
        )
