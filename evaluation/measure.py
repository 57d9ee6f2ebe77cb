"""The twelve COCO numbers of a network in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from deimv2.converters.checkpoint import CheckpointRunner
from deimv2.evaluation.annotations import Annotations, match_classes, read_annotations
from deimv2.evaluation.coco import Found, collect, evaluate, load_annotated, require_library
from deimv2.model.errors import InputError
from deimv2.model.progress import SILENT, Progress
from deimv2.model.words import plural
from deimv2.training.data.layouts import Part
from deimv2.training.pseudo import MIN_SCORE as SURE

if TYPE_CHECKING:
    from deimv2.model import DEIMv2


@dataclass(frozen=True, eq=False)
class Measurement:
    """Measures any net of given class names; call it with the net.

    paths: of the annotations' photos. classes: the annotations' class for each of the names.
    teacher: what another net is sure of, in place of annotations; AP against it is the agreement.
    """

    annotations: Annotations
    paths: Sequence[Path]
    classes: npt.NDArray[np.int32]
    progress: Progress
    teacher: Annotations | None = None

    def __call__(self, net: "DEIMv2") -> Mapping[str, float | None]:
        found = self.found(net)
        metrics = evaluate(self.annotations, found).metrics
        if self.teacher is None:
            return metrics
        return metrics | {"agreement": evaluate(self.teacher, found).metrics["AP"]}

    def found(self, net: "DEIMv2") -> Found:
        """What the net detects on all photos."""
        shown = partial(self.progress.track, message="evaluating")
        runner = CheckpointRunner(net)
        return collect(runner, self.annotations, self.paths, self.classes, shown)

    def beside(self, net: "DEIMv2") -> "Measurement":
        """The measurement with this net as teacher; logs the net's AP."""
        found = self.found(net)
        ap = evaluate(self.annotations, found).metrics["AP"]
        self.progress.log(
            f"float32: AP {'not to be had' if ap is None else f'{ap:.4f}'}; of the weights that "
            "round, those with the highest sum of AP and agreement (AP measured against float32's "
            "detections) are kept"
        )
        return replace(self, teacher=as_annotations(found, self.annotations))


def as_annotations(found: Found, annotations: Annotations) -> Annotations:
    """The detections above SURE, as boxes to find on the photos of the annotations."""
    sure = np.flatnonzero(found.scores > SURE)
    boxes = found.pixels(sure)
    return replace(
        annotations,
        boxes=boxes,
        areas=boxes[:, 2:].prod(axis=1),
        crowd=np.zeros(len(sure), bool),
        photo=found.photo[sure],
        label=found.label[sure],
    )


def measurement(
    part: Part,
    names: Sequence[str],
    limit: int | None = None,
    check: bool = False,
    progress: Progress = SILENT,
) -> Measurement:
    """A measurement on the first `limit` photos of a part of a data set, None for all.

    check: open every photo first, so that a damaged one is told before hours are spent.
    Raises InputError if the data do not fit.
    """
    require_library()
    annotated = read_annotations(part, limit)
    photos = annotated.find(part.images)
    try:
        classes = match_classes(annotated, names, len(names))
    except InputError as error:
        raise InputError(
            f"'{part.annotations}', which AP is to be measured on, has the classes "
            f"{', '.join(annotated.names)}; expected those that are trained on or some of them: "
            f"{', '.join(names)}; name them alike in both files"
        ) from error
    if missing := len(names) - len(annotated.names):
        progress.log(
            f"'{part.annotations}' lacks {plural(missing, 'class', 'classes')} of {len(names)}: AP "
            "is the mean of the others"
        )
    if check:
        for photo, path in zip(annotated.photos, progress.track(photos, "checking"), strict=True):
            load_annotated(annotated, photo, path)

    return Measurement(annotated, photos, classes, progress)
