"""The int8 ranges of a network, from photos or from its checkpoint."""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli import console
from cli.counts import count
from cli.photographs import evenly
from model.errors import InputError

if TYPE_CHECKING:
    from cli.weights import Loaded
    from model import DEIMv2
    from quantization.calibrate import Calibration
    from quantization.rounding import Images, Range

    Find = Callable[[DEIMv2, Images], Calibration]

PHOTOS = 200
FEW = 32  # ranges from less are told to be uncertain


def add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration", type=Path, metavar="DIR",
        help="folder of photos like those the phone will see, for the ranges of int8; default for "
        "the demo weights: scenes as they were trained on",
    )  # fmt: skip
    parser.add_argument(
        "--calibration-photos", type=count, default=PHOTOS, metavar="N",
        help=f"how many of them, evenly chosen (default {PHOTOS})",
    )  # fmt: skip


@contextmanager
def calibration_photos(folder: Path | None, weights: str, most: int) -> Iterator[list[Path]]:
    """The photos in a folder; without one, for the demo weights, scenes of their training part."""
    from cli.scenes import make
    from model.images import find_photos

    if folder is not None:
        yield find_photos(folder)
        return
    if weights != "demo":
        raise InputError(
            f"'{weights}' carries no int8 ranges and there are no photos to find them on; name "
            "some with --calibration DIR, or weights that deimv2 quantize wrote"
        )
    with tempfile.TemporaryDirectory() as made:
        try:
            make("train", Path(made), most)
        except InputError as error:
            raise InputError(f"{error}; or name your photos with --calibration DIR") from error
        yield find_photos(Path(made))


def find_ranges(
    net: "DEIMv2", photos: Sequence[Path], most: int, find: "Find | None" = None
) -> "dict[str, Range]":
    """The ranges that at most so many of the photos ask for.

    find: gives them; by default `calibrate`, which prepares `net`, in place, for int8 with them.
    Says so where the photos are too few, or do not tell a range.
    """
    from quantization.calibrate import calibrate, photos_of

    find = find or calibrate
    paths = evenly(photos, most)
    unreadable: dict[str, None] = {}
    images = photos_of(
        net, paths, lambda p: console.track(p, "finding int8 ranges"), unreadable.setdefault
    )
    found = find(net, images)
    for reason in unreadable:
        console.log(f"passed over: {reason}")
    if found.photos < FEW:
        console.log(
            f"warning: ranges from {found.photos} photos, expected a hundred or so; others may "
            "exceed them: name a folder with more"
        )
    if found.constant:
        console.log(
            f"warning: {len(found.constant)} of {len(found.ranges)} ranges saw one value alone "
            f"(first: {found.constant[0]}); are these photos like those the phone will see?"
        )
    return found.ranges


def to_int8(loaded: "Loaded", weights: str, folder: Path | None, most: int) -> None:
    """Prepares the loaded net, in place, with ranges from photos or else its own.

    Raises InputError where there are neither.
    """
    from quantization.prepare import apply_ranges
    from quantization.rounding import round_weights

    if folder is None and loaded.ranges is not None:
        apply_ranges(loaded.net, loaded.ranges)
    else:
        with calibration_photos(folder, weights, most) as photos:
            find_ranges(loaded.net, photos, most)
    round_weights(loaded.net)
