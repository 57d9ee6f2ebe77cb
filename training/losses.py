"""The losses: MAL for labels, L1 and GIoU for boxes, FGL and DDF for edge distributions.

Every layer of the decoder is trained, not only the last: a loss's name is `mal`, `l1`, `giou`,
`fgl` or `ddf`, then where it applies:

                       the last layer
    /layer0, ...       an earlier layer
    /first             the first layer's plain boxes
    /encoder           the selected encoder tokens
    /denoised0, ...    a layer's answer to the denoising queries, the last layer's too
    /denoised_first    the first layer's plain boxes for them

Shapes: B batch, Q queries, C classes, K matched pairs. All sums are in float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deimv2.model.decoder import DecoderOutput, Integral, Prediction
from deimv2.training.boxes import cxcywh_to_xyxy, giou, iou
from deimv2.training.data.targets import Target, joined
from deimv2.training.denoising import Denoising
from deimv2.training.edges import ddf, fgl
from deimv2.training.matcher import Matcher, Matches, union
from deimv2.training.recipes import Recipe

Heads = list[tuple[str, Prediction]]  # where, and what is predicted there


def mal(logits: Tensor, labels: Tensor, quality: Tensor, matches: Matches, gamma: float) -> Tensor:
    """Matchability-aware loss, summed (DEIM, section 3.3).

    Logits [B, Q, C]; labels and quality (IoU in 0..1, without gradients) of the K matched queries.
    A match is to score quality ** gamma, all else 0, the more surely wrong the more it counts.
    """
    where = matches.image, matches.query, labels
    positive = torch.zeros_like(logits).index_put(where, torch.ones_like(quality))
    wanted = torch.zeros_like(logits).index_put(where, quality**gamma)
    weight = torch.where(positive > 0, 1.0, logits.detach().sigmoid() ** gamma)
    return F.binary_cross_entropy_with_logits(logits, wanted, weight, reduction="sum")


@dataclass(frozen=True)
class Pairs:
    """Which queries answer for which objects in a prediction, and what the sums are divided by."""

    labels: Matches
    boxes: Matches  # may be more
    objects: Tensor  # divides the label loss
    regressed: Tensor  # divides the box losses


class Criterion:
    """The weighted losses of a variant's recipe; `integral` is the network's own."""

    def __init__(self, recipe: Recipe, integral: Integral) -> None:
        self.weights, self.integral = recipe.losses, integral
        self.matcher = Matcher(recipe.matching)

    def __call__(
        self,
        out: DecoderOutput,
        targets: Sequence[Target],
        epoch: int = 0,
        denoising: Denoising | None = None,
        average: Callable[[Tensor], Tensor] = lambda counts: counts,
    ) -> dict[str, Tensor]:
        """Losses by name, scalars that only need to be added up.

        `out` is the network's in training mode, `targets` one per image, on the same device;
        `denoising` is what `out.extra` answers. `average` takes the two counts that the losses are
        divided by [2], objects and regressed pairs, and gives their mean over all processes.
        """
        with torch.autocast(out.logits.device.type, enabled=False):
            heads = selected_heads(out)
            pairs, balance = self._pair(heads, targets, epoch, average)
            truth = joined(targets)
            losses = self._losses(heads, pairs, truth, balance)
            if denoising is not None and out.extra is not None:
                heads = denoised_heads(out.extra)
                known, count = denoising.matches, pairs[0].objects * denoising.groups
                pairs = [Pairs(known, known, count, count)] * len(heads)
                losses |= self._losses(heads, pairs, truth, balance)
        return losses

    def _pair(
        self,
        heads: Heads,
        targets: Sequence[Target],
        epoch: int,
        average: Callable[[Tensor], Tensor],
    ) -> tuple[list[Pairs], tuple[int, int]]:
        """Pairs of every head, and how many queries are matched in any head and in none."""
        last = heads[0][1].logits
        own = [self.matcher(prediction, targets, epoch) for _, prediction in heads]
        every = union(own)
        objects = sum(len(target.labels) for target in targets)
        counts = torch.tensor([objects, len(every)], dtype=torch.float32, device=last.device)
        count, regressed = average(counts).clamp(min=1)
        balance = len(every), last.shape[:2].numel() - len(every)
        own = [matches.to(last.device) for matches in own]
        if not self.weights.local:
            return [Pairs(matches, matches, count, count) for matches in own], balance
        every = every.to(last.device)
        return [Pairs(matches, every, count, regressed) for matches in own], balance

    def _losses(
        self, heads: Heads, pairs: Sequence[Pairs], truth: Target, balance: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Losses of all heads of one sort, the teacher first."""
        w, teacher, losses = self.weights, heads[0][1], {}
        for (where, prediction), p in zip(heads, pairs, strict=True):
            labels = truth.labels[p.labels.target]
            quality = self._quality(prediction, p.labels, truth)
            label_loss = mal(prediction.logits, labels, quality, p.labels, w.gamma)
            losses[f"mal{where}"] = w.mal * label_loss / p.objects
            found, wanted = p.boxes.of(prediction.boxes), truth.boxes[p.boxes.target]
            losses[f"l1{where}"] = w.l1 * (found - wanted).abs().sum() / p.regressed
            overlaps = giou(cxcywh_to_xyxy(found), cxcywh_to_xyxy(wanted))
            losses[f"giou{where}"] = w.giou * (1 - overlaps).sum() / p.regressed
            if not w.local or prediction.edges is None or prediction.reference is None:
                continue
            quality = self._quality(prediction, p.boxes, truth)
            edges, reference = p.boxes.of(prediction.edges), p.boxes.of(prediction.reference)
            edge_loss = fgl(edges, reference, wanted, quality, self.integral)
            losses[f"fgl{where}"] = w.fgl * edge_loss / p.regressed
            if prediction is not teacher:
                bins = self.integral.bins
                distilled = ddf(prediction, teacher, p.boxes, quality, balance, bins)
                losses[f"ddf{where}"] = w.ddf * distilled
        return losses

    @staticmethod
    @torch.no_grad()
    def _quality(prediction: Prediction, matches: Matches, truth: Target) -> Tensor:
        """IoU [K] of matched queries with their objects."""
        wanted = truth.boxes[matches.target]
        return iou(cxcywh_to_xyxy(matches.of(prediction.boxes)), cxcywh_to_xyxy(wanted))


def _wide(p: Prediction) -> Prediction:
    """The same in float32."""
    edges = None if p.edges is None else p.edges.float()
    reference = None if p.reference is None else p.reference.float()
    return Prediction(p.logits.float(), p.boxes.float(), edges, reference)


def selected_heads(out: DecoderOutput) -> Heads:
    """What the selected queries are trained by, the last layer first."""
    assert out.first is not None and out.encoder is not None, "the network is not in training mode"
    earlier = [(f"/layer{i}", layer) for i, layer in enumerate(out.layers[:-1])]
    heads = [("", out.layers[-1]), *earlier, ("/first", out.first), ("/encoder", out.encoder)]
    return [(where, _wide(prediction)) for where, prediction in heads]


def denoised_heads(out: DecoderOutput) -> Heads:
    """What the denoising queries are trained by, the last layer first."""
    assert out.first is not None
    layers = [(f"/denoised{i}", layer) for i, layer in enumerate(out.layers)]
    heads = [*layers[::-1], ("/denoised_first", out.first)]
    return [(where, _wide(prediction)) for where, prediction in heads]
