"""Objects on their way through some frames, and the ids that `deimv2.Tracker` gives them.

tracks.json: `threshold`; `frames`: of each, the detections, best first, and the `ids` of their
tracks in the same order, null for those of none.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from deimv2.api.tracking import Tracker
from deimv2.model.detections import Detections
from deimv2.tests.vectors.text import to_bytes

MADE_BY = "python -m deimv2.tests.vectors: Tracker.update of each frame in tests/vectors/tracks.py"
THRESHOLD = 0.4
Row = tuple[float, int, float, float, float, float]  # score, label, centre x and y, width, height
Frames = list[list[Row]]


def make() -> dict[str, bytes]:
    cases = [_case(name, frames) for name, frames in scenes().items()]
    return {"tracks.json": to_bytes({"made_by": MADE_BY, "cases": cases})}


def scenes() -> dict[str, Frames]:
    return {
        "two that cross, one above the other": [
            [(0.9, 0, 0.2 + 0.02 * i, 0.4, 0.1, 0.2), (0.8, 1, 0.8 - 0.02 * i, 0.55, 0.12, 0.2)]
            for i in range(30)
        ],
        "one that fades behind another for a while": [
            [
                (0.9, 0, 0.5, 0.5, 0.1, 0.4),
                (0.7 if not 10 <= i < 18 else 0.25, 2, 0.3 + 0.012 * i, 0.62, 0.14, 0.12),
            ]
            for i in range(30)
        ],
        "lost for ten frames, and for forty": [
            [(0.8, 3, 0.2 + 0.008 * i, 0.5 + 0.02 * math.sin(i / 3), 0.15, 0.15)]
            if i < 12 or 22 <= i < 30 or i >= 70 else []
            for i in range(74)
        ],
        "seen in one frame only": [
            [(0.9, 0, 0.3, 0.3, 0.2, 0.2), *([(0.5, 1, 0.7, 0.7, 0.1, 0.1)] if i == 4 else [])]
            for i in range(8)
        ],
        "other labels on the same box": [
            [(0.8, i % 2, 0.4, 0.4, 0.2, 0.3), (0.6, 2, 0.4, 0.4, 0.2, 0.3)] for i in range(5)
        ],
        "never above the threshold": [[(0.3, 0, 0.5, 0.5, 0.2, 0.2)] for _ in range(4)],
        "nothing, then something": [[], []] + [[(0.7, 0, 0.5, 0.5, 0.2, 0.2)] for _ in range(3)],
        "five that come nearer": list(_approaching()),
    }  # fmt: skip


def _approaching() -> Iterator[list[Row]]:
    rng = np.random.default_rng(7)
    for i in range(24):
        scale = 1 + i / 24
        rows = []
        for k in range(5):
            noise = rng.normal(0, 0.004, 4)
            x, y = (
                0.5 + scale * 0.22 * math.cos(k * 1.257),
                0.5 + scale * 0.22 * math.sin(k * 1.257),
            )
            score = 0.85 - 0.1 * k + float(rng.normal(0, 0.03))
            rows.append(
                (score, k, x + noise[0], y + noise[1], scale * 0.1, scale * 0.12 + noise[2])
            )
        yield sorted(rows, reverse=True)


def detections(rows: list[Row]) -> Detections:
    """Rounded to four digits, as they are written."""
    boxes = [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for _, _, x, y, w, h in rows]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4).round(4),
        np.array([row[0] for row in rows], np.float32).round(4),
        np.array([row[1] for row in rows], np.int32),
    )


def _case(name: str, frames: Frames) -> dict[str, Any]:
    tracker, written = Tracker(), []
    for rows in frames:
        found = detections(rows)
        ids = tracker.update(found, THRESHOLD)
        written.append({"detections": found.to_json(), "ids": ids})
    return {"name": name, "threshold": THRESHOLD, "frames": written}
