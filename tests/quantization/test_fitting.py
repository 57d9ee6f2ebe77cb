"""Weights that make up for their rounding: outputs come closer, steps stay."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from deimv2.quantization.fitting import (
    POSITIONS,
    Inputs,
    best_steps,
    best_weight,
    fit,
    fit_weights,
    in_float,
)
from deimv2.quantization.prepare import prepare, set_ranges
from deimv2.quantization.rounding import (
    FakeQuantize,
    Range,
    RoundedConv,
    RoundedLinear,
    rounded_weight,
    weight_scales,
)
from deimv2.tests.quantization.nets import maps_of, random_net


def conv(groups: int) -> RoundedConv:
    torch.manual_seed(0)
    return RoundedConv(nn.Conv2d(8, 12, 3, padding=1, stride=2, groups=groups))


def linear() -> RoundedLinear:
    torch.manual_seed(0)
    return RoundedLinear(nn.Linear(24, 16))


def maps() -> Tensor:
    """Correlated channels, as maps have, with means that are not 0."""
    torch.manual_seed(1)
    mixed = torch.einsum("bchw,dc->bdhw", torch.randn(4, 3, 20, 20), torch.randn(8, 3))
    return mixed + 0.3 * torch.randn(4, 8, 20, 20) + torch.linspace(-2, 2, 8).view(8, 1, 1)


def tokens() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(4, 50, 5) @ torch.randn(5, 24) + 0.3 * torch.randn(4, 50, 24)


LAYERS = pytest.mark.parametrize(
    ("layer", "given"),
    [
        pytest.param(conv(1), maps, id="convolution"),
        pytest.param(conv(4), maps, id="grouped"),
        pytest.param(linear(), tokens, id="linear"),
    ],
)


@torch.no_grad()
def in_float_of(layer: nn.Module, x: Tensor) -> Tensor:
    layer.on = False
    try:
        return layer(x)
    finally:
        layer.on = True


@LAYERS
@torch.no_grad()
def test_outputs_come_closer_than_with_the_nearest_steps(
    layer: nn.Module, given: Callable[[], Tensor]
) -> None:
    x, layer = given(), copy.deepcopy(layer)
    exact, nearest = in_float_of(layer, x), layer(x)
    seen = Inputs(layer)
    seen.see(x)
    assert seen.moments is not None
    layer.weight.copy_(best_weight(layer.weight, seen.moments))
    assert (layer(x) - exact).square().mean() < 0.8 * (nearest - exact).square().mean()


@LAYERS
@torch.no_grad()
def test_steps_stay_and_weights_lie_on_them(layer: nn.Module, given: Callable[[], Tensor]) -> None:
    seen = Inputs(layer)
    seen.see(given())
    assert seen.moments is not None
    found = best_weight(layer.weight, seen.moments)
    assert torch.equal(weight_scales(found), weight_scales(layer.weight))
    assert torch.allclose(rounded_weight(found), found, rtol=1e-6, atol=0)


def test_moments_are_those_of_what_meets_the_weight() -> None:
    layer, x = linear(), tokens()
    seen = Inputs(layer)
    for batch in x.split(1):
        seen.see(batch)
    rows = x.reshape(-1, 24).double()
    assert seen.moments is not None
    assert torch.allclose(seen.moments[0], rows.T @ rows, rtol=1e-4, atol=1e-2)


def test_of_many_positions_an_even_part_is_seen() -> None:
    layer, x = linear(), torch.full((1, 2 * POSITIONS, 24), 5.0)
    x[:, ::2] = 1.0
    seen = Inputs(layer)
    seen.see(x)
    assert seen.moments is not None and seen.moments[0, 0, 0] == POSITIONS


@torch.no_grad()
def test_a_network_gets_them() -> None:
    x, layer = tokens(), linear()
    net, nearest = nn.Sequential(layer), rounded_weight(layer.weight)
    exact = in_float_of(layer, x)
    fit(net, lambda: x.split(1))  # type: ignore[arg-type]
    plain = x @ nearest.T + layer.bias
    assert (net(x) - exact).square().mean() < 0.8 * (plain - exact).square().mean()


def test_inputs_that_are_always_0_are_no_error() -> None:
    rows = torch.tensor([[127.0, 3.4, -2.6]], dtype=torch.float64)
    assert best_steps(rows, torch.zeros(3, 3, dtype=torch.float64)).tolist() == [[127, 3, -3]]


def test_in_float_nothing_rounds_and_afterwards_all_does_again() -> None:
    net = random_net("atto", 160)
    prepared = copy.deepcopy(net)
    set_ranges(prepared, {each.name: Range(-2.0, 2.0) for each in prepare(prepared)})
    image = torch.rand(1, 3, 160, 160)
    before = maps_of(prepared, image)
    with in_float(prepared):
        inside = maps_of(prepared, image)
    for exact, a, b, c in zip(
        maps_of(net, image), inside, before, maps_of(prepared, image), strict=True
    ):
        assert (a - exact).abs().max() < 1e-4 * exact.abs().max()
        assert torch.equal(b, c) and not torch.allclose(a, b)
    assert all(m.on for m in prepared.modules() if isinstance(m, FakeQuantize))


@torch.no_grad()
def test_a_float_network_gets_weights_on_their_steps_where_it_is_dense() -> None:
    torch.manual_seed(0)
    dense, depthwise = nn.Conv2d(8, 16, 3), nn.Conv2d(16, 16, 3, groups=16)
    net = nn.Sequential(dense, nn.SiLU(), depthwise).eval()
    x, before = maps(), copy.deepcopy(net)
    fit_weights(net, lambda: x.split(1))
    steps = dense.weight / weight_scales(before[0].weight).view(-1, 1, 1, 1)
    assert torch.allclose(steps, steps.round(), atol=1e-4) and steps.abs().amax() <= 127
    assert torch.equal(weight_scales(dense.weight), weight_scales(before[0].weight))
    assert torch.equal(depthwise.weight, before[2].weight)
    nearest = copy.deepcopy(before)
    nearest[0].weight.copy_(rounded_weight(before[0].weight))
    exact = before[0](x)
    assert (net[0](x) - exact).square().mean() < 0.8 * (nearest[0](x) - exact).square().mean()
