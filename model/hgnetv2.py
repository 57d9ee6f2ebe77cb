"""HGNetv2, the CNN backbone of Atto, Femto, Pico (three stages) and N (B0, four stages).

Source: PP-HGNetV2 of PaddleDetection as used by D-FINE (arXiv 2410.13842) and DEIMv2, section 3.
"""

import torch
from torch import Tensor, nn

from deimv2.model.layers import ConvNorm, QuantPoint
from deimv2.model.variants import HGNet, Stage


def conv_relu(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> ConvNorm:
    return ConvNorm(inputs, outputs, kernel, stride, groups, act=nn.ReLU(), affine=True)


class Stem(nn.Module):
    """Image [B, 3, H, W] -> [B, width, H/4, W/4]; a pooled and a convolved branch side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem1 = conv_relu(3, width, 3, stride=2)
        self.stem2a = conv_relu(width, width // 2, 2)
        self.stem2b = conv_relu(width // 2, width, 2)
        self.stem3 = conv_relu(2 * width, width, 3, stride=2)
        self.stem4 = conv_relu(width, width, 1)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=1)
        self.pad: nn.Module = nn.ZeroPad2d((0, 1, 0, 1))  # right and bottom, for the even kernels

    def forward(self, x: Tensor) -> Tensor:
        x = self.pad(self.stem1(x))
        convolved = self.stem2b(self.pad(self.stem2a(x)))
        return self.stem4(self.stem3(torch.cat([self.pool(x), convolved], dim=1)))


class LightConv(nn.Module):
    """1x1 convolution without activation, then a depthwise one with ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(inputs, outputs, 1)
        self.conv2 = conv_relu(outputs, outputs, kernel, groups=outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


class Block(nn.Module):
    """Layers in a row, all of their outputs concatenated and squeezed by two 1x1 convolutions."""

    def __init__(self, stage: Stage, inputs: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.sum: nn.Module = QuantPoint()
        layer = LightConv if stage.light else conv_relu
        self.layers = nn.ModuleList(
            [
                layer(inputs if i == 0 else stage.middle, stage.middle, stage.kernel)
                for i in range(stage.layers)
            ]
        )
        total = inputs + stage.layers * stage.middle
        self.aggregation = nn.Sequential(
            conv_relu(total, stage.outputs // 2, 1), conv_relu(stage.outputs // 2, stage.outputs, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        y = self.aggregation(torch.cat(outputs, dim=1))
        return self.sum(x + y) if self.residual else y


class HGNetStage(nn.Module):
    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if stage.downsample:
            self.downsample = ConvNorm(stage.inputs, stage.inputs, 3, stride=2, groups=stage.inputs)
        self.blocks = nn.Sequential(
            *[
                Block(stage, stage.inputs if i == 0 else stage.outputs, residual=i > 0)
                for i in range(stage.blocks)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))


class HGNetv2(nn.Module):
    """Image [B, 3, H, W] -> the maps of the tapped stages, [B, C, H/s, W/s], large to small."""

    def __init__(self, config: HGNet) -> None:
        super().__init__()
        self.taps = config.taps
        self.stem = Stem(config.stem)
        self.stages = nn.ModuleList([HGNetStage(stage) for stage in config.stages])

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.taps:
                maps.append(x)
        return maps
