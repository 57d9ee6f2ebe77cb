"""Losses of the decoder's edge distributions (D-FINE, arXiv 2410.13842).

Each edge of a box is a distribution over bins, whose offsets (`Integral.offsets`) are in units of
the reference box's side over `reg_scale`, positive outwards. An object's edge falls between two.

Shapes: B batch, Q queries, K matched pairs, edge logits [..., 4*bins] in left, top, right, bottom.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from deimv2.model.decoder import Integral, Prediction
from deimv2.training.boxes import cxcywh_to_xyxy
from deimv2.training.matcher import Matches

TEMPERATURE = 5.0  # softens both distributions; D-FINE's released code


def edge_targets(reference: Tensor, boxes: Tensor, integral: Integral) -> tuple[Tensor, Tensor]:
    """Where boxes [K, 4] lie between the bins around reference boxes [K, 4].

    Gives the lower bin [K, 4] and the share of the next one [K, 4], in 0..1. Edges beyond the last
    bins fall on these.
    """
    offsets = integral.offsets()
    side = reference[:, 2:].clamp(min=1e-12) / integral.reg_scale.abs()
    now, wanted = cxcywh_to_xyxy(reference), cxcywh_to_xyxy(boxes)
    move = torch.cat([now[:, :2] - wanted[:, :2], wanted[:, 2:] - now[:, 2:]], dim=-1)
    move = (move / side.repeat(1, 2)).clamp(offsets[0], offsets[-1])
    lower = (torch.searchsorted(offsets, move, right=True) - 1).clamp(0, len(offsets) - 2)
    return lower, (move - offsets[lower]) / (offsets[lower + 1] - offsets[lower])


def fgl(
    edges: Tensor, reference: Tensor, boxes: Tensor, quality: Tensor, integral: Integral
) -> Tensor:
    """Fine-grained localisation loss, summed (section 4.1).

    Cross entropy of edges [K, 4*bins] with the two bins on either side of the object's edge, times
    quality [K], the IoU of the refined box, so that good boxes are refined further.
    """
    lower, share = edge_targets(reference, boxes, integral)
    logs = edges.unflatten(-1, (4, integral.bins)).log_softmax(-1)
    low = logs.gather(-1, lower[..., None]).squeeze(-1)
    high = logs.gather(-1, lower[..., None] + 1).squeeze(-1)
    return -((low * (1 - share) + high * share) * quality[:, None]).sum()


def ddf(
    student: Prediction,
    teacher: Prediction,
    matches: Matches,
    quality: Tensor,
    balance: tuple[int, int],
    bins: int,
) -> Tensor:
    """Decoupled distillation focal loss of an earlier layer towards the last (section 4.2).

    Divergence of the student's edge distributions from the teacher's, times the quality [K] of
    matched queries and the teacher's best score of the others; the means of both sorts are weighted
    by the square root of how many there are, `balance` (matched, others).
    """
    assert student.edges is not None and teacher.edges is not None
    wanted = teacher.edges.detach().unflatten(-1, (4, bins)) / TEMPERATURE
    found = student.edges.unflatten(-1, (4, bins)) / TEMPERATURE
    divergence = F.kl_div(
        found.log_softmax(-1), wanted.log_softmax(-1), reduction="none", log_target=True
    ).sum(-1)  # [B, Q, 4]
    where = matches.image, matches.query
    weight = teacher.logits.detach().sigmoid().amax(-1).index_put(where, quality)
    loss = (divergence.mean(-1) * weight) * TEMPERATURE**2
    matched = torch.zeros_like(weight).index_put(where, torch.ones_like(quality))
    near, far = (loss * matched).sum(), (loss * (1 - matched)).sum()
    a, b = (count**0.5 for count in balance)
    near, far = near / max(len(matches), 1), far / max(matched.numel() - len(matches), 1)
    return (a * near + b * far) / (a + b)
