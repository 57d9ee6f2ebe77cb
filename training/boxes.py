"""Boxes as centres (cx, cy, w, h) and as corners (x1, y1, x2, y2), and how much two overlap.

All functions work on [..., 4] in any unit; pairs of boxes broadcast, so `iou(a[:, None], b)` of
[N, 4] and [M, 4] is [N, M]. Boxes without area are allowed: they overlap nothing.
"""

import torch
from torch import Tensor

EPS = 1e-12  # far below a pixel's area in an image of side 1 (1e-7 at 3000 pixels)


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Centres to corners. Negative sides, which a refined box may have, count as 0."""
    half = boxes[..., 2:].clamp(min=0) / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], dim=-1)


def xyxy_to_cxcywh(corners: Tensor) -> Tensor:
    low, high = corners[..., :2], corners[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def area(corners: Tensor) -> Tensor:
    return (corners[..., 2:] - corners[..., :2]).clamp(min=0).prod(-1)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Areas of the intersection and of the union of corner boxes."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    intersection = (high - low).clamp(min=0).prod(-1)
    return intersection, area(a) + area(b) - intersection


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of corner boxes, in 0..1."""
    intersection, union = overlap(a, b)
    return intersection / union.clamp(min=EPS)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of corner boxes (arXiv 1902.09630), in -1..1."""
    intersection, union = overlap(a, b)
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).clamp(min=0).prod(-1)
    return intersection / union.clamp(min=EPS) - (hull - union) / hull.clamp(min=EPS)
