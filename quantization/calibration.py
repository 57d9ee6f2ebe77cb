"""Ranges, and weights that fit them, from photographs: post-training quantization.

Four passes over the same photos. The first finds the extremes of every point, the second counts
how often which values occur in each channel: the ranges follow (see `histogram`). The third sees
what enters every layer: its weight follows (see `fitting`). The fourth sees what rounding shifts on
average: biases take it back (see `shifts`). Nothing is random.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from deimv2.model import DEIMv2
from deimv2.model.errors import InputError
from deimv2.model.images import load_photo, normalise, resize, to_tensor
from deimv2.model.layers import MLP, ConvNorm, RepVGG
from deimv2.quantization.fitting import fit
from deimv2.quantization.histogram import Histogram
from deimv2.quantization.prepare import Chosen, fake_quantizers_of, prepare, set_ranges
from deimv2.quantization.recipe import in_int8
from deimv2.quantization.rounding import Clamp, FakeQuantize, Images, Range
from deimv2.quantization.shifts import take_back_shifts

MIN_PHOTOS = 8
IMAGE = "image"  # the fake quantizer of the network's input


@dataclass(frozen=True)
class Calibration:
    """ranges: by the names of the fake quantizers. photos: how many were seen. constant: the names
    of those through which one value alone passed, so that nothing is known of their range.
    float_blocks: what stays in float of what the recipe has in int8."""

    ranges: dict[str, Range]
    photos: int
    constant: tuple[str, ...]
    float_blocks: tuple[str, ...] = ()


def calibrate(net: DEIMv2, images: Images, chosen: Chosen = in_int8) -> Calibration:
    """Prepares `net`, in place, with the ranges that its photos ask for, and weights that fit.

    chosen: as in `prepare`. `images` gives the normalised photos [B, 3, H, W], each time the same.
    Raises InputError for fewer than MIN_PHOTOS photos, or values that are no numbers.
    """
    prepare(net.eval(), chosen)
    found = observe(net, images)
    set_ranges(net, found.ranges)
    fit(net, images)
    take_back_shifts(net, images)
    return found


def observe(net: DEIMv2, images: Images) -> Calibration:
    """The ranges that a prepared network asks for, as in `calibrate`; its own stay as they are.

    Meanwhile weights round, activations do not.
    """
    follows = smooth(net)
    found = {each.name: Histogram(follows.get(each.name)) for each in fake_quantizers_of(net)}

    def each_batch() -> Iterator[Tensor]:
        for batch in images():
            for histogram in found.values():
                histogram.begin()
            yield batch

    photos = 0
    for look in (Histogram.extremes, Histogram.count):
        watches = {name: partial(look, histogram) for name, histogram in found.items()}
        photos = show(net, each_batch, watches)
        if photos < MIN_PHOTOS:
            raise InputError(
                f"{photos} photos to calibrate with, expected at least {MIN_PHOTOS}; name a "
                "folder with more, a hundred or so that look like what the phone will see"
            )
        for name, histogram in found.items():
            if not np.isfinite([histogram.low, histogram.high]).all():
                raise InputError(
                    f"values at '{name}' reach from {histogram.low} to {histogram.high}, expected "
                    "numbers; check the weights"
                )
    constant = tuple(name for name, each in found.items() if each.low == each.high)
    ranges = {name: pixels(net) if name == IMAGE else each.range() for name, each in found.items()}
    return Calibration(ranges, photos, constant)


def smooth(net: DEIMv2) -> dict[str, nn.Module]:
    """By the name of a fake quantizer, the activation that its values enter next."""
    found: dict[str, nn.Module] = {}
    for block in net.modules():
        points: list[nn.Module] = []
        if isinstance(block, ConvNorm):
            points, act = [block.raw], block.act
        elif isinstance(block, RepVGG):
            points, act = [block.conv1.out], block.act
        elif isinstance(block, MLP):
            points, act = list(block.after[:-1]), nn.SiLU()
        found |= {point.name: act for point in points if isinstance(point, FakeQuantize)}
    return found


@torch.no_grad()
def show(net: DEIMv2, images: Images, watches: Mapping[str, Callable[[Tensor], None]]) -> int:
    """Runs the net on the photos without rounding activations, and shows what reaches each fake
    quantizer to the watch of its name. Gives the number of photos."""
    rounding = [module for module in net.modules() if isinstance(module, FakeQuantize | Clamp)]
    for module in rounding:
        module.on = False
        if isinstance(module, FakeQuantize):
            module.watch = watches[module.name]
    photos = 0
    try:
        for batch in images():
            net(batch)
            photos += len(batch)
    finally:
        for module in rounding:
            module.on = True
            if isinstance(module, FakeQuantize):
                module.watch = None
    return photos


def pixels(net: DEIMv2) -> Range:
    """The range of a normalised image: its 256 steps are those of the image's bytes."""
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
        for frame in frames_of(net.image_size, progress(paths), unreadable):
            yield normalise(to_tensor(frame).to(device), mean, std)

    return images


def frames_of(
    size: tuple[int, int],
    paths: Iterable[Path],
    unreadable: Callable[[str], None] | None = None,
) -> Iterator[npt.NDArray[np.uint8]]:
    """The photos as frames of (H, W), uint8 [H, W, 3]. unreadable: as for `photos_of`."""
    for path in paths:
        try:
            yield resize(load_photo(path), size)
        except InputError as error:
            if unreadable is None:
                raise
            unreadable(str(error))
