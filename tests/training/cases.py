"""Batches of objects and predictions, made up."""

from collections.abc import Sequence

import torch
from torch import Tensor

from deimv2.model.decoder import DecoderOutput, Prediction
from deimv2.training.data.targets import Target
from deimv2.training.matcher import Matches

BINS = 33


def random_targets(
    counts: Sequence[int], classes: int, generator: torch.Generator, least: float = 0.05
) -> list[Target]:
    return [
        Target(
            torch.randint(classes, (n,), generator=generator),
            torch.rand(n, 4, generator=generator) * torch.tensor([0.6, 0.6, 0.3, 0.3])
            + torch.tensor([0.2, 0.2, least, least]),
        )
        for n in counts
    ]


def random_output(
    batch: int, queries: int, classes: int, layers: int, generator: torch.Generator
) -> DecoderOutput:
    """An output in training mode whose tensors take gradients."""

    def leaf(*shape: int) -> Tensor:
        return torch.randn(batch, queries, *shape, generator=generator).requires_grad_()

    def prediction(**local: Tensor) -> Prediction:
        return Prediction(leaf(classes), leaf(4).sigmoid(), **local)

    reference = leaf(4).sigmoid().detach()
    refined = [prediction(edges=leaf(4 * BINS), reference=reference) for _ in range(layers)]
    last = refined[-1]
    return DecoderOutput(last.logits, last.boxes, tuple(refined), prediction(), prediction())


def pairs(m: Matches) -> list[tuple[int, int, int]]:
    """Image, query, object of every pair."""
    return list(zip(m.image.tolist(), m.query.tolist(), m.target.tolist(), strict=True))
