"""Which steps values get: few outliers, few channels and dead zones do not decide."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deimv2.quantization.histogram import Function, Histogram
from deimv2.quantization.rounding import LOW, Range

pytestmark = pytest.mark.usefixtures("all_candidates")


def found_for(*batches: Tensor, follows: Function | None = None) -> Range:
    histogram = Histogram(follows)
    for look in (histogram.extremes, histogram.count):
        for batch in batches:
            histogram.begin()
            look(batch)
    return histogram.range()


def column(values: np.ndarray) -> Tensor:
    """As one channel."""
    return torch.from_numpy(values).float()[None, :, None]


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_rare_outlier_is_cut_off() -> None:
    found = found_for(column(np.append(random().normal(0, 1, 2_000_000), 30.0)))
    assert 3 < found.high < 12 and -7 < found.low < -3


def test_evenly_spread_values_keep_their_range() -> None:
    found = found_for(column(np.linspace(-1.0, 3.0, 100_000)))
    assert found.low == pytest.approx(-1, abs=0.05) and found.high == pytest.approx(3, abs=0.15)


def test_values_above_0_get_all_steps() -> None:
    found = found_for(column(random().uniform(0.5, 2.0, 50_000)))
    assert found.low == 0 and found.zero_point == LOW


@pytest.mark.parametrize("follows", [None, nn.SiLU(), nn.GELU()])
def test_no_better_range_is_near(follows: Function | None) -> None:
    """By the values themselves and not their histogram."""
    x = column(random(1).laplace(0.3, 1.0, 100_000))
    found = found_for(x, follows=follows)
    behind = follows or nn.Identity()

    def error(of: Range) -> float:
        return float((behind(of.rounded(x)) - behind(x)).square().mean())

    for low in (0.6, 0.8, 1.25, 1.7):
        for high in (0.6, 0.8, 1.25, 1.7):
            assert error(found) < 1.02 * error(Range(found.low * low, found.high * high))


def test_what_silu_turns_into_0_gets_no_steps() -> None:
    x = column(random().normal(0, 4, 100_000))
    plain, before_silu = found_for(x), found_for(x, follows=nn.SiLU())
    assert plain.low < -10
    assert before_silu.low > plain.low / 2 and before_silu.scale < plain.scale * 0.8


@pytest.mark.parametrize("channels_last", [True, False])
def test_one_far_channel_does_not_take_the_steps_of_31(channels_last: bool) -> None:
    x = torch.from_numpy(random().normal(0, 1, (4, 32, 40, 40))).float()
    x[:, 5] *= 30
    given = x.flatten(2).transpose(1, 2) if channels_last else x
    as_one_channel = found_for(x.reshape(1, -1, 1))
    assert found_for(given).scale < as_one_channel.scale / 2


def test_a_channel_that_never_varies_does_not_decide() -> None:
    x = torch.from_numpy(random().normal(0, 1, (1, 8, 50, 50))).float()
    near = found_for(x)
    x[:, 3] = 1e-6 * x[:, 3]
    assert found_for(x).scale > near.scale / 2


def test_places_of_one_fake_quantizer_count_alike_however_many_values_they_have() -> None:
    """A fake quantizer before a concatenation stands in places of different sizes and channels."""
    histogram = Histogram()
    narrow = torch.from_numpy(random().normal(0, 1, (1, 4, 80, 80))).float()
    wide = torch.from_numpy(random(1).normal(0, 10, (1, 16, 5, 5))).float()
    for look in (histogram.extremes, histogram.count):
        histogram.begin()
        look(narrow)
        look(wide)
    assert [counts.shape[0] for counts in histogram.counts] == [4, 16]
    assert histogram.range().scale > 3 * found_for(narrow).scale


def test_the_extremes_lie_in_the_outermost_bins() -> None:
    histogram = Histogram()
    for look in (histogram.extremes, histogram.count):
        histogram.begin()
        look(column(np.array([-1.0, -1.0, 0.5, 3.0])))
    (counts,) = histogram.counts
    assert (counts[0, 0], counts[0, -1], counts.sum()) == (2, 1, 4)


def test_one_value_alone_has_a_range() -> None:
    assert found_for(torch.full((1, 2, 3), 0.75)) == Range(0.0, 0.75)
    assert found_for(torch.zeros(1, 2, 3)).scale > 0


def test_batches_add_up() -> None:
    x = torch.from_numpy(random().normal(0, 1, (8, 6, 10, 10))).float()
    assert found_for(x) == found_for(*x.split(1)) == found_for(*x.split(3))
