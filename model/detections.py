"""What a detector says about one frame, and how that is written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deimv2.model.errors import InputError


@dataclass(frozen=True, eq=False)
class Detections:
    """The detections of one frame, best first.

    boxes:  float32 [K, 4], corners x1, y1, x2, y2 in 0..1 of the frame, not clipped: some
            reach a little beyond an edge
    scores: float32 [K] in 0..1
    labels: int32 [K], index into the list of class names

    Raises InputError for any other shape or type. Values are not judged here: a broken artifact may
    well say NaN, and comparing it has to be possible.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        rows = self.scores.shape[0] if self.scores.ndim else 0
        _require("boxes", self.boxes, np.float32, (rows, 4))
        _require("scores", self.scores, np.float32, (rows,))
        _require("labels", self.labels, np.int32, (rows,))

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def finite(self) -> bool:
        """Whether all boxes and scores are numbers."""
        return bool(np.isfinite(self.boxes).all() and np.isfinite(self.scores).all())

    def take(self, rows: npt.ArrayLike) -> "Detections":
        """The detections at these rows, given as their numbers or as one bool per row."""
        rows = np.asarray(rows)
        rows = rows if rows.dtype == bool else rows.astype(int)  # an empty list is float
        return Detections(self.boxes[rows], self.scores[rows], self.labels[rows])

    def above(self, threshold: float) -> "Detections":
        """The detections whose score is greater than `threshold`."""
        return self.take(self.scores > threshold)

    def best(self, count: int) -> "Detections":
        """The first `count` detections, all of them if there are fewer."""
        return Detections(self.boxes[:count], self.scores[:count], self.labels[:count])

    def objects(self) -> list[int]:
        """The rows left when a box with several labels, as a query may give, keeps its best one."""
        _, first = np.unique(self.boxes, axis=0, return_index=True)
        return sorted(first.tolist())

    def one_label(self) -> "Detections":
        """The detections with one label per box, the one that scores best."""
        return self.take(self.objects())

    def require_names(self, names: Sequence[str]) -> None:
        """Raises InputError for a label that has no place in the list of class names."""
        for label in self.labels.tolist():
            if not 0 <= label < len(names):
                raise InputError(
                    f"label {label} has no name, expected 0 to {len(names) - 1}; "
                    "use the label list that the model was trained with"
                )

    def to_json(self) -> list[dict[str, Any]]:
        """One {"label", "score", "box"} per detection; `from_json` gives back the same bits."""
        rows = zip(self.labels, self.scores, self.boxes, strict=True)
        return [
            {"label": int(label), "score": _short(score), "box": [_short(edge) for edge in box]}
            for label, score, box in rows
        ]

    @classmethod
    def from_json(cls, rows: Sequence[Mapping[str, Any]]) -> "Detections":
        """Reads what `to_json` wrote. Raises InputError for a row of another form."""
        for row in rows:
            _require_row(row)
        return cls(
            np.array([row["box"] for row in rows], np.float32).reshape(-1, 4),
            np.array([row["score"] for row in rows], np.float32),
            np.array([row["label"] for row in rows], np.int32),
        )


def _short(value: np.float32) -> float:
    """Nine significant digits, the fewest that tell every float32 from its neighbours."""
    return float(f"{value:.9g}")


def _require(name: str, array: npt.NDArray[Any], dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise InputError(
            f"{name} of detections are {array.dtype} {list(array.shape)}, expected "
            f"{np.dtype(dtype)} {list(shape)}; convert them or drop the batch axis first"
        )


def _require_row(row: object) -> None:
    def is_number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    match row:
        case {"label": int(), "score": score, "box": [_, _, _, _] as box}:
            if is_number(score) and all(map(is_number, box)):
                return
    raise InputError(
        f"a detection reads {row!r}, expected {{'label': int, 'score': float, "
        "'box': [x1, y1, x2, y2]}; write the file again with Detections.to_json"
    )
