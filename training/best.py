"""Which of a training's weights are kept."""

from dataclasses import dataclass

from deimv2.training.loop import Metrics

NOISE = 0.001  # of AP: weights measured with another batch size differ by so much on 328 photos


@dataclass
class Best:
    """ap: of the kept weights; -1.0: none was measured. step: after which they were.

    The highest AP, as long as nothing else is measured. With a teacher, AP within NOISE of the
    highest is a tie, which the agreement with the teacher decides. highest: AP of any so far.
    """

    ap: float = -1.0
    agreement: float = 0.0
    step: int = 0
    highest: float = -1.0

    def takes(self, metrics: Metrics, step: int) -> bool:
        """Whether the weights with these metrics are to be kept instead; they are then noted."""
        ap, agreement = metrics.get("AP"), metrics.get("agreement")
        if ap is None or not self._won_by(ap, agreement):
            return False
        self.ap, self.agreement, self.step = ap, agreement or 0.0, step
        return True

    def _won_by(self, ap: float, agreement: float | None) -> bool:
        before, self.highest = self.ap, max(self.highest, ap)
        if agreement is None:
            return ap > before
        least = self.highest - NOISE
        return ap >= least and (before < least or agreement > self.agreement)
