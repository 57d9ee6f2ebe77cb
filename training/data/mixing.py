"""Changes of whole batches: MixUp, Copy-Blend and the choice of the image size.

Shapes: images float32 [B, 3, H, W] in 0..1; one target per image.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deimv2.training.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from deimv2.training.data.targets import Target, joined
from deimv2.training.recipes import Mixing

Rng = np.random.Generator
Batch = tuple[Tensor, list[Target]]
SHARE = 0.45, 0.55  # of a picture in its blend with another


def mix(
    images: Tensor, targets: list[Target], c: Mixing, epoch: int, rng: Rng, rank: int = 0
) -> Batch:
    """Blends all pictures with their neighbours, or copies objects between them, or neither.

    Of the generators of several processes in the same state, each makes the same choice here and is
    left in the same state; what is copied is drawn by `rank`.
    """
    share = rng.uniform(*SHARE)
    if c.mixup_epochs[0] <= epoch < c.mixup_epochs[1] and rng.random() < c.mixup:
        return mixup(images, targets, share)
    if c.copyblend_epochs[0] <= epoch < c.copyblend_epochs[1] and rng.random() < c.copyblend:
        return copy_blend(images, targets, c, share, rng.spawn(rank + 1)[rank])
    return images, targets


def mixup(images: Tensor, targets: list[Target], share: float) -> Batch:
    """Each picture blended with the one before it, with the objects of both; one alone stays."""
    if len(targets) == 1:
        return images, targets
    before = targets[-1:] + targets[:-1]
    blend = share * images + (1 - share) * images.roll(1, dims=0)
    return blend, [joined(pair) for pair in zip(targets, before, strict=True)]


def copy_blend(images: Tensor, targets: list[Target], c: Mixing, share: float, rng: Rng) -> Batch:
    """Objects of the batch, with some of what surrounds them, blended into each picture.

    Objects below `min_area` pixels of the input are not copied.
    """
    height, width = images.shape[2:]
    every = joined(targets)
    source = np.repeat(np.arange(len(targets)), [len(t.labels) for t in targets])
    corners = cxcywh_to_xyxy(every.boxes).numpy() * [width, height, width, height]
    pixels = corners.round().astype(int).clip(0, [width, height, width, height])
    sides = pixels[:, 2:] - pixels[:, :2]
    usable = np.flatnonzero((sides.prod(axis=1) >= c.min_area) & (sides > 0).all(axis=1))
    mixed, results = images.clone(), []
    for target, image in zip(targets, mixed, strict=True):
        boxes, labels = [target.boxes], [target.labels]
        for i in rng.permutation(usable)[: c.objects]:
            w, h = sides[i]
            x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
            margin = (rng.uniform(*c.expand) * sides[i]).astype(int)
            patch = pixels[i]
            # as much margin as both places have
            low = np.minimum(np.minimum(margin, patch[:2]), (x, y))
            high = np.minimum(
                margin, np.minimum((width, height) - patch[2:], (width - w - x, height - h - y))
            )
            (x1, y1), (x2, y2) = patch[:2] - low, patch[2:] + high
            u, v = x - low[0], y - low[1]
            here = image[:, v : v + y2 - y1, u : u + x2 - x1]
            here.mul_(share).add_((1 - share) * images[source[i], :, y1:y2, x1:x2])
            scale = torch.tensor([width, height, width, height])
            boxes.append(xyxy_to_cxcywh(torch.tensor([[x, y, x + w, y + h]]) / scale))
            labels.append(every.labels[i : i + 1])
        results.append(Target(torch.cat(labels), torch.cat(boxes)))
    return mixed, results


def scales(side: int, repeats: int) -> list[int]:
    """The sides to choose from: 0.75 to 1.25 of the usual one in steps of 32, that one `repeats`
    times."""
    low, high = (int(side * share / 32) * 32 for share in (0.75, 1.25))
    steps = (side - low) // 32
    return (
        [low + 32 * i for i in range(steps)]
        + [side] * repeats
        + [high - 32 * i for i in range(steps)]
    )


def sizes(size: tuple[int, int], repeats: int) -> list[tuple[int, int]]:
    """The sizes (H, W) to choose from, by `scales` of the longer side; a non-square one keeps its
    proportions, about."""
    usual = max(size)
    height, width = size
    return [
        (_multiple(height * chosen / usual), _multiple(width * chosen / usual))
        for chosen in scales(usual, repeats)
    ]


def _multiple(side: float) -> int:
    """Of 32."""
    return max(32, round(side / 32) * 32)


def rescale(images: Tensor, choices: Sequence[tuple[int, int]], rng: Rng) -> Tensor:
    """All pictures at a size drawn from these, bilinear."""
    size = choices[int(rng.integers(len(choices)))]
    if size == tuple(images.shape[2:]):
        return images
    return F.interpolate(images, size, mode="bilinear", antialias=True)
