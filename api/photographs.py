"""Which photographs an export is checked on."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model import DEIMv2
from deimv2.model.errors import InputError
from deimv2.model.images import evenly, find_photos, load_photo, resize
from deimv2.model.postprocess import detect
from deimv2.model.progress import SILENT, Progress
from deimv2.model.weights.places import DEMO
from deimv2.model.words import plural
from deimv2.verification.kept import MIN_SCORE

LOOKED_AT = 200
ENOUGH_DETECTIONS = 200  # detections to compare
MIN_PHOTOGRAPHS, MAX_PHOTOGRAPHS = 3, 32  # photographs


def golden_photographs(
    net: DEIMv2,
    chosen: Path | None,
    usual: Path | None,
    demo: bool,
    progress: Progress = SILENT,
) -> Sequence[Path]:
    """Of a folder that was chosen; of the usual one (calibrated or validated on), where it has
    enough photos; else those that come with the weights, or with the package, and says so.

    net: in float.
    """
    if chosen is not None:
        found = with_detections(net, find_photos(chosen), progress)
        if len(found) < MIN_PHOTOGRAPHS:
            raise InputError(
                f"'{chosen}' has {plural(len(found), 'photo')} to check on, expected at least "
                f"{MIN_PHOTOGRAPHS} that can be read, each of its own name; add some, or leave "
                "--photos out"
            )
        return found
    if usual is not None:
        with suppress(InputError):  # no photos in it
            found = with_detections(net, find_photos(usual), progress)
            if len(found) >= MIN_PHOTOGRAPHS:
                return found
    others = find_photos(DEMO / "photographs") if demo else PHOTOGRAPHS
    if usual is not None:
        why = f"has fewer than {MIN_PHOTOGRAPHS} photos" if usual.is_dir() else "is not there"
        progress.log(
            f"'{usual}', which the weights were validated or calibrated on, {why}: compared on "
            f"{len(others)} photographs of {'the demo' if demo else 'COCO'}, on which other "
            "classes are not found; name yours with --photos DIR"
        )
    return others


def with_detections(net: DEIMv2, paths: Sequence[Path], progress: Progress = SILENT) -> list[Path]:
    """As few of the photos as have enough detections together, evenly chosen from those that have
    any; where no number of them has, those with most. LOOKED_AT are looked at, one of each name in
    any case, as macOS takes names that differ in it for one."""
    counts: dict[Path, int] = {}
    unique = list({path.stem.casefold(): path for path in paths}.values())
    for path in progress.track(evenly(unique, LOOKED_AT), "choosing photographs"):
        try:
            (found,) = detect(net, resize(load_photo(path), net.image_size))
        except InputError as error:
            progress.log(f"skipped: {error}")
            continue
        counts[path] = int((found.scores > MIN_SCORE).sum())
    full = [path for path, count in counts.items() if count]
    for number in range(MIN_PHOTOGRAPHS, min(MAX_PHOTOGRAPHS, len(full)) + 1):
        chosen = evenly(full, number)
        if sum(counts[path] for path in chosen) >= ENOUGH_DETECTIONS:
            return chosen
    return sorted(sorted(counts, key=lambda path: -counts[path])[:MAX_PHOTOGRAPHS])
