"""What rounding shifts on average, biases take back: between layers, in whatever they do there."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from deimv2.quantization.fitting import in_float
from deimv2.quantization.prepare import fake_quantizers_of, prepare, set_ranges
from deimv2.quantization.rounding import (
    FakeQuantize,
    Range,
    RoundedConv,
    RoundedLinear,
    rounded_weight,
)
from deimv2.quantization.shifts import take_back_shifts
from deimv2.tests.quantization.nets import random_net

COARSE = Range(-128.0, 127.0)  # steps of 1


def quantizer(found: Range = COARSE) -> FakeQuantize:
    made = FakeQuantize("point")
    made.range = found
    return made


@torch.no_grad()
def on_steps(layer: RoundedConv | RoundedLinear) -> RoundedConv | RoundedLinear:
    """With weights that rounding leaves as they are."""
    layer.weight.copy_(rounded_weight(layer.weight))
    return layer


def convolution(groups: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return on_steps(RoundedConv(nn.Conv2d(8, 12, 3, groups=groups)))


def linear() -> nn.Module:
    torch.manual_seed(0)
    return on_steps(RoundedLinear(nn.Linear(8, 16)))


def maps() -> Tensor:
    """Of positive values unevenly within their steps."""
    torch.manual_seed(1)
    return 0.3 + torch.randn(4, 8, 64, 64).abs() * torch.linspace(0.05, 1.5, 8).view(8, 1, 1)


def tokens() -> Tensor:
    return maps().flatten(2).transpose(1, 2)


@torch.no_grad()
def mean_errors(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Of each output, over all positions: before biases take back what is shifted, and after."""
    with in_float(net):
        exact = net(x)

    def found() -> Tensor:
        error = net(x) - exact
        return error.mean((0, 2, 3)) if x.ndim == 4 else error.mean((0, 1))

    before = found()
    take_back(net, x)
    return before, found()


def take_back(net: nn.Module, x: Tensor) -> None:
    take_back_shifts(net, lambda: x.split(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layer", "given"),
    [
        pytest.param(convolution, maps, id="convolution"),
        pytest.param(lambda: convolution(groups=4), maps, id="grouped"),
        pytest.param(linear, tokens, id="linear"),
    ],
)
@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lambda: [quantizer()], id="fake quantizer"),
        pytest.param(lambda: [quantizer(), nn.SiLU(), quantizer()], id="activation"),
    ],
)
@torch.no_grad()
def test_outputs_have_the_mean_of_float(
    layer: Callable[[], nn.Module],
    given: Callable[[], Tensor],
    before: Callable[[], list[nn.Module]],
) -> None:
    net, x = nn.Sequential(*before(), layer()), given()
    before, after = mean_errors(net, x)
    edge = 0.25 if x.ndim == 4 else 0.001  # a kernel meets those at the edges of a map less often
    assert after.abs().mean() < edge * before.abs().mean()


class Sum(nn.Module):
    """Two values that round, whose sum rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.ModuleList([quantizer() for _ in range(3)])
        self.layer = linear()

    def forward(self, x: Tensor) -> Tensor:
        a, b, both = self.points
        return self.layer(both(a(x) + 0.3 * b(2 * x)))


@torch.no_grad()
def test_what_a_sum_passes_on_is_taken_back_too() -> None:
    net, x = Sum(), tokens()
    before, after = mean_errors(net, x)
    assert after.abs().amax() < 1e-3 * before.abs().mean()


@torch.no_grad()
def test_each_layer_takes_back_what_comes_from_behind_the_last_one() -> None:
    """Else the second would take back what the first has taken back already."""
    net, x = nn.Sequential(quantizer(), linear(), nn.Linear(16, 8)), tokens()
    second = net[2].bias.clone()
    take_back(net, x)
    assert torch.allclose(net[2].bias, second, atol=1e-6)


@torch.no_grad()
def test_what_is_cut_off_moves_no_mean() -> None:
    x = tokens()
    inside, beyond = (nn.Sequential(quantizer(found), linear()) for found in (COARSE, Range(-1, 1)))
    beyond[0].range = Range(0.0, 1.0)
    fine = beyond[0].range.scale
    start = beyond[1].bias.clone()
    take_back(beyond, x)  # nearly half lies beyond 1
    most = beyond[1].weight.abs().sum(1) * fine
    assert ((beyond[1].bias - start).abs() <= most).all()
    take_back(inside, x)
    assert inside[0].cuts and beyond[0].cuts


class Packed(nn.Module):
    """Two projections in one weight, of different inputs, as attention has them."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.ModuleList([quantizer(), quantizer(Range(-32.0, 31.75))])
        self.layer = linear()

    def forward(self, x: Tensor) -> Tensor:
        first, second = (point(x) for point in self.points)
        parts = self.layer(first, slice(0, 10)), self.layer(second, slice(10, 16))
        return torch.cat(parts, dim=-1)


@torch.no_grad()
def test_rows_of_a_packed_layer_have_shifts_of_their_own() -> None:
    net, x = Packed(), tokens()
    before, after = mean_errors(net, x)
    assert after.abs().amax() < 1e-3 * before.abs().mean()


class Beside(nn.Module):
    """Two layers in float, each behind a fake quantizer."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.ModuleList([quantizer(), quantizer()])
        self.encoder, self.decoder = nn.Conv2d(8, 4, 1), nn.Sequential(nn.Conv2d(4, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.points
        return self.decoder(second(self.encoder(first(x))))


@torch.no_grad()
def test_layers_in_float_take_back_too_but_not_the_decoders() -> None:
    torch.manual_seed(0)
    net, x = Beside(), maps()
    before = copy.deepcopy(net)
    take_back(net, x)
    assert torch.equal(net.decoder[0].bias, before.decoder[0].bias)
    error = net.encoder(quantizer()(x)) - before.encoder(x)
    assert error.mean((0, 2, 3)).abs().amax() < 1e-5


@torch.no_grad()
def test_of_a_detector_all_biases_but_the_decoders_move_and_nothing_stays_attached() -> None:
    net = random_net("atto", 160)
    set_ranges(net, {each.name: Range(-2.0, 2.0) for each in prepare(net)})
    before = {name: value.clone() for name, value in net.named_parameters()}
    torch.manual_seed(0)
    take_back(net, torch.rand(2, 3, 160, 160))
    moved = {name for name, value in net.named_parameters() if not value.equal(before[name])}
    assert moved and all(name.endswith(".bias") for name in moved)
    inside = [name for name, _ in net.named_parameters() if name.endswith(".conv.bias")]
    assert set(inside) - moved <= {"backbone.stem.stem1.conv.bias"}  # pixels pass unchanged
    assert not any(name.startswith("decoder.") for name in moved)
    assert not any(layer._forward_hooks for layer in net.modules())
    assert all(each.cuts and each.on for each in fake_quantizers_of(net))
