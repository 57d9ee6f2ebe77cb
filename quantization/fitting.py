"""Weights and biases that make up for rounding, layer by layer, without labels or gradients.

Each weight rounds to one of its two neighbours, not to the closest: which one is chosen so that a
layer's outputs on the photos change least (GPTQ, arXiv 2210.17323). Then its bias takes back what
the rounding of its inputs shifts on average. What is cut off at the ends of a range is left out of
that: few values, far away, and taking their mean back would move all others.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.model import DEIMv2
from deimv2.quantization.rounding import (
    WEIGHT,
    Clamp,
    FakeQuantize,
    Images,
    Range,
    RoundedConv,
    RoundedLinear,
    rounded_weight,
    weight_scales,
)

DAMPING = 1e-2  # of the mean square of the inputs
POSITIONS = 400  # of a photo that a layer's statistics see, evenly chosen
Layer = RoundedConv | RoundedLinear


class Inputs:
    """What enters one layer, in float: second moments, and what rounding shifts on average."""

    def __init__(self, layer: Layer, before: Range | None) -> None:
        self.layer, self.before = layer, before
        self.groups = layer.settings["groups"] if isinstance(layer, RoundedConv) else 1
        self.moments: Tensor | None = None  # [groups, D, D], D inputs of one output
        self.shift = torch.zeros(())  # [channels], sums
        self.seen = 0

    def see(self, x: Tensor) -> None:
        """x: maps [B, C, H, W] of a convolution, else channels last."""
        for image in x.detach().float().split(1):
            columns = self._columns(image)
            moments = (columns.transpose(1, 2) @ columns).cpu().double()
            self.moments = moments if self.moments is None else self.moments + moments
        if self.before is not None:
            low, high = self.before.ends
            error = self.before.rounded(x.detach()) - x.detach().clamp(low, high)
            error = error.movedim(1, -1) if isinstance(self.layer, RoundedConv) else error
            error = error.reshape(-1, error.shape[-1])
            self.shift = self.shift + error.sum(0).cpu().double()
            self.seen += len(error)

    def _columns(self, image: Tensor) -> Tensor:
        """All that meets a weight [groups, positions, D]."""
        if isinstance(self.layer, RoundedLinear):
            columns = image.reshape(1, -1, image.shape[-1])
        else:
            at = {k: self.layer.settings[k] for k in ("dilation", "padding", "stride")}
            parts = F.unfold(image, self.layer.weight.shape[2:], **at)[0]  # [C * kernel, positions]
            columns = parts.view(self.groups, -1, parts.shape[-1]).transpose(1, 2)
        count = columns.shape[1]
        if count <= POSITIONS:
            return columns
        return columns[:, torch.arange(POSITIONS, device=columns.device) * count // POSITIONS]


@torch.no_grad()
def fit(net: DEIMv2, images: Images) -> None:
    """Gives the int8 layers of a prepared network with ranges their best weights and biases."""
    ranges = {m.name: m.range for m in net.modules() if isinstance(m, FakeQuantize)}
    inputs: dict[Layer, Inputs] = {}
    for layer in net.modules():
        if isinstance(layer, RoundedConv | RoundedLinear):
            alone = len(layer.inputs) == 1  # else it is not known which rounding meets what
            inputs[layer] = Inputs(layer, ranges[layer.inputs[0]] if alone else None)
    with in_float(net):
        show_inputs(net, inputs.items(), images)
    for layer, seen in inputs.items():
        if seen.moments is None:  # a head that only training uses
            continue
        layer.weight.copy_(best_weight(layer.weight, seen.moments))
        if seen.seen and layer.bias is not None:
            layer.bias.sub_(shifted(layer, seen.shift / seen.seen))


@torch.no_grad()
def fit_weights(net: nn.Module, images: Images) -> None:
    """Gives the dense convolutions of a float network their best weights on the steps of int8, in
    place, for files that round weights alone to int8. Batch normalisation must be folded in."""
    inputs = {
        conv: Inputs(RoundedConv(conv), None)
        for conv in net.modules()
        if isinstance(conv, nn.Conv2d) and conv.groups == 1
    }
    show_inputs(net, inputs.items(), images)
    for conv, seen in inputs.items():
        if seen.moments is not None:
            conv.weight.copy_(best_weight(conv.weight, seen.moments))


def show_inputs(net: nn.Module, layers: Iterable[tuple[nn.Module, Inputs]], images: Images) -> None:
    """Runs on the photos; each layer's `Inputs` see what enters it."""
    handles = [layer.register_forward_pre_hook(partial(_show, seen)) for layer, seen in layers]
    try:
        for batch in images():
            net(batch)
    finally:
        for handle in handles:
            handle.remove()


def _show(seen: Inputs, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    seen.see(inputs[0])


@contextmanager
def in_float(net: DEIMv2) -> Iterator[None]:
    """Nothing rounds."""
    kinds = (RoundedConv, RoundedLinear, FakeQuantize, Clamp)
    rounding = [module for module in net.modules() if isinstance(module, kinds)]
    for module in rounding:
        module.on = False
    try:
        yield
    finally:
        for module in rounding:
            module.on = True


def best_weight(weight: Tensor, moments: Tensor) -> Tensor:
    """The weight [out, ...] on the steps that `weight_scales` gives it, for inputs with these
    second moments [groups, D, D]. Its own steps stay the same: each row reaches its end still."""
    groups = len(moments)
    rows = weight.detach().cpu().double().reshape(groups, len(weight) // groups, -1)
    scales = weight_scales(weight).cpu().double().view(groups, -1, 1)
    steps = torch.stack([best_steps(*each) for each in zip(rows / scales, moments, strict=True)])
    return (steps * scales).reshape(weight.shape).to(weight)


def best_steps(rows: Tensor, moments: Tensor) -> Tensor:
    """Integers [rows, D] for weights in units of their steps: GPTQ, the strongest inputs first."""
    strength = moments.diagonal()
    damping = DAMPING * strength.mean() + 1e-12
    moments = moments + torch.eye(len(moments), dtype=moments.dtype) * damping
    order = strength.argsort(descending=True, stable=True)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moments[order][:, order]))
    spread = torch.linalg.cholesky(inverse, upper=True)
    left, steps = rows[:, order], torch.empty_like(rows)
    for i in range(len(order)):
        steps[:, i] = left[:, i].round().clamp(-WEIGHT, WEIGHT)
        error = (left[:, i] - steps[:, i]) / spread[i, i]
        left[:, i + 1 :] -= error[:, None] * spread[i, i + 1 :]
    steps = steps[:, order.argsort()]
    furthest = rows.abs().argmax(1, keepdim=True)
    ends = torch.where(steps.abs().amax(1, keepdim=True) < WEIGHT, WEIGHT, 0)
    ends = ends * rows.gather(1, furthest).sign()
    return torch.where(ends != 0, steps.scatter(1, furthest, ends.to(steps)), steps)


def shifted(layer: Layer, shift: Tensor) -> Tensor:
    """What a layer's output [out] becomes more if its input becomes more by `shift` [channels]."""
    weight = rounded_weight(layer.weight).cpu().double()
    if isinstance(layer, RoundedLinear):
        return (weight @ shift).to(layer.weight)
    groups = layer.settings["groups"]
    taps = weight.sum((2, 3)).view(groups, len(weight) // groups, -1)
    return (taps @ shift.view(groups, -1, 1)).flatten().to(layer.weight)
