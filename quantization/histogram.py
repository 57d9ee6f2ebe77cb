"""Which 256 steps the values at one place deserve.

A few channels reach 30 times as far as the others. Plain squared error lets them alone decide, as
extremes do, and most channels are left with few steps. So each channel's error counts by that
channel's own variance. And where SiLU or GELU follows, the error is measured behind it: half of all
steps would go to values that it turns into 0.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from deimv2.quantization.rounding import HIGH, LOW, Range

BINS = 4096
CANDIDATES = 40  # positions tried for either end of a range
MIN_VARIANCE = 1e-3  # of the mean variance: what a channel that hardly varies counts with
Function = Callable[[Tensor], Tensor]


class Histogram:
    """Extremes of what passes a fake quantizer, then a histogram of every channel between them.

    follows: the function that the values enter next, where it is smooth. A fake quantizer that
    stands in several places has histograms for each; `begin` must be called before every batch.
    """

    def __init__(self, follows: Function | None = None) -> None:
        self.low, self.high = float("inf"), float("-inf")
        self.follows = follows
        self.counts: list[Tensor] = []  # [C, BINS] of each place
        self.place = 0

    def begin(self) -> None:
        self.place = 0

    def extremes(self, x: Tensor) -> None:
        """x: maps [B, C, H, W], or channels last."""
        low, high = x.aminmax()
        self.low = float(np.minimum(self.low, low.item()))  # unlike min, keeps what is no number
        self.high = float(np.maximum(self.high, high.item()))

    def count(self, x: Tensor) -> None:
        """x: as above, of the same batches in the same order."""
        x = x.movedim(1, -1) if x.ndim == 4 else x
        channels = x.shape[-1]
        width = max(self.high - self.low, 1e-12) / BINS
        bins = ((x.reshape(-1, channels).float() - self.low) / width).long().clamp_(0, BINS - 1)
        bins += BINS * torch.arange(channels, device=x.device)
        counts = bins.flatten().bincount(minlength=channels * BINS).view(channels, BINS).int()
        if self.place == len(self.counts):
            self.counts.append(counts)
        else:
            self.counts[self.place] += counts
        self.place += 1

    def range(self) -> Range:
        """The range with the least error."""
        if self.high <= self.low:
            return Range(min(self.low, 0.0), max(self.high, 0.0))
        width = (self.high - self.low) / BINS
        values = self.low + width * (torch.arange(BINS, dtype=torch.float64) + 0.5)
        exact = values if self.follows is None else self.follows(values)
        weight = sum(importance(counts.cpu().double(), exact) for counts in self.counts)
        assert isinstance(weight, Tensor)
        seen = weight > 0
        values, exact, weight = values[seen], exact[seen], weight[seen]
        best = min(
            (self._error(low, high, values, exact, weight), i, j, low, high)
            for i, low in enumerate(_ends(min(self.low, 0.0)))
            for j, high in enumerate(_ends(max(self.high, 0.0)))
        )
        return Range(*best[3:])

    def _error(
        self, low: float, high: float, values: Tensor, exact: Tensor, weight: Tensor
    ) -> float:
        step = (high - low) / (HIGH - LOW)
        if self.follows is None:  # bins may be wider than steps: inside, the expected error
            beyond = (values - values.clamp(low, high)).square()
            return float(weight @ torch.where(beyond > 0, beyond, step**2 / 12))
        rounded = ((values - low) / step).round().clamp(0, HIGH - LOW) * step + low
        return float(weight @ (self.follows(rounded) - exact).square())


def importance(counts: Tensor, values: Tensor) -> Tensor:
    """How much each bin counts [BINS]: its share of a channel's values over the channel's variance,
    summed over the channels.

    counts: [C, BINS]. values: [BINS], what the bins stand for.
    """
    share = counts / counts.sum(1, keepdim=True)
    mean = share @ values
    variance = (share * (values - mean[:, None]).square()).sum(1)
    variance = floored(variance)
    return (share / variance[:, None]).sum(0)


def floored(variance: Tensor) -> Tensor:
    """Variances of channels, raised so that channels that hardly vary do not decide."""
    return variance.clamp(min=MIN_VARIANCE * float(variance.mean()) + 1e-12)


def _ends(furthest: float) -> list[float]:
    """Candidates for one end of a range, from the furthest inwards, closer towards 0."""
    if not furthest:
        return [0.0]
    return [furthest * 50 ** (-i / (CANDIDATES - 1)) for i in range(CANDIDATES)]
