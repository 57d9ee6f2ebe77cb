"""Normalisation over the batches of all processes, in one of them."""

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import nn

from deimv2.training.distributed import GlobalBatchNorm2d


@pytest.fixture
def alone() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("mean", [0.0, 100.0])
def test_it_normalises_as_that_of_one_process(mean: float) -> None:
    """Also what hardly varies around a number far from 0."""
    torch.manual_seed(0)
    x = mean + 0.003 * torch.randn(8, 16, 40, 40)
    ours, theirs = GlobalBatchNorm2d(16), nn.BatchNorm2d(16)
    found, expected = ours(x), theirs(x)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-3, atol=0)


@pytest.mark.usefixtures("alone")
@pytest.mark.filterwarnings("error")
def test_its_gradients_are_those_of_one_process() -> None:
    torch.manual_seed(0)
    x, wanted = torch.randn(2, 4, 16, 10, 10)
    found = []
    for norm in (GlobalBatchNorm2d(16), nn.BatchNorm2d(16)):
        given = x.clone().requires_grad_()
        (norm(given) * wanted).sum().backward()
        found.append([given.grad, *(each.grad for each in norm.parameters())])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
