"""What the converters share."""

import copy

import torch
from torch import Tensor, nn

from deimv2.converters.graph import Target, mobile_form
from deimv2.converters.graph.int8 import int8_form
from deimv2.model import DEIMv2
from deimv2.model.errors import CheckError
from deimv2.quantization.rounding import is_rounded


def prepare(net: DEIMv2, target: Target) -> tuple[nn.Module, Tensor]:
    """The mobile form of a copy of `net`, and a frame to trace it with.

    Where `net` rounds to int8, the form says so in operations (`deimv2.converters.graph.int8`).
    """
    form = mobile_form(copy.deepcopy(net), target)
    height, width = net.image_size
    frame = torch.zeros(1, 3, height, width)
    if target.frame:
        frame = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    if is_rounded(form):
        return int8_form(form, frame, target.folded, target.half), frame
    return form, frame


def expect(what: str, found: object, expected: object) -> None:
    """Raise CheckError unless what was read back from an artifact is what was meant to be in it."""
    if found != expected:
        raise CheckError(f"{what} is {found}, expected {expected}")
