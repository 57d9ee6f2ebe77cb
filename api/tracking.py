"""Ids that stay with an object over the frames of a video.

tracker = deimv2.Tracker()
for frame in frames:
    ids = tracker.update(detector(frame, threshold=0.1), threshold=0.4)

The method is ByteTrack's (arXiv 2110.06864): what scores above the threshold is matched first, and
low-score detections then keep tracks alive that would be lost. Where a box will be is predicted by
a constant-velocity Kalman filter, whose errors grow with the box (as in BoT-SORT, arXiv
2206.14651); coordinates are taken as independent there, so each has a filter of its own. Boxes are
matched by overlap alone, the largest first, where ByteTrack looks for the best sum. Kotlin and
Swift do the same (tests/vectors/tracks.json).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.model.numbers import require_given
from deimv2.model.words import shown
from deimv2.verification.matching import iou, pair_rest

LOW_SCORE = 0.1  # detections that score less are not looked at
OVERLAP, NEW_OVERLAP, LOW_SCORE_OVERLAP = 0.2, 0.3, 0.5  # least intersection over union of a match
UNSEEN = 30  # frames after which a track ends
POSITION, SPEED = 1 / 20, 1 / 160  # deviations, as shares of the box's side
LEAST_SIDE = 1e-4  # of a box, for its deviations


class Found(Protocol):
    """Such as `deimv2.Result`."""

    @property
    def detections(self) -> Detections: ...


class Tracker:
    """Tracks of one video or camera; begins anew with every instance."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._ids = 0
        self._first = True

    def update(self, found: Detections | Found, threshold: float = 0.5) -> list[int | None]:
        """The id, from 1, of each detection of the next frame; None for those of no track.

        found: a `Result`, or its detections, best first, down to scores of 0.1.
        threshold: only what scores more begins a track, which gets its id in the second frame
        that it is seen in (in the video's first, at once). Several labels on one box are one
        object, that of the best.
        """
        require_given(threshold=threshold)
        found = getattr(found, "detections", found)
        if not isinstance(found, Detections):
            raise InputError(
                f"{shown(found)} is no frame's detections, expected a deimv2.Result, or its "
                "detections"
            )
        for track in self._tracks:
            track.predict()
        ids: list[int | None] = [None] * len(found)
        rows = [row for row in found.objects() if found.scores[row] > LOW_SCORE]
        high = [row for row in rows if found.scores[row] > threshold]
        low = [row for row in rows if found.scores[row] <= threshold]
        known = [track for track in self._tracks if track.id is not None]
        new = [track for track in self._tracks if track.id is None]
        self._match(known, high, OVERLAP, found, ids)
        self._match([t for t in known if t.unseen == 1], low, LOW_SCORE_OVERLAP, found, ids)
        self._match(new, _without(high, ids), NEW_OVERLAP, found, ids)
        self._tracks = [
            track for track in self._tracks
            if track.unseen == 0 or (track.id is not None and track.unseen <= UNSEEN)
        ]  # fmt: skip
        for row in _without(high, ids):
            self._tracks.append(_Track(found.boxes[row].tolist()))
            if self._first:
                ids[row] = self._name(self._tracks[-1])
        self._first = False
        return ids

    def _match(
        self,
        tracks: Sequence["_Track"],
        rows: Sequence[int],
        least: float,
        found: Detections,
        ids: list[int | None],
    ) -> None:
        if not tracks or not rows:
            return
        expected = np.array([track.box for track in tracks], np.float32)
        overlap = iou(expected, found.boxes[list(rows)])
        pairs: dict[int, int] = {}
        pair_rest(pairs, -overlap, overlap > least)
        for i, j in pairs.items():
            tracks[i].correct(found.boxes[rows[j]].tolist())
            ids[rows[j]] = self._name(tracks[i])

    def _name(self, track: "_Track") -> int:
        if track.id is None:
            self._ids += 1
            track.id = self._ids
        return track.id


def _without(rows: Sequence[int], ids: Sequence[int | None]) -> list[int]:
    return [row for row in rows if ids[row] is None]


class _Track:
    """A box on its way. unseen: frames since it was matched; id: None until it is seen twice."""

    def __init__(self, box: Sequence[float]) -> None:
        values = _centre_and_sides(box)
        self.motions = [_Motion(value, _side(values, i)) for i, value in enumerate(values)]
        self.unseen = 0
        self.id: int | None = None

    @property
    def values(self) -> list[float]:
        return [motion.value for motion in self.motions]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Corners x1, y1, x2, y2."""
        x, y, w, h = self.values
        return x - w / 2, y - h / 2, x + w / 2, y + h / 2

    def predict(self) -> None:
        self.unseen += 1
        if self.unseen > 1:  # what is lost moves on, but does not grow
            self.motions[2].speed = self.motions[3].speed = 0.0
        values = self.values
        for i, motion in enumerate(self.motions):
            motion.predict(_side(values, i))

    def correct(self, box: Sequence[float]) -> None:
        self.unseen = 0
        values = self.values
        for i, value in enumerate(_centre_and_sides(box)):
            self.motions[i].correct(value, _side(values, i))


def _centre_and_sides(box: Sequence[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def _side(values: Sequence[float], i: int) -> float:
    """Width for x and width, height for y and height."""
    return max(values[2 + i % 2], LEAST_SIDE)


class _Motion:
    """A coordinate and its speed in a frame. a, b, c: their covariances [[a, b], [b, c]]."""

    def __init__(self, value: float, side: float) -> None:
        self.value, self.speed = value, 0.0
        self.a, self.b, self.c = (2 * POSITION * side) ** 2, 0.0, (10 * SPEED * side) ** 2

    def predict(self, side: float) -> None:
        self.value += self.speed
        self.a += 2 * self.b + self.c + (POSITION * side) ** 2
        self.b += self.c
        self.c += (SPEED * side) ** 2

    def correct(self, value: float, side: float) -> None:
        total = self.a + (POSITION * side) ** 2
        error = value - self.value
        self.value += self.a / total * error
        self.speed += self.b / total * error
        self.c -= self.b * self.b / total
        self.b -= self.a * self.b / total
        self.a -= self.a * self.a / total
