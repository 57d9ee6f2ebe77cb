"""Networks to round, with reproducible weights."""

import torch
from torch import Tensor

from deimv2.model import DEIMv2
from deimv2.tests import nets


def random_net(variant: str, size: int = 320) -> DEIMv2:
    """Of five classes, in eval mode."""
    return nets.random_net(variant, 5, size)


@torch.no_grad()
def maps_of(net: DEIMv2, image: Tensor) -> list[Tensor]:
    """What the encoder gives."""
    return list(net.encoder(net.backbone(net.image(image))))


def assert_alike(found: list[Tensor], expected: list[Tensor]) -> None:
    """Up to the rounding of float32."""
    for a, b in zip(found, expected, strict=True):
        assert (a - b).abs().max() < 1e-4 * b.abs().max()
