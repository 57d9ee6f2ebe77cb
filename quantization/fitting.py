"""Weights that make up for their rounding, layer by layer, without labels or gradients.

Each weight rounds to one of its two neighbours, not to the closest: which one is chosen so that a
layer's outputs on the photos change least (GPTQ, arXiv 2210.17323).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.model import DEIMv2
from deimv2.quantization.rounding import (
    WEIGHT,
    Clamp,
    FakeQuantize,
    Images,
    RoundedConv,
    RoundedLinear,
    stored_as_int8,
    switched,
    weight_scales,
)

DAMPING = 1e-2  # of the mean square of the inputs
POSITIONS = 400  # of a photo that a layer's statistics see, evenly chosen
Layer = RoundedConv | RoundedLinear


class Inputs:
    """Second moments of what enters one layer."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.groups = layer.settings["groups"] if isinstance(layer, RoundedConv) else 1
        self.moments: Tensor | None = None  # [groups, D, D], D inputs of one output

    def see(self, x: Tensor) -> None:
        """x: maps [B, C, H, W] of a convolution, else channels last."""
        for image in x.detach().float().split(1):
            columns = self._columns(image)
            moments = (columns.transpose(1, 2) @ columns).cpu().double()
            self.moments = moments if self.moments is None else self.moments + moments

    def _columns(self, image: Tensor) -> Tensor:
        """What meets the weight [groups, positions, D], at POSITIONS positions at most."""
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
    """Gives the layers of a prepared network their best weights, those too that compute in float
    with weights that files store as int8."""
    layers: dict[Any, Layer] = {m: m for m in net.modules() if isinstance(m, Layer)}
    layers |= {layer: as_rounding(layer) for layer in stored_as_int8(net)}
    with in_float(net):
        fit_layers(net, {layer: Inputs(rounds) for layer, rounds in layers.items()}, images)


def as_rounding(layer: nn.Conv2d | nn.Linear) -> Layer:
    """A layer with the same weights that rounds."""
    return RoundedConv(layer) if isinstance(layer, nn.Conv2d) else RoundedLinear(layer)


@torch.no_grad()
def fit_weights(net: nn.Module, images: Images) -> None:
    """Gives the dense convolutions of a float network their best weights on the steps of int8, in
    place, for files that round weights alone to int8. Batch normalisation must be folded in."""
    inputs = {
        conv: Inputs(as_rounding(conv))
        for conv in net.modules()
        if isinstance(conv, nn.Conv2d) and conv.groups == 1
    }
    fit_layers(net, inputs, images)


def fit_layers(net: nn.Module, layers: Mapping[Any, Inputs], images: Images) -> None:
    """Runs on the photos, shows each layer's `Inputs` what enters it, and gives it its weight."""
    handles = [
        layer.register_forward_pre_hook(partial(_show, seen)) for layer, seen in layers.items()
    ]
    try:
        for batch in images():
            net(batch)
    finally:
        for handle in handles:
            handle.remove()
    for layer, seen in layers.items():
        if seen.moments is not None:  # else a head that only training uses
            layer.weight.copy_(best_weight(layer.weight, seen.moments))


def _show(seen: Inputs, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    seen.see(inputs[0])


def in_float(net: nn.Module) -> AbstractContextManager[None]:
    """Within the block, nothing in a prepared network rounds."""
    kinds = (RoundedConv, RoundedLinear, FakeQuantize, Clamp)
    return switched((module for module in net.modules() if isinstance(module, kinds)), "on", False)


def best_weight(weight: Tensor, moments: Tensor) -> Tensor:
    """The weight [out, ...] on the steps that `weight_scales` gives it, for inputs with these
    second moments [groups, D, D]. Its steps stay as they are: some weight of each row still
    reaches the last one."""
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
