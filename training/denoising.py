"""Contrastive denoising queries (DINO, arXiv 2203.03605, section 3.3; DN-DETR, arXiv 2203.01305).

Noised copies of the objects join the queries; since each one's object is known, no matching is
needed, which steadies the training. They come in groups of 2T: T positive ones, to be put right,
and T negative ones further away, to be recognised as no object. The groups must not see each other,
and the selected queries must not see any of them, or they could read the answers off.

Shapes: B batch, T objects of the image that has most, N = groups x 2T, Q selected queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deimv2.model.decoder import ExtraQueries, inverse_sigmoid
from deimv2.training import recipes
from deimv2.training.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from deimv2.training.data.targets import Target, padded
from deimv2.training.matcher import Matches


@dataclass(frozen=True)
class Denoising:
    """Queries for the decoder, and which of them should give which object."""

    queries: ExtraQueries
    matches: Matches
    groups: int

    def part(self, first: int, count: int, objects: Sequence[int]) -> "Denoising":
        """Those for `count` images from `first` on; `objects` says how many each image has."""
        images = slice(first, first + count)
        kept = (self.matches.image >= first) & (self.matches.image < first + count)
        before = sum(objects[:first])
        q = self.queries
        matches = Matches(
            self.matches.image[kept] - first,
            self.matches.query[kept],
            self.matches.target[kept] - before,
        )
        queries = ExtraQueries(q.labels[images], q.boxes[images], q.hidden)
        return Denoising(queries, matches, self.groups)

    def to(self, device: torch.device) -> "Denoising":
        q = self.queries
        queries = ExtraQueries(q.labels.to(device), q.boxes.to(device), q.hidden.to(device))
        return Denoising(queries, self.matches.to(device), self.groups)


@torch.no_grad()
def denoise(
    targets: Sequence[Target],
    num_classes: int,
    selected: int,
    c: recipes.Denoising,
    generator: torch.Generator | None = None,
) -> Denoising | None:
    """Denoising queries for a batch, in front of `selected` (Q) others; None without any object."""
    labels, boxes, real = padded(targets, label=num_classes)
    size = labels.shape[1]
    if size == 0:
        return None
    groups = max(1, c.queries // size)
    negative = torch.arange(2 * groups, device=labels.device).remainder(2).repeat_interleave(size)
    queries = ExtraQueries(
        noised_labels(labels.repeat(1, 2 * groups), num_classes, c.label_noise, generator),
        inverse_sigmoid(
            noised_boxes(boxes.repeat(1, 2 * groups, 1), negative, c.box_noise, generator)
        ),
        hidden(groups, 2 * size, selected, labels.device),
    )
    image, position = real.nonzero(as_tuple=True)
    target = torch.arange(len(image), device=image.device)
    start = 2 * size * torch.arange(groups, device=image.device)
    matches = Matches(
        image.repeat(groups), (start[:, None] + position).flatten(), target.repeat(groups)
    )
    return Denoising(queries, matches, groups)


def noised_labels(
    labels: Tensor, num_classes: int, noise: float, generator: torch.Generator | None
) -> Tensor:
    """Labels [B, N], of which about `noise` / 2 are drawn anew from all classes; padding stays."""
    draw = torch.rand(labels.shape, generator=generator, device=labels.device)
    other = torch.randint(num_classes, labels.shape, generator=generator, device=labels.device)
    return torch.where((draw < noise / 2) & (labels < num_classes), other, labels)


def noised_boxes(
    boxes: Tensor, negative: Tensor, noise: float, generator: torch.Generator | None
) -> Tensor:
    """Boxes [B, N, 4] whose edges moved in or out, by up to `noise` half sides.

    Those that are negative (1, not 0, in [N]) move by one to two times that.
    """
    draw = torch.rand(boxes.shape, generator=generator, device=boxes.device)
    sign = torch.randint(2, boxes.shape, generator=generator, device=boxes.device) * 2 - 1
    half = boxes[..., 2:].repeat(1, 1, 2) / 2
    corners = cxcywh_to_xyxy(boxes) + sign * (draw + negative[:, None]) * noise * half
    return xyxy_to_cxcywh(corners.clamp(0, 1)).abs()  # edges may have crossed


def hidden(groups: int, size: int, selected: int, device: torch.device) -> Tensor:
    """Bool [N + Q, N + Q]: a denoising query is hidden from all but its own group of `size`."""
    group = torch.arange(groups, device=device).repeat_interleave(size)
    group = torch.cat([group, group.new_full((selected,), -1)])
    return (group != group[:, None]) & (group >= 0)
