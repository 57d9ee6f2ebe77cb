"""The float network as teacher of the one that rounds: their encoders' maps are to agree.

Maps lie over the image alike in both, while queries are chosen anew by each. The loss is the mean
squared difference, of each channel over the variance that it has in the teacher's, as where ranges
are found (see `histogram`): a few channels reach so far that they alone would decide.
"""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from deimv2.model import DEIMv2
from deimv2.quantization.histogram import floored


def difference(ours: Tensor, theirs: Tensor) -> Tensor:
    """Of maps [B, C, H, W]."""
    variance = floored(theirs.var((0, 2, 3), keepdim=True))
    return ((ours - theirs).square() / variance).mean()


class Teacher:
    """Made of the network before it is prepared, then told which one learns."""

    def __init__(self, net: DEIMv2) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self._maps: Sequence[Tensor] = ()

    def watch(self, student: DEIMv2) -> None:
        """Remembers the maps of the student's latest pass."""

        def keep(_: nn.Module, __: object, maps: Sequence[Tensor]) -> None:
            self._maps = maps

        student.encoder.register_forward_hook(keep)

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """The loss, by name, for the images [B, 3, H, W] that the student has just seen."""
        self.net.to(images.device)
        with torch.no_grad():
            wanted = self.net.encoder(self.net.backbone(self.net.image(images)))
        losses = [
            difference(ours.float(), theirs.float())
            for ours, theirs in zip(self._maps, wanted, strict=True)
        ]
        self._maps = ()
        return {"teacher": torch.stack(losses).mean()}
