"""The float network as teacher of the one that rounds: both are to detect the same.

The student's decoder gets the queries that the teacher has chosen: else the two choose anew where
tokens nearly tie, and a query of one has no partner among the other's. What is learnt are the
scores of all tokens and of all queries, the boxes of the queries, each as much as the teacher's
best score of it, and the encoder's maps.
"""

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.model import DEIMv2
from deimv2.model.decoder import DecoderOutput
from deimv2.quantization.histogram import floored

SCORES = 0.1  # what the divergence of scores counts beside the difference of boxes


def difference(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean square difference of maps [B, C, H, W], each channel's over its variance in theirs:
    a few channels would decide alone otherwise, as where ranges are found (see `histogram`)."""
    variance = floored(theirs.var((0, 2, 3), keepdim=True))
    return ((ours - theirs).square() / variance).mean()


def divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    """Kullback-Leibler divergence of logits [B, N, C], of every class by itself, summed over tokens
    and classes, mean over images."""
    wanted = theirs.sigmoid()
    cross, least = (
        F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
        for logits in (ours, theirs)
    )
    return (cross - least) / len(ours)


class Seen:
    """What a network made of its latest images, by hooks: maps, scores of tokens, detections."""

    def __init__(self, net: DEIMv2) -> None:
        self.maps: Sequence[Tensor] = ()
        self.tokens = self.chosen = torch.empty(0)
        self.out: DecoderOutput | None = None
        keep = self._keep
        net.encoder.register_forward_hook(keep("maps"))
        net.decoder.enc_score_head.register_forward_hook(keep("tokens"))
        net.decoder.selection.register_forward_hook(keep("chosen"))
        net.register_forward_hook(keep("out"))

    def _keep(self, name: str) -> Callable[..., None]:
        return lambda _, __, made: setattr(self, name, made)


class Teacher:
    """Made from a network before that is prepared; `watch` then names the one that learns."""

    def __init__(self, net: DEIMv2) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.theirs = Seen(self.net)

    def watch(self, student: DEIMv2) -> None:
        """Shows the teacher every batch first, and lets the student choose as the teacher does."""
        student.register_forward_pre_hook(self._show)
        student.decoder.selection.register_forward_hook(lambda *_: self.theirs.chosen)
        self.ours = Seen(student)

    @torch.no_grad()
    def _show(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.net.to(inputs[0].device)(inputs[0])

    def __call__(self) -> Mapping[str, Tensor]:
        """The losses, by name, for the images that the student has just seen."""
        ours, theirs = self.ours, self.theirs
        assert ours.out is not None and theirs.out is not None
        maps = [difference(*pair) for pair in zip(ours.maps, theirs.maps, strict=True)]
        logits, wanted = ours.out.logits, theirs.out.logits
        apart = (ours.out.boxes - theirs.out.boxes).abs().sum(-1)
        boxes = (wanted.sigmoid().amax(-1) * apart).sum() / len(wanted)
        return {
            "scores": SCORES * divergence(logits, wanted),
            "tokens": SCORES * divergence(ours.tokens, theirs.tokens),
            "boxes": boxes,
            "maps": torch.stack(maps).mean(),
        }
