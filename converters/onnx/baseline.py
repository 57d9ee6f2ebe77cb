"""The network as the release exports it to ONNX: what our artifacts are measured against.

Its own graph, sampling by GridSample, opset 17, normalised float images in, logits and boxes out.
"""

import copy
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from deimv2.model import DEIMv2
from deimv2.model.optional import require

OPSET = 17


class Plain(nn.Module):
    def __init__(self, net: DEIMv2) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        out = self.net(images)
        return out.logits, out.boxes


def write_baseline(net: DEIMv2, path: Path) -> None:
    """Writes the float32 network, fused, as `.onnx` for images float32 [1, 3, H, W]."""
    require("onnx", "onnx")
    plain = Plain(copy.deepcopy(net).fuse())
    images = torch.zeros(1, 3, *net.image_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that become constants
        torch.onnx.export(
            plain, (images,), path, opset_version=OPSET, dynamo=False, input_names=["images"]
        )
