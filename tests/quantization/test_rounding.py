"""Rounding to int8: the arithmetic that the artifacts do."""

import numpy as np
import pytest
import torch
from torch import nn

from deimv2.quantization.rounding import (
    Clamp,
    FakeQuantize,
    Range,
    RoundedConv,
    RoundedLinear,
    rounded_weight,
    weight_scales,
)


@pytest.mark.parametrize(
    ("low", "high", "zero_point"),
    [(0.0, 1.0, -128), (-1.28, 1.27, 0), (-1.0, 0.0, 127), (0.5, 1.0, -128), (-3.0, -1.0, 127)],
)
def test_zero_is_always_represented_exactly(low: float, high: float, zero_point: int) -> None:
    found = Range(low, high)
    assert found.zero_point == zero_point
    assert found.scale == np.float32(found.scale)
    quantizer = FakeQuantize("here")
    quantizer.range = found
    assert quantizer(torch.zeros(1)).item() == 0


def test_every_pixel_value_has_a_step_of_its_own() -> None:
    quantizer = FakeQuantize("image")
    quantizer.range = Range(0.0, 1.0)
    pixels = torch.arange(256) / 255
    assert torch.equal((quantizer(pixels) / quantizer.range.scale).round(), torch.arange(256.0))
    assert torch.allclose(quantizer(pixels), pixels, rtol=2**-11, atol=0)


def test_steps_are_float16_numbers() -> None:
    weight = torch.randn(50, 8) * 10.0 ** torch.arange(-12, 38).clamp(max=6)[:, None]
    steps = weight_scales(weight)
    assert torch.equal(steps, steps.half().float()) and (steps > 0).all()
    for width in (1e-12, 0.3, 7.7, 1e5):
        step = Range(0.0, width).scale
        assert step == float(np.float16(step)) and step > 0


def test_values_are_rounded_to_the_nearest_step_and_cut_off_outside() -> None:
    quantizer = FakeQuantize("here")
    quantizer.range = Range(-1.28, 1.27)
    x = torch.tensor([-5.0, -1.281, 0.012, 0.016, 1.0, 5.0])
    expected = torch.tensor([-1.28, -1.28, 0.01, 0.02, 1.0, 1.27])
    assert torch.allclose(quantizer(x), expected, rtol=2**-11, atol=0)


def test_gradients_pass_within_the_range_alone() -> None:
    quantizer = FakeQuantize("here")
    quantizer.range = Range(-1.0, 1.0)
    x = torch.tensor([-2.0, -0.5, 0.5, 2.0], requires_grad=True)
    quantizer(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, 1, 1, 0]


def test_without_a_range_or_switched_off_nothing_happens() -> None:
    x, quantizer = torch.randn(5), FakeQuantize("here")
    assert quantizer(x) is x
    quantizer.range, quantizer.on = Range(-0.1, 0.1), False
    assert quantizer(x) is x


def test_weights_have_a_step_per_output_channel() -> None:
    weight = torch.tensor([[1.27, -0.5], [-12.7, 0.07]])
    near = {"rtol": 2**-11, "atol": 0.0}  # of a float16
    assert torch.allclose(weight_scales(weight), torch.tensor([0.01, 0.1]), **near)
    expected = torch.tensor([[1.27, -0.5], [-12.7, 0.1]])
    assert torch.allclose(rounded_weight(weight), expected, **near)


def test_a_channel_of_zeros_stays_zero() -> None:
    assert rounded_weight(torch.zeros(2, 3)).abs().max() == 0


@pytest.mark.parametrize("kind", ["conv", "linear"])
def test_layers_keep_their_parameters_and_round_them(kind: str) -> None:
    torch.manual_seed(0)
    if kind == "conv":
        plain: nn.Module = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
        layer: nn.Module = RoundedConv(plain)
        x = torch.randn(1, 4, 9, 9)
    else:
        plain = nn.Linear(4, 6)
        layer, x = RoundedLinear(plain), torch.randn(2, 4)
    assert layer.weight is plain.weight and layer.bias is plain.bias
    difference = (layer(x) - plain(x)).abs().max()
    assert 0 < difference < 0.05
    layer.on = False
    assert torch.equal(layer(x), plain(x))


@pytest.mark.parametrize(("gain", "shift"), [(1.5, -0.2), (0.7, 0.3), (-1.2, 0.4), (-0.5, -0.1)])
def test_a_bound_is_what_is_left_of_relu_and_affine(gain: float, shift: float) -> None:
    x = torch.randn(100)
    bound = Clamp(shift, below=gain >= 0)
    assert torch.allclose(bound(gain * x + shift), gain * x.relu() + shift, atol=1e-6)
    half = bound(x.half())
    assert half.dtype == torch.float16 and half.isfinite().all()
    assert torch.equal(half.float(), bound(x.half().float()).half().float())


def test_a_bound_is_a_step_while_it_rounds() -> None:
    bound = Clamp(0.34, below=True)
    bound.snap(0.1)
    low = torch.full((3,), -1.0)
    assert bound(low).tolist() == pytest.approx([0.3] * 3, abs=1e-6)
    bound.on = False
    assert bound(low).tolist() == pytest.approx([0.34] * 3, abs=1e-6)
