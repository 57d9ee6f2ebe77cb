"""Detections to compare: some, and what becomes of them."""

from collections.abc import Sequence

import numpy as np

from deimv2.model.detections import Detections

SIZE = (320, 320)


def some(count: int = 40) -> Detections:
    """Boxes all over the frame, scores from 0.9 down in even steps, ten labels."""
    rng = np.random.default_rng(0)
    corner, side = rng.uniform(0, 0.6, (count, 2)), rng.uniform(0.1, 0.4, (count, 2))
    return Detections(
        np.hstack([corner, corner + side]).astype(np.float32),
        np.linspace(0.9, 0.1, count, dtype=np.float32),
        rng.integers(0, 10, count).astype(np.int32),
    )


def take(detections: Detections, rows: Sequence[int]) -> Detections:
    index = np.array(rows, int)
    return Detections(detections.boxes[index], detections.scores[index], detections.labels[index])


def changed(
    detections: Detections, row: int, *, box_px: float = 0, score: float = 0, label: int = 0
) -> Detections:
    boxes, scores, labels = (
        detections.boxes.copy(), detections.scores.copy(), detections.labels.copy()
    )  # fmt: skip
    boxes[row, 2] += np.float32(box_px / SIZE[1])
    scores[row] += np.float32(score)
    labels[row] += label
    return Detections(boxes, scores, labels)


def at_the_cut(last: int, score: float) -> tuple[Detections, Detections]:
    """40 of 41 detections each, of which the last two tie: one side keeps 39, the other `last`."""
    whole = some(41)
    whole.scores[39:] = (0.1, score)
    return take(whole, range(40)), take(whole, [*range(39), last])
