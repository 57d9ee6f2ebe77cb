"""Blends of pictures hold the pixels and the objects that they should."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deimv2.tests.training.cases import random_targets
from deimv2.training.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from deimv2.training.data.mixing import copy_blend, mix, mixup, rescale, scales, sizes
from deimv2.training.data.targets import Target
from deimv2.training.recipes import Mixing

C = Mixing(0.5, (4, 8), copyblend=0.5, copyblend_epochs=(4, 10))
HEIGHT, WIDTH = 96, 128
SEEDS = pytest.mark.parametrize("seed", range(10))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


def target(*corners: tuple[int, int, int, int], label: int = 0) -> Target:
    """Of corners in pixels."""
    boxes = torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)
    scale = torch.tensor([WIDTH, HEIGHT] * 2)
    return Target(torch.full((len(corners),), label), xyxy_to_cxcywh(boxes / scale))


def pixels(boxes: torch.Tensor) -> list[list[int]]:
    return (cxcywh_to_xyxy(boxes) * torch.tensor([WIDTH, HEIGHT] * 2)).round().int().tolist()


def test_mixup_blends_with_the_picture_before_and_holds_the_objects_of_both() -> None:
    targets = random_targets([2, 0, 3], 5, torch.Generator().manual_seed(1))
    x = images(3)
    blend, results = mixup(x, targets, 0.45)
    for i in range(3):
        torch.testing.assert_close(blend[i], 0.45 * x[i] + 0.55 * x[i - 1])
        torch.testing.assert_close(
            results[i].boxes, torch.cat([targets[i].boxes, targets[i - 1].boxes])
        )
        assert results[i].labels.tolist() == [*targets[i].labels, *targets[i - 1].labels]


@SEEDS
def test_a_copy_is_the_blend_of_both_pictures_with_its_margin(seed) -> None:
    x, share = images(2), 0.47
    targets = [target(), target((40, 32, 72, 52), label=3)]
    mixed, (result, other) = copy_blend(x, targets, replace(C, objects=1), share, rng(seed))
    ((x1, y1, x2, y2),) = pixels(result.boxes)
    assert result.labels.tolist() == [3]
    assert (x2 - x1, y2 - y1) == (32, 20)
    assert len(other.labels) == 2  # its own, and a copy of that

    rows, columns = np.nonzero((mixed[0] != x[0]).any(0).numpy())
    u1, v1, u2, v2 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    margins = x1 - u1, y1 - v1, u2 - x2, v2 - y2
    for margin, side, space in zip(
        margins, (32, 20, 32, 20), (x1, y1, WIDTH - x2, HEIGHT - y2), strict=True
    ):
        assert min(int(0.1 * side), space) <= margin <= int(0.25 * side)
    a, b, c, d = 40 - margins[0], 32 - margins[1], 72 + margins[2], 52 + margins[3]
    expected = x[0].clone()
    expected[:, v1:v2, u1:u2] = share * x[0, :, v1:v2, u1:u2] + (1 - share) * x[1, :, b:d, a:c]
    torch.testing.assert_close(mixed[0], expected)


def test_margins_cover_the_whole_range() -> None:
    x, margins = images(2), []
    for seed in range(200):
        targets = [target(), target((44, 28, 84, 68))]
        mixed, (result, _) = copy_blend(x, targets, replace(C, objects=1), 0.5, rng(seed))
        ((x1, y1, *_),) = pixels(result.boxes)
        if min(x1, y1) >= 10:
            rows, columns = np.nonzero((mixed[0] != x[0]).any(0).numpy())
            margins += [x1 - columns.min(), y1 - rows.min()]
    assert min(margins) == 4 and max(margins) in (9, 10)  # a tenth and a quarter of 40


def test_small_objects_are_not_copied() -> None:
    x = images(2)
    targets = [target((10, 10, 19, 21)), target((30, 30, 40, 40), label=1)]  # 99 and 100 pixels
    _, results = copy_blend(x, targets, C, 0.5, rng())
    assert [r.labels.tolist() for r in results] == [[0, 1], [1, 1]]
    mixed, results = copy_blend(x, targets, replace(C, min_area=101), 0.5, rng())
    assert torch.equal(mixed, x) and [r.labels.tolist() for r in results] == [[0], [1]]


@pytest.mark.parametrize(("there", "copied"), [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)])
def test_as_many_objects_are_copied_as_the_recipe_says(there, copied) -> None:
    boxes = [(10 * i, 20, 10 * i + 30, 60) for i in range(there)]
    x = images(2)
    before = x.clone()
    mixed, results = copy_blend(x, [target(), target(*boxes)], C, 0.5, rng())
    assert [len(r.labels) for r in results] == [copied, there + copied]
    assert torch.equal(x, before)
    assert torch.equal(mixed, x) == (copied == 0)


@SEEDS
def test_copies_lie_within_the_picture_even_those_of_objects_at_its_border(seed) -> None:
    corners = [
        (0, 0, 40, 30),
        (100, 80, 128, 96),
        (0, 0, WIDTH, HEIGHT),
        (0, 40, WIDTH, 60),
        (60, 0, 70, HEIGHT),
    ]
    x = images(3)
    mixed, results = copy_blend(x, [target(*corners)] * 3, replace(C, objects=5), 0.5, rng(seed))
    sides = {(x2 - x1, y2 - y1) for x1, y1, x2, y2 in corners}
    for result in results:
        for x1, y1, x2, y2 in pixels(result.boxes):
            assert 0 <= x1 < x2 <= WIDTH and 0 <= y1 < y2 <= HEIGHT
            assert (x2 - x1, y2 - y1) in sides
    assert mixed.min() >= 0 and mixed.max() <= 1


def test_copies_come_from_the_pictures_as_they_were() -> None:
    x = torch.stack([torch.full((3, HEIGHT, WIDTH), value) for value in (0.0, 0.5, 1.0)])
    targets = [target((0, 0, WIDTH, HEIGHT), label=i) for i in range(3)]
    mixed, results = copy_blend(x, targets, replace(C, objects=1), 0.5, rng())
    for i, result in enumerate(results):
        source = int(result.labels[1])
        torch.testing.assert_close(mixed[i], (x[i] + x[source]) / 2)


def test_a_picture_alone_is_not_blended_with_itself() -> None:
    """Its objects would be there twice."""
    x, targets = images(1), [target((40, 32, 72, 52))]
    mixed, results = mixup(x, targets, 0.45)
    assert torch.equal(mixed, x) and results == targets


def kind(epoch: int, c: Mixing, draw: np.random.Generator) -> str:
    x = torch.rand(2, 3, 32, 32)
    targets = [target((32, 24, 96, 72)), target()]
    mixed, results = mix(x, targets, c, epoch, draw)
    if torch.equal(mixed, x):
        assert results == targets
        return "none"
    # a copy changes a part of a picture
    return "mixup" if (mixed != x).float().mean() > 0.99 else "copyblend"


def test_each_kind_of_mixing_is_drawn_in_its_epochs_only() -> None:
    draw = rng()
    seen = {epoch: [kind(epoch, C, draw) for _ in range(100)] for epoch in (3, 4, 7, 8, 9, 10)}
    assert set(seen[3]) == set(seen[10]) == {"none"}
    assert set(seen[8]) == set(seen[9]) == {"none", "copyblend"}
    for epoch in (4, 7):
        assert 35 <= seen[epoch].count("mixup") <= 65
        assert 13 <= seen[epoch].count("copyblend") <= 38  # half of the others
    always = replace(C, mixup=1.0)
    assert {kind(4, always, draw) for _ in range(20)} == {"mixup"}


def test_the_share_of_a_picture_is_about_half() -> None:
    x = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    draw, shares = rng(), []
    for _ in range(200):
        mixed, _ = mix(x, [target(), target()], replace(C, mixup=1.0), 4, draw)
        assert mixed[0].max() + mixed[1].max() == pytest.approx(1)
        shares.append(mixed[1, 0, 0, 0].item())
    assert 0.45 <= min(shares) < 0.46 and 0.54 < max(shares) <= 0.55


def test_the_sizes_are_those_of_the_release() -> None:
    below, above = [480, 512, 544, 576, 608], [800, 768, 736, 704, 672]
    assert scales(640, 3) == [*below, 640, 640, 640, *above]
    assert scales(640, 20).count(640) == 20
    assert scales(320, 1) == [224, 256, 288, 320, 384, 352, 320]


@pytest.mark.parametrize("size", [(64, 64), (64, 128), (160, 96), (96, 320)])
def test_pictures_are_scaled_to_multiples_of_32_and_keep_about_their_proportions(size) -> None:
    x = torch.rand(1, 3, *size)
    draw, seen = rng(), set()
    for _ in range(60):
        height, width = rescale(x, sizes(size, 2), draw).shape[2:]
        assert height % 32 == width % 32 == 0
        assert max(height, width) in scales(max(size), 2)
        factor = max(height, width) / max(size)
        assert abs(height - factor * size[0]) <= 16 and abs(width - factor * size[1]) <= 16
        seen.add(max(height, width))
    assert seen == set(scales(max(size), 2))


def test_scaled_pictures_show_the_same() -> None:
    x = torch.zeros(1, 3, 128, 128)
    x[..., 32:64, 64:128] = 1
    draw = rng(1)
    for _ in range(10):
        scaled = rescale(x, sizes((128, 128), 1), draw)
        rows, columns = np.nonzero((scaled[0, 0] > 0.5).numpy())
        side = scaled.shape[2]
        assert rows.min() / side == pytest.approx(0.25, abs=1 / side)
        assert (rows.max() + 1) / side == pytest.approx(0.5, abs=1 / side)
        assert columns.min() / side == pytest.approx(0.5, abs=1 / side)
        assert columns.max() == side - 1
