"""The teacher: what is learnt from it, and that the student looks where it looks."""

import copy

import pytest
import torch
from torch import Tensor

from deimv2.model import DEIMv2
from deimv2.quantization.distillation import Teacher, difference, divergence
from deimv2.tests.quantization.nets import random_net

SIZE = 192


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    return random_net("atto", SIZE)


@pytest.fixture(scope="module")
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(2, 3, SIZE, SIZE)


def pair(net: DEIMv2, noise: float) -> tuple[Teacher, DEIMv2]:
    """A teacher, and a student whose encoder differs from it by some noise."""
    student = copy.deepcopy(net).train()
    teacher = Teacher(net)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in student.encoder.parameters():
            parameter += noise * parameter.std(unbiased=False) * torch.randn_like(parameter)
    teacher.watch(student)
    return teacher, student


def test_nothing_is_to_be_learnt_from_oneself(net: DEIMv2, images: Tensor) -> None:
    teacher = Teacher(net)
    student = copy.deepcopy(net)  # in eval mode: with the same statistics
    teacher.watch(student)
    student(images)
    losses = teacher()
    assert sorted(losses) == ["boxes", "maps", "scores", "tokens"]
    assert all(loss.item() == pytest.approx(0, abs=1e-5) for loss in losses.values())


def test_the_student_has_the_teachers_queries(net: DEIMv2, images: Tensor) -> None:
    teacher, student = pair(net, 0.5)
    with torch.no_grad():
        student(images)
        chosen = net.decoder.selection(teacher.ours.tokens)
    assert (teacher.theirs.chosen != chosen).any()  # by its own scores it would choose others
    assert torch.equal(teacher.ours.chosen, teacher.theirs.chosen)


def test_what_is_learnt_brings_every_loss_down(net: DEIMv2, images: Tensor) -> None:
    teacher, student = pair(net, 0.05)
    optimizer = torch.optim.Adam(student.encoder.parameters(), lr=1e-3)
    seen = []
    for _ in range(15):
        student(images)
        losses = teacher()
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        seen.append({name: loss.item() for name, loss in losses.items()})
    assert all(seen[-1][name] < seen[0][name] for name in seen[0])
    assert all(parameter.grad is None for parameter in teacher.net.parameters())


def test_the_divergence_is_least_where_scores_agree() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 3)
    assert divergence(logits, logits).item() == pytest.approx(0, abs=1e-5)
    # of one class at p = 1/2 learnt as q: -log(4 q (1 - q)) / 2
    apart = divergence(torch.full((1, 1, 1), 2.0), torch.zeros(1, 1, 1)).item()
    q = torch.tensor(2.0).sigmoid()
    assert apart == pytest.approx(-(4 * q * (1 - q)).log().item() / 2, rel=1e-5)


def test_maps_are_compared_channel_by_channel() -> None:
    torch.manual_seed(0)
    theirs = torch.randn(2, 2, 8, 8)
    ours = theirs + 0.1 * torch.randn(2, 2, 8, 8)
    wide = torch.tensor([1.0, 30.0]).view(1, 2, 1, 1)
    assert difference(ours * wide, theirs * wide).item() == pytest.approx(
        difference(ours, theirs).item(), rel=1e-4
    )
