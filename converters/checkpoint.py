"""Runs a checkpoint by PyTorch, in float32 or rounding to int8: the references of artifacts."""

from collections.abc import Sequence
from pathlib import Path

import torch

from deimv2.converters.runner import Frame, require_frame
from deimv2.model.detections import Detections
from deimv2.model.detector import DEIMv2
from deimv2.model.errors import InputError
from deimv2.model.postprocess import detect
from deimv2.model.weights.loading import open_net
from deimv2.quantization.prepare import apply_ranges
from deimv2.quantization.rounding import round_weights


class CheckpointRunner:
    """Detects with a net in PyTorch, at the net's image size.

    notes: what was chosen in the checkpoint's file, and which precision it was made for."""

    def __init__(
        self, net: DEIMv2, labels: list[str] | None = None, notes: Sequence[str] = ()
    ) -> None:
        self.net = net.eval()
        self.size = net.image_size
        self.labels, self.notes = labels, tuple(notes)

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        return detect(self.net, frame)[0]


def open_checkpoint(
    path: Path,
    variant: str | None = None,
    rounding: bool = False,
    device: str | torch.device = "cpu",
) -> CheckpointRunner:
    """Opens a `.pth` or `.safetensors` file at the image size it names, or its variant's own.

    rounding: round as its int8 artifacts do. device: where it computes. Raises InputError for a
    file that is broken, of no known variant or not of `variant`, or that lacks the ranges for
    rounding.
    """
    net, about, notes = open_net(path, variant)
    if rounding:
        if about.ranges is None:
            raise InputError(
                f"'{path}' carries no int8 ranges, expected a checkpoint from deimv2 quantize; "
                "quantize it, or leave out --precision int8"
            )
        apply_ranges(net, about.ranges, about.float_blocks)
        round_weights(net)
    else:
        notes += about.notes
    return CheckpointRunner(net.to(device), about.labels, notes)
