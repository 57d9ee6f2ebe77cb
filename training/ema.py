"""Moving average of the weights, which is what is evaluated and kept."""

import math
from copy import deepcopy

import torch

from deimv2.model import DEIMv2
from deimv2.training.recipes import Ema


class MovingAverage:
    """The decay rises as decay x (1 - exp(-updates / warmup_steps))."""

    def __init__(self, net: DEIMv2, c: Ema) -> None:
        self.net = deepcopy(net).eval().requires_grad_(False)
        self.decay, self.warmup_steps = c.decay, c.warmup_steps
        self.updates = 0

    @torch.no_grad()
    def update(self, net: DEIMv2) -> None:
        """Moves parameters and running statistics towards the net's; counters are copied."""
        self.updates += 1
        decay = self.decay * (1 - math.exp(-self.updates / self.warmup_steps))
        ours, theirs = [], []
        for average, current in zip(_tensors(self.net), _tensors(net), strict=True):
            if average.is_floating_point():
                ours.append(average)
                theirs.append(current)
            else:
                average.copy_(current)
        torch._foreach_lerp_(ours, theirs, 1 - decay)


def _tensors(net: DEIMv2) -> list[torch.Tensor]:
    return [*net.parameters(), *net.buffers()]
