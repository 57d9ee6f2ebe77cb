"""Which of a training's weights are kept."""

from dataclasses import dataclass

from deimv2.training.loop import Metrics


@dataclass
class Best:
    """ap: of the weights that are kept; -1.0: none was measured. step: after which they were.

    The highest AP; with a teacher, the highest sum of AP and agreement: AP against what the teacher
    detects. On some hundred photos AP of a net that rounds varies more by chance than from epoch to
    epoch, its agreement less (docs/quantization.md has the numbers).
    """

    ap: float = -1.0
    score: float = -1.0
    step: int = 0

    def takes(self, metrics: Metrics, step: int) -> bool:
        """Whether the weights with these metrics are to be kept instead; they are then noted."""
        ap, agreement = metrics.get("AP"), metrics.get("agreement")
        if ap is None:
            return False
        score = ap + (agreement or 0.0)
        if score <= self.score:
            return False
        self.ap, self.score, self.step = ap, score, step
        return True
