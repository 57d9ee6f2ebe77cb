"""Precision, recall and F1 of what scores more than a threshold, which is what an app shows.

By COCO's matching at IoU 0.5: the best detection first, each takes the free box of its class that
it overlaps most; one that only lies in a crowd counts neither way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IOU = 0.5
MOST = 100  # detections of a class on a photo, as COCO has it
# Of one class, by photo: IoU [D, G] of its MOST best detections and its boxes, where it has both.
Overlaps = Mapping[int, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class AtScore:
    """Of the detections that score more than `threshold`; all in 0..1.

    precision: None where there are no such detections. recall, f1: None where there is no box to
    find.
    """

    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections that count, of one class or of several.

    scores: float64 [M]. right: bool [M], whether a box was found. boxes: how many there are to find
    """

    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    boxes: int

    def above(self, threshold: float) -> AtScore:
        """Precision, recall and F1 of the detections that score more than `threshold`."""
        shown = self.scores > threshold
        count, hits = int(shown.sum()), int(self.right[shown].sum())
        return AtScore(
            threshold,
            hits / count if count else None,
            hits / self.boxes if self.boxes else None,
            2 * hits / (count + self.boxes) if self.boxes else None,
        )

    def best(self) -> AtScore | None:
        """The same at the threshold with the highest F1, midway between two scores; None if no
        detection is right."""
        if not self.right.any():
            return None
        order = np.argsort(-self.scores, kind="stable")
        scores = np.append(self.scores[order], 0.0)
        counts = np.arange(1, len(order) + 1)
        f1 = 2 * self.right[order].cumsum() / (counts + self.boxes)
        place = int(np.where(scores[:-1] > scores[1:], f1, -1.0).argmax())  # equal scores: all
        return self.above(float(scores[place : place + 2].mean()))


def together(parts: Sequence[Matches]) -> Matches:
    """The matches of several classes as one."""
    return Matches(
        np.concatenate([each.scores for each in parts]),
        np.concatenate([each.right for each in parts]),
        sum(each.boxes for each in parts),
    )


def matches(
    ious: Overlaps,
    scores: npt.NDArray[np.float32],
    photos: npt.NDArray[np.int32],
    crowd: npt.NDArray[np.bool_],
    places: npt.NDArray[np.int32],
) -> Matches:
    """The matches of one class. scores, photos: of its detections. crowd, places: of its annotated
    boxes; places are their photos."""
    found, right = [np.empty(0)], [np.empty(0, bool)]
    boxes_of = _by_photo(places)
    for photo, rows in _by_photo(photos).items():
        here = scores[rows].astype(np.float64)
        here = here[np.argsort(-here, kind="stable")][:MOST]
        hit, ignored = np.zeros((2, len(here)), bool)
        if photo in boxes_of:
            hit, ignored = _assign(ious[photo], crowd[boxes_of[photo]])
        found.append(here[~ignored])
        right.append(hit[~ignored])
    return Matches(np.concatenate(found), np.concatenate(right), int((~crowd).sum()))


def _assign(
    ious: npt.NDArray[np.float64], crowd: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which detections found a box, and which only lie in a crowd. ious: [D, G], best first."""
    free = ~crowd
    hit, ignored = np.zeros((2, len(ious)), bool)
    for row in np.flatnonzero((ious >= IOU).any(axis=1)):
        overlap = np.where(free, ious[row], 0.0)
        best = overlap.argmax()
        if overlap[best] >= IOU:
            free[best], hit[row] = False, True
        else:
            ignored[row] = (ious[row][crowd] >= IOU).any()
    return hit, ignored


def _by_photo(photos: npt.NDArray[np.int32]) -> dict[int, npt.NDArray[np.intp]]:
    """Which rows are of a photo, in their order."""
    order = np.argsort(photos, kind="stable")
    names, starts = np.unique(photos[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=False))
