"""What a precision means: what computes, what is stored, and how far off an artifact may be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deimv2.model.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Limits:
    """What an artifact of one precision must reach, and on which detections.

    matched_share: of the counted detections, how many must have a partner, 0..1
                   (`deimv2.verification.parity.excused`)
    box_px:        largest distance of a box edge, in pixels of the network's input
    score:         largest difference of a score
    min_score:     detections above this score, on either side, count; None counts all
    within:        of the matched pairs, how many must be within box_px and score: 1, 0.99 or 0.9
    least:         so many detections must be there to be compared
    worst:         how many times box_px and score the worst pair may be off; None: any
    """

    matched_share: float
    box_px: float
    score: float
    min_score: float | None = None
    within: float = 1.0
    least: int = 0
    worst: float | None = None

    def counted(self, scores: "npt.NDArray[np.float32]") -> "npt.NDArray[np.bool_]":
        """Which of the detections count. scores: float32 [K], best first."""
        import numpy as np

        if self.min_score is None:
            return np.ones(len(scores), bool)
        above: npt.NDArray[np.bool_] = scores > self.min_score
        return above


@dataclass(frozen=True)
class Precision:
    """computes, stores: the type of most arithmetic and of large weights, "float32", "float16",
    "int16" or "int8". A format may compute float16 in float32, where its CPU kernels do.
    reference: whose detections an artifact is compared with."""

    name: str
    computes: str
    stores: str
    limits: Limits
    reference: str = "the float32 model"

    @property
    def rounds(self) -> bool:
        """Whether activations are int8, so that the network needs ranges for them."""
        return self.computes == "int8"

    @property
    def calibrates(self) -> bool:
        """Whether photographs tell what values the integers stand for."""
        return self.computes in ("int8", "int16")


EXACT = Limits(1.0, box_px=0.05, score=1e-4, within=0.99, worst=20)
ROUNDING = "PyTorch rounding to int8"
PRECISIONS: Mapping[str, Precision] = {
    each.name: each
    for each in (
        # float32 differs by the order of its sums alone.
        Precision("fp32", "float32", "float32", EXACT),
        # Both from released weights on real photographs: docs/verify.md has the numbers.
        Precision(
            "fp16", "float16", "float16",
            Limits(0.98, box_px=4.0, score=0.08, min_score=0.3, within=0.9, least=5),
        ),
        # int8 is compared with PyTorch rounding at the same places. Sums differ in their last bits,
        # and where one lies between two steps it is rounded the other way, in the next layer so are
        # others: with some photographs a right file is as far from PyTorch as either is from
        # float32.
        Precision(
            "int8", "int8", "int8",
            Limits(0.95, box_px=12.0, score=0.15, min_score=0.3, within=0.9, least=20), ROUNDING,
        ),
        # Convolutions of int8 weights and int16 activations, as NPUs take them.
        Precision(
            "int8x16", "int16", "int8",
            Limits(0.95, box_px=12.0, score=0.15, min_score=0.3, within=0.9, least=20),
        ),
        # The weights are those of the reference to the bit, and all else is float32.
        Precision("int8-weight", "float32", "int8", EXACT, ROUNDING),
    )
}  # fmt: skip


def precision_of(name: str) -> Precision:
    """The precision of that name. Raises InputError for an unknown one."""
    if name not in PRECISIONS:
        raise InputError(f"unknown precision '{name}', expected one of {', '.join(PRECISIONS)}")
    return PRECISIONS[name]
