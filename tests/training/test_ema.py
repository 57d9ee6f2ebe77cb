"""The moving average, against the same sums by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deimv2.model import VARIANTS, DEIMv2
from deimv2.training.ema import MovingAverage
from deimv2.training.recipes import Ema

C = Ema(decay=0.9, warmup_steps=3)


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    torch.manual_seed(0)
    return DEIMv2(VARIANTS["atto"], 2, (64, 64)).train()


def shake(net: DEIMv2, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in [*net.parameters(), *net.buffers()]:
            if tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=g))
            else:
                tensor.add_(1)


def test_weights_and_statistics_follow_the_formula(net) -> None:
    average = MovingAverage(net, C)
    floats = {k: v.double().numpy() for k, v in net.state_dict().items() if v.is_floating_point()}
    for update in range(1, 6):
        shake(net, update)
        average.update(net)
        decay = 0.9 * (1 - np.exp(-update / 3))
        now = net.state_dict()
        floats = {k: decay * v + (1 - decay) * now[k].double().numpy() for k, v in floats.items()}
    assert average.updates == 5
    found = average.net.state_dict()
    assert any("running_mean" in name for name in floats)
    for name, wanted in floats.items():
        np.testing.assert_allclose(found[name].numpy(), wanted, rtol=1e-5, atol=1e-5, err_msg=name)


def test_counters_are_copied(net) -> None:
    average = MovingAverage(net, C)
    counters = [k for k, v in net.state_dict().items() if not v.is_floating_point()]
    assert any("num_batches_tracked" in name for name in counters)
    shake(net, 0)
    before, now = average.net.state_dict(), net.state_dict()
    assert all(not torch.equal(before[name], now[name]) for name in counters)
    average.update(net)
    assert all(torch.equal(average.net.state_dict()[name], now[name]) for name in counters)


def test_the_average_takes_no_gradients_and_leaves_the_net_alone(net) -> None:
    average = MovingAverage(net, replace(C, decay=0.5))
    assert not average.net.training and net.training
    assert not any(p.requires_grad for p in average.net.parameters())
    before = [p.detach().clone() for p in net.parameters()]
    sum(p.square().sum() for p in net.parameters()).backward()
    average.update(net)
    assert all(p.grad is None for p in average.net.parameters())
    assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))
    assert all(p.requires_grad for p in net.parameters())
    shared = {p.data_ptr() for p in average.net.parameters()}
    assert not shared & {p.data_ptr() for p in net.parameters()}
