"""The objects of an image, and of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from deimv2.model.errors import InputError


@dataclass(frozen=True)
class Target:
    """N objects of one image: labels int64 [N] and boxes [N, 4], (cx, cy, w, h) in 0..1 of it.

    N may be 0. Raises InputError for other shapes.
    """

    labels: Tensor
    boxes: Tensor

    def __post_init__(self) -> None:
        if self.labels.ndim != 1 or self.boxes.shape != (len(self.labels), 4):
            raise InputError(
                f"labels have shape {list(self.labels.shape)} and boxes "
                f"{list(self.boxes.shape)}; expected [N] and [N, 4]"
            )

    def to(self, device: torch.device | str) -> "Target":
        return Target(
            self.labels.to(device, non_blocking=True), self.boxes.to(device, non_blocking=True)
        )


def joined(targets: Sequence[Target]) -> Target:
    """The objects of all images in a row."""
    return Target(torch.cat([t.labels for t in targets]), torch.cat([t.boxes for t in targets]))


def padded(targets: Sequence[Target], label: int) -> tuple[Tensor, Tensor, Tensor]:
    """Labels [B, T], boxes [B, T, 4] and which are real [B, T]; T is the largest image's count.

    The rest has this label and a box of zeros.
    """
    labels = pad_sequence([t.labels for t in targets], batch_first=True, padding_value=label)
    boxes = pad_sequence([t.boxes for t in targets], batch_first=True)
    real = pad_sequence([torch.ones_like(t.labels) for t in targets], batch_first=True).bool()
    return labels, boxes, real
