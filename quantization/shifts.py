"""Biases that take back what rounding shifts on average.

Behind a ReLU or SiLU values lie unevenly within their steps, so rounding moves their mean, and sums
and activations pass that on. The bias of each layer takes back what comes from the rounding between
it and the layers before it, which give what they give in float. What is cut off at the ends of a
range is left out: few values, far away, and taking their mean back would move all others.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from deimv2.model import DEIMv2
from deimv2.quantization.fitting import in_float
from deimv2.quantization.prepare import fake_quantizers_of
from deimv2.quantization.rounding import (
    Images,
    RoundedConv,
    RoundedLinear,
    rounded_weight,
    switched,
)

Rows = tuple[int | None, int | None]  # of a packed layer, those that a call uses
ALL: Rows = None, None


class Shifts:
    """How rounding shifts the inputs of one layer on average, by the rows that meet them.

    A forward hook. While the network computes in float, it keeps the layer's inputs and outputs,
    call by call. While it rounds, it compares the inputs with those, and gives those outputs.
    """

    def __init__(self, layer: nn.Module) -> None:
        self.layer, self.replays = layer, False
        self.calls: list[tuple[Tensor, Tensor]] = []
        self.sums: dict[Rows, Tensor] = {}  # [channels]
        self.counts: dict[Rows, int] = {}

    def __call__(self, _: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        x = inputs[0].detach()
        if not self.replays:
            self.calls.append((x, output))
            return output
        exact, output = self.calls.pop(0)
        moved = x - exact
        moved = moved.movedim(1, -1) if is_convolution(self.layer) else moved
        moved = moved.reshape(-1, moved.shape[-1])
        rows = (inputs[1].start, inputs[1].stop) if len(inputs) > 1 else ALL
        self.sums[rows] = self.sums.get(rows, torch.zeros(())) + moved.sum(0).cpu().double()
        self.counts[rows] = self.counts.get(rows, 0) + len(moved)
        return output

    def take_back(self) -> None:
        """Corrects the bias of the layer, in place."""
        bias = self.layer.bias
        assert isinstance(bias, Tensor)
        for rows, total in self.sums.items():
            part = slice(*rows)
            bias[part] -= shifted(self.layer, total / self.counts[rows])[part]


@torch.no_grad()
def take_back_shifts(net: DEIMv2, images: Images) -> None:
    """Corrects the biases of a prepared network with ranges, in place, once its weights are those
    that will round; of the decoder only where it rounds."""
    shifts = [Shifts(layer) for layer in corrected(net)]
    quantizers = fake_quantizers_of(net)
    handles = [each.layer.register_forward_hook(each) for each in shifts]
    try:
        for image in images():
            with in_float(net):
                net(image)
            with switched(shifts, "replays", True), switched(quantizers, "cuts", False):
                net(image)
    finally:
        for handle in handles:
            handle.remove()
    for each in shifts:
        each.take_back()


def corrected(net: nn.Module) -> Iterator[nn.Module]:
    """The layers whose bias is corrected: all with one, but in the decoder only int8 layers."""
    for name, layer in net.named_modules():
        in_int8 = isinstance(layer, RoundedConv | RoundedLinear)
        beside = isinstance(layer, nn.Conv2d | nn.Linear) and not name.startswith("decoder.")
        if (in_int8 or beside) and layer.bias is not None:
            yield layer


def is_convolution(layer: nn.Module) -> bool:
    return isinstance(layer, RoundedConv | nn.Conv2d)


def shifted(layer: nn.Module, shift: Tensor) -> Tensor:
    """By how much a layer's output [out] shifts if its input shifts by `shift` [channels]."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    rounds = isinstance(layer, RoundedConv | RoundedLinear)
    taps = (rounded_weight(weight) if rounds else weight).detach().cpu().double()
    if is_convolution(layer):
        groups = len(shift) // weight.shape[1]
        taps = taps.sum((2, 3)).view(groups, len(weight) // groups, -1)
        return (taps @ shift.view(groups, -1, 1)).flatten().to(weight)
    return (taps @ shift).to(weight)
