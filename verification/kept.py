"""Is int8 harmless for these weights? How many of float32's detections are still found.

Parity says whether a file rounds as it should. This says what rounding costs its user.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deimv2.model.detections import Detections
from deimv2.verification.matching import Bools, iou
from deimv2.verification.parity import FEW, SAME_IOU

if TYPE_CHECKING:
    from deimv2.converters.golden import Golden

MIN_SCORE = 0.3
SCORE = 0.1  # a detection may lose so much of its score
LIMIT = 0.9


@dataclass(frozen=True)
class Kept:
    """counted: float32's detections above MIN_SCORE. found: those of which int8 has one of the same
    label at the same place, with a score at most SCORE lower. limit: the share that must be."""

    counted: int
    found: int
    limit: float = LIMIT

    @property
    def share(self) -> float:
        return self.found / self.counted if self.counted else 1.0

    def failures(self) -> list[str]:
        """What does not hold, and what helps. Of fewer than FEW detections, one may be lost."""
        lost = self.counted - self.found
        if self.share >= self.limit or (self.counted < FEW and lost <= 1):
            return []
        return [
            f"int8 keeps {self.found} of {self.counted} detections of float32 ({self.share:.2f}), "
            f"the limit is {self.limit:.4g}: calibrate on more photos like those the phone will "
            "see (--calibration), train with rounding (deimv2 quantize --qat), or keep a part in "
            "float (--precision int8-weight or fp16 keep all)"
        ]

    def to_json(self) -> dict[str, Any]:
        return {"counted": self.counted, "found": self.found, "limit": self.limit}


def count_kept(
    goldens: "Sequence[Golden]", found: Sequence[Detections], limit: float = LIMIT
) -> Kept | None:
    """Over the golden photographs; None where they do not say what float32 detects."""
    counted = kept = 0
    for golden, detections in zip(goldens, found, strict=True):
        if golden.in_float is None:
            return None
        wanted = golden.in_float.scores > MIN_SCORE
        counted += int(wanted.sum())
        kept += int((wanted & is_found(golden.in_float, detections)).sum())
    return Kept(counted, kept, limit)


def is_found(reference: Detections, actual: Detections) -> Bools:
    """[K], for each of the reference's detections: whether a user takes one of `actual` for it."""
    label = reference.labels[:, None] == actual.labels
    place = iou(reference.boxes, actual.boxes) >= SAME_IOU
    score = actual.scores >= reference.scores[:, None] - SCORE
    found: Bools = (label & place & score).any(axis=1)
    return found
