"""Ranges from photographs: post-training quantization.

Two passes over the same photos: the first finds the extremes of every point, the second counts how
often which values occur. The range kept is the one with the least squared error: values inside it
err by a step's rounding, those outside by their distance to it (as in TensorRT's and PyTorch's
histogram observers). Nothing is random.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model import DEIMv2
from model.errors import InputError
from model.images import load_photo, normalise, resize
from quantization.prepare import prepare, set_ranges
from quantization.rounding import HIGH, LOW, Range

BINS = 2048
CANDIDATES = 48  # positions tried for either end of a range
LEAST_PHOTOS = 8
IMAGE = "image"  # the rounder of the network's input


class Counter:
    """Extremes of what passes a rounder, then a histogram between them."""

    def __init__(self) -> None:
        self.low, self.high = float("inf"), float("-inf")
        self.counts: Tensor | None = None

    def extremes(self, x: Tensor) -> None:
        low, high = x.aminmax()
        self.low = float(np.minimum(self.low, low.item()))  # unlike min, keeps what is no number
        self.high = float(np.maximum(self.high, high.item()))

    def count(self, x: Tensor) -> None:
        counts = torch.histc(x.float(), BINS, self.low, self.high)
        self.counts = counts.double() if self.counts is None else self.counts + counts

    def range(self) -> Range:
        assert self.counts is not None
        return best_range(self.counts.cpu().numpy(), self.low, self.high)


def best_range(counts: npt.NDArray[np.float64], low: float, high: float) -> Range:
    """The range with the least squared error for a histogram between low and high."""
    if high <= low:
        return Range(min(low, 0.0), max(high, 0.0))
    width = (high - low) / len(counts)
    values = low + width * (np.arange(len(counts)) + 0.5)
    # sums up to each bin's start, from which the error beyond any limit follows
    sums = [np.concatenate([[0.0], np.cumsum(counts * values**k)]) for k in range(3)]
    lows, highs = _ends(min(low, 0.0)), _ends(max(high, 0.0))

    def beyond(limit: npt.NDArray[np.float64], above: bool) -> npt.NDArray[np.float64]:
        at = np.clip(((limit - low) / width).round().astype(int), 0, len(counts))
        zeroth, first, second = (total[-1] - total[at] if above else total[at] for total in sums)
        return np.maximum(second - 2 * limit * first + limit**2 * zeroth, 0)

    step = (highs[None] - lows[:, None]) / (HIGH - LOW)
    error = beyond(lows, False)[:, None] + beyond(highs, True)[None]
    error += counts.sum() * step**2 / 12
    i, j = np.unravel_index(int(error.argmin()), error.shape)
    return Range(float(lows[i]), float(highs[j]))


def _ends(furthest: float) -> npt.NDArray[np.float64]:
    """Candidates for one end of a range, from the furthest inwards, closer towards 0."""
    shares = np.geomspace(1.0, 0.02, CANDIDATES)
    return furthest * shares if furthest else np.zeros(1)


@dataclass(frozen=True)
class Calibration:
    """ranges: by the names of the rounders. photos: how many were seen. constant: the names of
    those through which one value alone passed, so that nothing is known of their range."""

    ranges: dict[str, Range]
    photos: int
    constant: tuple[str, ...]


@torch.no_grad()
def calibrate(net: DEIMv2, images: Callable[[], Iterable[Tensor]]) -> Calibration:
    """Prepares `net`, in place, with the ranges that its photos ask for.

    `images` gives the normalised photos [B, 3, H, W], each time the same. Raises InputError for
    less than LEAST_PHOTOS photos, or values that are no numbers.
    """
    rounders = prepare(net.eval())
    counters = [Counter() for _ in rounders]
    for watch in (Counter.extremes, Counter.count):
        for rounder, counter in zip(rounders, counters, strict=True):
            rounder.watch = watch.__get__(counter)
        photos = 0
        for batch in images():
            net(batch)
            photos += len(batch)
        if photos < LEAST_PHOTOS:
            raise InputError(
                f"{photos} photos to calibrate with, expected at least {LEAST_PHOTOS}; name a "
                "folder with more, a hundred or so that look like what the phone will see"
            )
        for rounder, counter in zip(rounders, counters, strict=True):
            if not np.isfinite([counter.low, counter.high]).all():
                raise InputError(
                    f"values at '{rounder.name}' reach from {counter.low} to {counter.high}, "
                    "expected numbers; check the weights"
                )
    ranges = {
        rounder.name: pixels(net) if rounder.name == IMAGE else counter.range()
        for rounder, counter in zip(rounders, counters, strict=True)
    }
    for rounder in rounders:
        rounder.watch = None
    set_ranges(net, rounders, ranges)
    constant = tuple(
        rounder.name
        for rounder, counter in zip(rounders, counters, strict=True)
        if counter.low == counter.high
    )
    return Calibration(ranges, photos, constant)


def pixels(net: DEIMv2) -> Range:
    """Of all that a normalised image can hold: 256 steps, as the image has."""
    ends = [
        (value - mean) / std
        for mean, std in zip(net.variant.mean, net.variant.std, strict=True)
        for value in (0, 1)
    ]
    return Range(min(ends), max(ends))


def photos_of(
    net: DEIMv2, paths: Sequence[Path], progress: Callable[[Sequence[Path]], Iterable[Path]] = iter
) -> Callable[[], Iterator[Tensor]]:
    """The photos at these paths as `net` sees them, one after the other.

    progress: passes the paths through, and shows where it stands.
    """
    mean, std = net.variant.mean, net.variant.std

    def images() -> Iterator[Tensor]:
        for path in progress(paths):
            frame = torch.from_numpy(resize(load_photo(path), net.image_size))
            yield normalise(frame.permute(2, 0, 1)[None].float() / 255, mean, std)

    return images
