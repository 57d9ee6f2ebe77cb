"""Whether the int8 steps (scales) in a file are what they must be.

Some a file states twice: an int8 layer adds its int32 bias to products of input and weight, so in
`.tflite` and `.pte` the bias's step is the product of theirs. In `.tflite`, what only moves values
keeps their step; in `.mlpackage` a value is quantized and dequantized by the same one. A scale
changed in one place contradicts the other. A weight's in `.mlpackage` stands in one place alone:
where the network is at hand, the steps of all weights are compared with its own.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from deimv2.converters.artifact import scales_of
from deimv2.converters.inspection import Scales, Twice, Weight
from deimv2.quantization.rounding import RoundedConv, RoundedLinear, weight_scales

NEAR = 0.01  # `.pte` is read by way of JSON, with six decimals


def contradiction(path: Path) -> str | None:
    """One sentence on the steps that contradict each other most, None where none do.

    Raises InputError for a file that cannot be read.
    """
    found = [(each.name, _ratio(each)) for each in scales_of(path) if isinstance(each, Twice)]
    wrong = [(name, ratio) for name, ratio in found if abs(np.log(ratio)) > NEAR]
    if not wrong:
        return None
    name, ratio = max(wrong, key=lambda each: abs(np.log(each[1])))
    return (
        f"{len(wrong)} of {len(found)} int8 scales contradict what they follow from, most of all "
        f"'{name[-60:]}' by a factor of {ratio:.4g}, expected 1: its scale, or that of its weight "
        "or input, was changed after the conversion; export again"
    )


def expected_steps(net: nn.Module) -> list[Scales]:
    """Of the weights of a network that rounds, by output channel; packed ones in parts too.

    Those of layers that compute in float are stored as int8 where they are large, and where their
    input happens to be int8, such a layer looks like one that computes in it.
    """
    found = [np.full(1, np.float16(1 / 9 / 127), np.float64)]  # average pooling, as a convolution
    for layer in net.modules():
        if isinstance(layer, RoundedConv | RoundedLinear | nn.Conv2d | nn.Linear):
            scales = weight_scales(layer.weight).double()
            found += [each.numpy() for each in (scales, *scales.chunk(3))]
    return found


def foreign_steps(path: Path, expected: Sequence[Scales]) -> str | None:
    """One sentence on the weight whose steps are least like those of any expected one.

    None where each is like one of them. Raises InputError for a file that cannot be read.
    """
    found = [each for each in scales_of(path) if isinstance(each, Weight)]
    factors = [(_nearest(each.steps, expected), each.name) for each in found]
    wrong = [each for each in factors if each[0] > NEAR]
    if not wrong:
        return None
    factor, name = max(wrong)
    return (
        f"{len(wrong)} of {len(found)} int8 weights have other steps than the checkpoint's, most "
        f"of all '{name[-60:]}', in a channel by a factor of {np.exp(factor):.4g}: its scale was "
        "changed by the conversion; convert again"
    )


def _nearest(steps: Scales, expected: Sequence[Scales]) -> float:
    """How far steps are from the expected ones that are nearest: the logarithm of the largest ratio
    of any channel."""
    alike = (each for each in expected if len(each) in (1, len(steps)))
    return min((float(np.abs(np.log(steps / each)).max()) for each in alike), default=np.inf)


def _ratio(each: Twice) -> float:
    """Stated over expected step, of the channel where this is farthest from 1."""
    ratios = each.stated / each.follows
    return float(ratios[np.abs(np.log(ratios)).argmax()])
