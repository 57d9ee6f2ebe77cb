"""How numbers become int8, and the layers that round as the artifacts will.

Activations: per tensor, asymmetric, -128 to 127. Weights: per output channel, symmetric, -127 to
127. Rounding is to the nearest, ties to even, as all three runtimes do it; gradients pass where a
value lies within its range. Steps are float16 numbers: Core ML's are, where it computes in float16,
and all formats have the same.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOW, HIGH = -128, 127
WEIGHT = 127
MIN_STEP = 2.0**-24  # the smallest float16 above 0
Images = Callable[[], Iterable[Tensor]]  # gives normalised photos [B, 3, H, W], always the same
MIN_WEIGHTS = 2048  # smaller ones are not worth their steps where weights alone are int8


class Range(NamedTuple):
    """The values from low to high, extended to include 0, in 256 steps."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """The size of a step."""
        width = max(self.high, 0.0) - min(self.low, 0.0)
        return max(float(np.float16(width / (HIGH - LOW))), MIN_STEP)

    @property
    def zero_point(self) -> int:
        """The integer that 0 becomes."""
        return int(np.clip(round(LOW - min(self.low, 0.0) / self.scale), LOW, HIGH))

    def uncut(self, x: Tensor) -> Tensor:
        """x rounded to the closest step; beyond the ends the steps go on in the same size."""
        return (x / self.scale).round() * self.scale

    def rounded(self, x: Tensor) -> Tensor:
        """x rounded to the closest of the 256 steps, in float."""
        return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, LOW, HIGH)


class FakeQuantize(nn.Module):
    """Rounds all that passes to one range. Without a range, or switched off, nothing happens.

    One may stand in several places: then they share the range, as int8 concatenation needs.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.range: Range | None = None
        self.on = True
        self.cuts = True  # else it has steps beyond the ends, too
        self.watch: Callable[[Tensor], None] | None = None  # sees what passes, before rounding

    def forward(self, x: Tensor) -> Tensor:
        if self.watch is not None:
            self.watch(x.detach())
        if self.range is None or not self.on:
            return x
        return self.range.rounded(x) if self.cuts else self.range.uncut(x)


@contextmanager
def switched(things: Iterable[Any], switch: str, to: bool) -> Iterator[None]:
    """Sets the attribute `switch` of all things to `to` within the block, then to the opposite."""
    things = list(things)
    for thing in things:
        setattr(thing, switch, to)
    try:
        yield
    finally:
        for thing in things:
            setattr(thing, switch, not to)


def is_rounded(net: nn.Module) -> bool:
    """Whether anything in it is prepared to round."""
    return any(isinstance(module, FakeQuantize) for module in net.modules())


def weight_scales(weight: Tensor) -> Tensor:
    """Steps [out] of a weight [out, ...]."""
    largest = weight.detach().flatten(1).abs().amax(1)
    return (largest / WEIGHT).half().float().clamp(min=MIN_STEP)


def rounded_weight(weight: Tensor) -> Tensor:
    """A weight [out, ...] rounded to the steps that `weight_scales` gives it, in float."""
    scales = weight_scales(weight)
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -WEIGHT, WEIGHT)


@torch.no_grad()
def round_weights(net: nn.Module) -> None:
    """Rounds large weights of layers that compute in float, in place, for files that store them as
    int8. Batch normalisation and affines must be folded in before (`prepare.fold`): later they
    would change the steps."""
    for layer in stored_as_int8(net):
        layer.weight.copy_(rounded_weight(layer.weight))


def stored_as_int8(net: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The layers with large weights that compute in float."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    return [layer for layer in layers if layer.weight.numel() >= MIN_WEIGHTS]


class RoundedConv(nn.Module):
    """A convolution with int8 weights; takes over its parameters."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.settings: dict[str, Any] = {
            name: getattr(conv, name) for name in ("stride", "padding", "dilation", "groups")
        }
        self.in_channels = conv.in_channels
        self.on = True

    def forward(self, x: Tensor) -> Tensor:
        weight = rounded_weight(self.weight) if self.on else self.weight
        return F.conv2d(x, weight, self.bias, **self.settings)


class RoundedLinear(nn.Module):
    """A linear layer, packed or not, with int8 weights; takes over its parameters."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.on = True

    def forward(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        weight = self.weight[rows]
        return F.linear(x, rounded_weight(weight) if self.on else weight, self.bias[rows])


class Clamp(nn.Module):
    """Limits a map from below (or above) at a constant: what is left of a ReLU and an affine.

    a * relu(x) + b is max(a * x + b, b) for a > 0 and min(a * x + b, b) for a < 0; the product and
    the sum are in the convolution's weight and bias then.
    """

    LIMIT = 3e38  # where there is none

    def __init__(self, value: float, below: bool) -> None:
        super().__init__()
        self.exact, self.value, self.below = value, value, below
        self.on = True  # else the exact constant limits

    def snap(self, step: float) -> None:
        """Move the constant to a multiple of the step that the map is rounded to, the closest one.

        Then it makes no difference whether a runtime limits before it rounds or after.
        """
        self.value = float(np.float32(round(self.exact / step) * step))

    def forward(self, x: Tensor) -> Tensor:
        value = self.value if self.on else self.exact
        far = min(self.LIMIT, torch.finfo(x.dtype).max)
        low, high = (value, far) if self.below else (-far, value)
        return F.hardtanh(x, low, high)  # XNNPACK fuses this one
