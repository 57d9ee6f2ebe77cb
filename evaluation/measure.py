"""The twelve COCO numbers of a network in this process."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.model.errors import InputError
from deimv2.model.progress import SILENT, Progress
from deimv2.model.words import plural
from deimv2.training.data.layouts import Part

if TYPE_CHECKING:
    from deimv2.model import DEIMv2


def measurement(
    images: Path,
    annotations: Path,
    names: Sequence[str],
    limit: int | None = None,
    check: bool = False,
    progress: Progress = SILENT,
) -> "Callable[[DEIMv2], Mapping[str, float | None]]":
    """Gives the numbers of any net with these class names, on the first `limit` photos.

    check: open every photo at once, so that a damaged one is told before hours are spent.
    Raises InputError if the data do not fit.
    """
    from deimv2.converters.checkpoint import CheckpointRunner
    from deimv2.evaluation.annotations import match_classes, read_annotations
    from deimv2.evaluation.coco import collect, evaluate, load_annotated, require_library

    require_library()
    annotated = read_annotations(Part(images, annotations), limit)
    photos = annotated.find(images)
    try:
        classes = match_classes(annotated, names, len(names))
    except InputError as error:
        raise InputError(
            f"'{annotations}', which AP is to be measured on, has the classes "
            f"{', '.join(annotated.names)}; expected those that are trained on or some of them: "
            f"{', '.join(names)}; name them alike in both files"
        ) from error
    if missing := len(names) - len(annotated.names):
        progress.log(
            f"'{annotations}' lacks {plural(missing, 'class', 'classes')} of {len(names)}: AP is "
            "the mean of the others"
        )
    if check:
        for photo, path in zip(annotated.photos, progress.track(photos, "checking"), strict=True):
            load_annotated(annotated, photo, path)

    def measure(net: "DEIMv2") -> Mapping[str, float | None]:
        shown = partial(progress.track, message="evaluating")
        found = collect(CheckpointRunner(net), annotated, photos, classes, shown)
        return evaluate(annotated, found).metrics

    return measure
