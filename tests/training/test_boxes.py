"""Boxes: the two forms, and overlaps that can be checked by hand."""

import pytest
import torch

from deimv2.training.boxes import cxcywh_to_xyxy, giou, iou, xyxy_to_cxcywh

UNIT = torch.tensor([0.0, 0, 1, 1])


def test_corners_and_centres_undo_each_other() -> None:
    boxes = torch.rand(100, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(xyxy_to_cxcywh(cxcywh_to_xyxy(boxes)), boxes)


@pytest.mark.parametrize(
    ("other", "overlap", "generalised"),
    [
        ([0.0, 0, 1, 1], 1, 1),
        ([0.5, 0, 1.5, 1], 1 / 3, 1 / 3),  # the hull is the union
        ([1.0, 0, 2, 1], 0, 0),  # they touch
        ([2.0, 0, 3, 1], 0, -1 / 3),  # a third of the hull is neither's
        ([0.5, 0.5, 1.5, 1.5], 1 / 7, 1 / 7 - 0.5 / 2.25),
        ([0.5, 0.5, 0.5, 0.5], 0, 0),  # a point inside
        ([2.0, 1, 2, 1], 0, -0.5),  # a point outside
    ],
)
def test_overlaps_by_hand(other, overlap, generalised) -> None:
    box = torch.tensor(other)
    for a, b in ((UNIT, box), (box, UNIT)):
        assert iou(a, b).item() == pytest.approx(overlap)
        assert giou(a, b).item() == pytest.approx(generalised)


def test_two_points_overlap_by_nothing() -> None:
    point = torch.tensor([0.5, 0.5, 0.5, 0.5])
    assert iou(point, point) == 0 and giou(point, point) == 0


def test_small_boxes_overlap_exactly() -> None:
    pixel = torch.tensor([0.5, 0.5, 0.5 + 2.0**-12, 0.5 + 2.0**-12])  # of an image of 4096
    assert iou(pixel, pixel) == 1 and giou(pixel, pixel) == 1


def test_pairs_broadcast() -> None:
    g = torch.Generator().manual_seed(1)
    a, b = (cxcywh_to_xyxy(torch.rand(n, 4, generator=g)) for n in (5, 3))
    for function in (iou, giou):
        table = function(a[:, None], b)
        assert table.shape == (5, 3)
        assert all(table[i, j] == function(a[i], b[j]) for i in range(5) for j in range(3))


def test_negative_sides_count_as_none() -> None:
    box = cxcywh_to_xyxy(torch.tensor([0.5, 0.5, -0.2, 0.3]))
    torch.testing.assert_close(box, torch.tensor([0.5, 0.35, 0.5, 0.65]))
