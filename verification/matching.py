"""Pairs the detections of two programs by label and place, whatever rows they stand in.

A DETR emits many near-duplicate boxes, and so pairing happens in two rounds:

1. Pairs within the limits of the precision, as many as exist: if any pairing meets the limits, one
   is found, however dense the duplicates (augmenting paths, cheapest neighbour first). Rows placed
   earlier keep a partner, so the best detections come first here too.
2. What is left over, cheapest pair first, if it is recognisably the same thing: same label, and
   IoU >= 0.5 or edges at most 1 pixel apart. The latter lets boxes without an area match.
"""

import numpy as np
import numpy.typing as npt

from deimv2.model.detections import Detections

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def differences(
    reference: Detections, actual: Detections, size: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Largest edge distance in pixels, and score difference, of all pairs: two float64 [K, L]."""
    height, width = size
    scale = np.array([width, height, width, height], np.float64)
    with np.errstate(invalid="ignore"):  # infinity minus itself: NaN, and so matches nothing
        edges = np.abs(reference.boxes[:, None] * scale - actual.boxes[None] * scale)
        scores = np.abs(reference.scores[:, None].astype(np.float64) - actual.scores[None])
    return edges.max(axis=2), scores


def iou(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> Floats:
    """Intersection over union of all pairs, [K, 4] x [L, 4] -> [K, L]; NaN for NaN."""
    import torch

    from deimv2.training import boxes

    a, b = (torch.from_numpy(corners.astype(np.float64)) for corners in (left, right))
    found: Floats = boxes.iou(a[:, None], b).numpy()
    return found


def pair_within(cost: Floats, within: Bools) -> dict[int, int]:
    """Round 1: row -> column, each used once, as many pairs within the limits as there can be."""
    neighbours = [
        [int(j) for j in np.argsort(costs, kind="stable") if allowed[j]]
        for costs, allowed in zip(cost, within, strict=True)
    ]
    owner: dict[int, int] = {}  # column -> row

    def place(row: int, visited: set[int]) -> bool:
        for column in neighbours[row]:
            if column not in owner:
                owner[column] = row
                return True
        for column in neighbours[row]:
            if column not in visited:
                visited.add(column)
                if place(owner[column], visited):  # its owner moves on
                    owner[column] = row
                    return True
        return False

    for row in range(len(neighbours)):
        place(row, set())
    return {row: column for column, row in owner.items()}


def pair_rest(partner: dict[int, int], cost: Floats, same: Bools) -> None:
    """Round 2: adds to `partner` the pairs left over, cheapest first."""
    rows, columns = np.nonzero(same)
    taken = set(partner.values())
    for k in np.argsort(cost[rows, columns], kind="stable"):
        row, column = int(rows[k]), int(columns[k])
        if row not in partner and column not in taken:
            partner[row] = column
            taken.add(column)
