"""Spatial tuning adapter: the ViT's single-scale tokens become maps at strides 8, 16 and 32.

A small CNN looks at the image for the detail that 16 x 16 patches lose; tokens of an early, a
middle and the last block are resized bilinearly to its three maps and fused by a 1x1 convolution.
Source: DEIMv2 (arXiv 2509.20787), section 3.1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.model.dinov3 import VisionTransformer
from deimv2.model.layers import ConvNorm, QuantPoint
from deimv2.model.variants import ViT


class DetailNet(nn.Module):
    """Image [B, 3, H, W] -> maps of 2w, 4w and 4w channels at strides 8, 16, 32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = ConvNorm(3, width, 3, stride=2, act=nn.GELU())
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.conv2 = ConvNorm(width, 2 * width, 3, stride=2)
        self.conv3 = ConvNorm(2 * width, 4 * width, 3, stride=2)
        self.conv4 = ConvNorm(4 * width, 4 * width, 3, stride=2)
        self.active2, self.active3 = QuantPoint(), QuantPoint()

    def forward(self, images: Tensor) -> list[Tensor]:
        stride8 = self.conv2(self.pool(self.stem(images)))
        stride16 = self.conv3(self.active2(F.gelu(stride8)))
        stride32 = self.conv4(self.active3(F.gelu(stride16)))
        return [stride8, stride16, stride32]


class Resize(nn.Module):
    """Bilinear resize of a map to `size`, (h, w)."""

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class SpatialTuningAdapter(nn.Module):
    """Backbone of S, M, L, X: image [B, 3, H, W] -> maps [B, outputs, H/s, W/s], s 8, 16, 32."""

    def __init__(self, config: ViT) -> None:
        super().__init__()
        self.vit = VisionTransformer(config)
        self.detail = DetailNet(config.detail)
        widths = [2 * config.detail, 4 * config.detail, 4 * config.detail]
        self.fusion = nn.ModuleList(
            [ConvNorm(config.width + width, config.outputs, 1) for width in widths]
        )
        self.semantic = nn.ModuleList([QuantPoint() for _ in widths])
        self.resize = nn.ModuleList([Resize() for _ in widths])

    def forward(self, images: Tensor) -> list[Tensor]:
        parts = self.vit(images), self.detail(images), self.resize, self.semantic, self.fusion
        return [
            fusion(torch.cat([point(resize(semantic, detail.shape[2:])), detail], dim=1))
            for semantic, detail, resize, point, fusion in zip(*parts, strict=True)
        ]
