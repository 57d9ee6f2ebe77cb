"""Ranges from photographs: post-training quantization.

Two passes over the same photos: the first finds the extremes of every point, the second counts how
often which values occur. The range kept is the one with the least squared error: values inside it
err by a step's rounding, those outside by their distance to it (as in TensorRT's and PyTorch's
histogram observers). Nothing is random.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model import DEIMv2
from model.errors import InputError
from model.images import load_photo, normalise, resize
from quantization.prepare import Chosen, prepare, rounders_of, set_ranges
from quantization.recipe import in_int8
from quantization.rounding import HIGH, LOW, Bound, Range, Rounder

BINS = 2048
CANDIDATES = 48  # positions tried for either end of a range
LEAST_PHOTOS = 8
IMAGE = "image"  # the rounder of the network's input
Images = Callable[[], Iterable[Tensor]]


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


def calibrate(net: DEIMv2, images: Images, chosen: Chosen = in_int8) -> Calibration:
    """Prepares `net`, in place, with the ranges that its photos ask for.

    chosen: as in `prepare`. `images` gives the normalised photos [B, 3, H, W], each time the same.
    Raises InputError for less than LEAST_PHOTOS photos, or values that are no numbers.
    """
    prepare(net.eval(), chosen)
    found = observe(net, images)
    set_ranges(net, found.ranges)
    return found


def observe(net: DEIMv2, images: Images) -> Calibration:
    """The ranges that a prepared network asks for, as in `calibrate`; its own stay as they are.

    Meanwhile weights round, activations do not.
    """
    counters = {rounder.name: Counter() for rounder in rounders_of(net)}
    photos = 0
    for look in (Counter.extremes, Counter.count):
        watches = {name: partial(look, counter) for name, counter in counters.items()}
        photos = show(net, images, watches)
        if photos < LEAST_PHOTOS:
            raise InputError(
                f"{photos} photos to calibrate with, expected at least {LEAST_PHOTOS}; name a "
                "folder with more, a hundred or so that look like what the phone will see"
            )
        for name, counter in counters.items():
            if not np.isfinite([counter.low, counter.high]).all():
                raise InputError(
                    f"values at '{name}' reach from {counter.low} to {counter.high}, expected "
                    "numbers; check the weights"
                )
    ranges = {name: counter.range() for name, counter in counters.items()}
    constant = tuple(name for name, counter in counters.items() if counter.low == counter.high)
    return Calibration(ranges | {IMAGE: pixels(net)}, photos, constant)


@torch.no_grad()
def show(net: DEIMv2, images: Images, watches: Mapping[str, Callable[[Tensor], None]]) -> int:
    """Runs on the photos, and shows what reaches each rounder, which lets it pass, to the watch of
    its name. Gives how many photos there were."""
    rounding = [module for module in net.modules() if isinstance(module, Rounder | Bound)]
    for module in rounding:
        module.on = False
        if isinstance(module, Rounder):
            module.watch = watches[module.name]
    photos = 0
    try:
        for batch in images():
            net(batch)
            photos += len(batch)
    finally:
        for module in rounding:
            module.on = True
            if isinstance(module, Rounder):
                module.watch = None
    return photos


def pixels(net: DEIMv2) -> Range:
    """Of all that a normalised image can hold: 256 steps, as the image has."""
    ends = [
        (value - mean) / std
        for mean, std in zip(net.variant.mean, net.variant.std, strict=True)
        for value in (0, 1)
    ]
    return Range(min(ends), max(ends))


def photos_of(
    net: DEIMv2,
    paths: Sequence[Path],
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
    unreadable: Callable[[str], None] | None = None,
) -> Images:
    """The photos at these paths as `net` sees them, one after the other.

    progress: passes the paths through, and shows where it stands. unreadable: told of a photo that
    is left out; without it, InputError is raised.
    """
    mean, std = net.variant.mean, net.variant.std
    device = next(net.parameters()).device

    def images() -> Iterator[Tensor]:
        for path in progress(paths):
            try:
                frame = torch.from_numpy(resize(load_photo(path), net.image_size)).to(device)
            except InputError as error:
                if unreadable is None:
                    raise
                unreadable(str(error))
                continue
            yield normalise(frame.permute(2, 0, 1)[None].float() / 255, mean, std)

    return images
