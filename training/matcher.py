"""Which query answers for which object: one to one, at least total cost (DETR, arXiv 2005.12872).

Shapes: B batch, Q queries, C classes, T objects of the image that has most, K pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deimv2.model.decoder import Prediction
from deimv2.model.optional import require
from deimv2.training import recipes
from deimv2.training.boxes import cxcywh_to_xyxy, giou, iou
from deimv2.training.data.targets import Target, padded


@dataclass(frozen=True)
class Matches:
    """K pairs of a query, [image, query], and an object, counted through all images; int64 [K]."""

    image: Tensor
    query: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device | str) -> "Matches":
        return Matches(self.image.to(device), self.query.to(device), self.target.to(device))

    def of(self, x: Tensor) -> Tensor:
        """The matched queries' rows of x [B, Q, ...], [K, ...]."""
        return x[self.image, self.query]


class Matcher:
    """Matches on the CPU of a prediction. An image with more objects than queries matches all Q.

    Raises MissingExtraError without SciPy.
    """

    def __init__(self, c: recipes.Matching) -> None:
        self.c = c
        self.assign = require("scipy.optimize", "train").linear_sum_assignment

    @torch.no_grad()
    def __call__(self, prediction: Prediction, targets: Sequence[Target], epoch: int) -> Matches:
        labels, boxes, _ = padded(targets, label=0)
        cost = self.cost(prediction.logits, prediction.boxes, labels, boxes, epoch)
        # a step that overflowed in half precision reaches the loss, where the loop can see it
        rows = cost.nan_to_num(nan=1.0).cpu().numpy()
        pairs, before = [np.empty((3, 0), dtype=np.int64)], 0
        for image, target in enumerate(targets):
            count = len(target.labels)
            query, chosen = self.assign(rows[image, :, :count])
            pairs.append(np.stack([np.full_like(query, image), query, before + chosen]))
            before += count
        return Matches(*torch.from_numpy(np.concatenate(pairs, axis=1)))

    def cost(
        self, logits: Tensor, boxes: Tensor, labels: Tensor, wanted: Tensor, epoch: int
    ) -> Tensor:
        """Cost [B, Q, T] of queries, [B, Q, C] and [B, Q, 4], for objects, [B, T] and [B, T, 4].

        At first the weighted sum of focal label cost, L1 and GIoU. From the change epoch on
        -score x IoU ** power, which prefers what the evaluation will prefer.
        """
        c = self.c
        score = logits.sigmoid().gather(2, labels[:, None].expand(-1, logits.shape[1], -1))
        corners = cxcywh_to_xyxy(boxes)[:, :, None], cxcywh_to_xyxy(wanted)[:, None]
        if epoch >= c.change_epoch:
            return -score * iou(*corners) ** c.iou_power
        positive = -c.alpha * (1 - score) ** c.gamma * (score + 1e-8).log()
        negative = -(1 - c.alpha) * score**c.gamma * (1 - score + 1e-8).log()
        distance = torch.cdist(boxes, wanted, p=1)
        return c.label * (positive - negative) + c.l1 * distance - c.giou * giou(*corners)


def union(matchings: Sequence[Matches]) -> Matches:
    """Every query that any of a batch's matchings chose, with the object it got most often.

    All layers then regress the same pairs, as distilling one layer from another needs (D-FINE,
    section 4.2). Of objects given equally often, the earlier matching's wins; the release leaves
    that to the order of an unstable sort.
    """
    rows = np.concatenate(
        [np.stack([m.image.numpy(), m.query.numpy(), m.target.numpy()]) for m in matchings], axis=1
    )
    pairs, first, votes = np.unique(rows, axis=1, return_index=True, return_counts=True)
    pairs = pairs[:, np.lexsort((first, -votes, pairs[1], pairs[0]))]
    _, best = np.unique(pairs[:2], axis=1, return_index=True)
    return Matches(*torch.from_numpy(pairs[:, best]))
