"""The int8 ranges of a network, from photos or from its checkpoint."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from deimv2.api.synthetic import make_scenes
from deimv2.converters.runner import Frame
from deimv2.model import DEIMv2
from deimv2.model.errors import InputError
from deimv2.model.images import evenly, find_photos
from deimv2.model.progress import SILENT, Progress
from deimv2.model.weights import CheckpointMetadata
from deimv2.model.weights.sources import Loaded
from deimv2.quantization.calibration import Calibration, calibrate, frames_of, photos_of
from deimv2.quantization.mixed import calibrate_share, most_in_int8
from deimv2.quantization.prepare import apply_ranges
from deimv2.quantization.rounding import Images, round_weights

PHOTOS = 200
FEW = 32  # ranges from fewer are told to be uncertain


@contextmanager
def calibration_photos(
    folder: Path | None, weights: str, most: int, progress: Progress = SILENT
) -> Iterator[list[Path]]:
    """The photos in a folder; without one, for the demo weights, scenes of their training part."""
    if folder is not None:
        yield find_photos(folder)
        return
    if weights != "demo":
        raise InputError(
            f"'{weights}' carries no int8 ranges and there are no photos to find them on; name "
            "some with --calibration DIR, or, for int8, weights that deimv2 quantize wrote"
        )
    with tempfile.TemporaryDirectory() as made:
        try:
            make_scenes({"train": made}, most, progress=progress)
        except InputError as error:
            raise InputError(f"{error}; or name your photos with --calibration DIR") from error
        yield find_photos(Path(made))


def method(
    share: float | None, progress: Progress = SILENT
) -> Callable[[DEIMv2, Images], Calibration]:
    """How ranges are found. share: see `calibrate_share`, and where it leaves no block in float
    that is said; None: all of the recipe is in int8."""
    if share is None:
        return calibrate

    def find(net: DEIMv2, images: Images) -> Calibration:
        most = most_in_int8(net)
        found = calibrate_share(net, images, share)
        if not found.float_blocks:
            progress.log(
                f"--int8-share {share:g} leaves no block in float: all that can be is in int8, "
                f"{most:.1%} of the multiply-accumulates"
            )
        return found

    return find


def find_ranges(
    net: DEIMv2,
    photos: Sequence[Path],
    most: int,
    progress: Progress = SILENT,
    find: Callable[[DEIMv2, Images], Calibration] = calibrate,
) -> Calibration:
    """The ranges that at most so many of the photos ask for.

    find: gives them; by default it prepares `net`, in place, for int8 with them. Says what stays
    in float, and where the photos are too few, or do not tell a range.
    """
    paths = evenly(photos, most)
    unreadable: dict[str, None] = {}
    passes = count(1)

    def shown(each: Sequence[Path]) -> Iterator[Path]:
        return progress.track(each, f"finding int8 ranges, pass {next(passes)}")

    images = photos_of(net, paths, shown, unreadable.setdefault)
    found = find(net, images)
    tell_photos(found.photos, unreadable, progress)
    if found.constant:
        progress.log(
            f"warning: {len(found.constant)} of {len(found.ranges)} ranges saw one value alone "
            f"(first: {found.constant[0]}); are these photos like those the phone will see?"
        )
    if found.float_blocks:
        progress.log(f"in float: {', '.join(found.float_blocks)}")
    return found


def tell_photos(used: int, unreadable: Iterable[str], progress: Progress) -> None:
    """Says which photos were skipped, and warns where few are left."""
    for reason in unreadable:
        progress.log(f"skipped: {reason}")
    if used < FEW:
        progress.log(
            f"warning: ranges from {used} photos, expected a hundred or so; others may exceed "
            "them: name a folder with more"
        )


def calibration_frames(
    size: tuple[int, int], weights: str, folder: Path | None, most: int, progress: Progress
) -> list[Frame]:
    """At most so many of the photos, as frames of (H, W): for formats that calibrate themselves.

    Raises InputError where there are none.
    """
    unreadable: dict[str, None] = {}
    with calibration_photos(folder, weights, most, progress) as photos:
        paths = progress.track(evenly(photos, most), "reading calibration photos")
        frames = list(frames_of(size, paths, unreadable.setdefault))
    tell_photos(len(frames), unreadable, progress)
    if not frames:
        where = "" if folder is None else f" in '{folder}'"
        raise InputError(f"no photo{where} can be read; name a folder with some")
    return frames


def to_int8(
    loaded: Loaded,
    weights: str,
    folder: Path | None,
    most: int,
    progress: Progress = SILENT,
    share: float | None = None,
) -> None:
    """Prepares the loaded net, in place, with ranges from photos or else its own.

    share: of photos' ranges, see `method`. Raises InputError where there are neither.
    """
    if folder is None and loaded.about.ranges is not None:
        apply_ranges(loaded.net, loaded.about.ranges, loaded.about.float_blocks)
    else:
        tell_found_before(loaded.about, weights, progress)
        with calibration_photos(folder, weights, most, progress) as photos:
            find_ranges(loaded.net, photos, most, progress, method(share, progress))
    round_weights(loaded.net)


def tell_found_before(about: CheckpointMetadata, weights: str, progress: Progress) -> None:
    """Says so where weights that are to be calibrated were fitted to ranges before."""
    if about.ranges is not None:
        source = "" if about.in_float is None else f", for example '{about.in_float}'"
        progress.log(
            f"'{weights}' has int8 ranges, and weights that were fitted to them or trained with "
            "them; new ranges throw that away: use it as it is, without calibrating, or calibrate "
            f"float weights{source}"
        )
