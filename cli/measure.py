"""The twelve COCO numbers of a network in this process."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli import console

if TYPE_CHECKING:
    from model import DEIMv2


def measurement(
    images: Path,
    annotations: Path,
    names: Sequence[str],
    limit: int | None = None,
    check: bool = False,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> "Callable[[DEIMv2], Mapping[str, float | None]]":
    """Gives the numbers of any net with these class names, on the first `limit` photos.

    check: open every photo at once, so that a damaged one is told before hours are spent.
    Raises InputError if the data do not fit.
    """
    from evaluation.annotations import match_classes, read_annotations
    from evaluation.coco import collect, evaluate, load_annotated, require_library
    from evaluation.runtimes import CheckpointRunner

    require_library()
    annotated = read_annotations(annotations, limit)
    photos = annotated.find(images)
    classes = match_classes(annotated, names, len(names))
    if check:
        for photo, path in zip(annotated.photos, console.track(photos, "checking"), strict=True):
            load_annotated(annotated, photo, path)

    def measure(net: "DEIMv2") -> Mapping[str, float | None]:
        found = collect(CheckpointRunner(net), annotated, photos, classes, progress)
        return evaluate(annotated, found).metrics

    return measure
