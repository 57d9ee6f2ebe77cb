"""The two feature encoders between backbone and decoder.

Sources: hybrid encoder of RT-DETR (arXiv 2304.08069) with D-FINE's blocks; lite encoder of DEIMv2
(arXiv 2509.20787, section 3.2).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.model import variants
from deimv2.model.layers import ELAN, ConvNorm, QuantPoint, SelfAttention


class PooledConv(nn.Module):
    """Average pooling of stride 2 and a 1x1 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool: nn.Module = nn.AvgPool2d(kernel_size=3, stride=2, padding=1)
        self.pooled: nn.Module = QuantPoint()
        self.point = ConvNorm(width, width, 1, act=nn.SiLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.point(self.pooled(self.pool(x)))


class LiteEncoder(nn.Module):
    """One map [B, C, H/16, W/16] -> two [B, D, H/16, W/16] and [B, D, H/32, W/32]."""

    def __init__(self, c: variants.LiteEncoder) -> None:
        super().__init__()
        self.input_proj = ConvNorm(c.inputs, c.width, 1)
        self.down_sample1 = PooledConv(c.width)
        self.upsample = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.global_fusion = ConvNorm(c.width, c.width, 1, act=nn.SiLU())
        self.fpn_block = ELAN(c.width, c.expansion, c.depth, extra_conv=True)
        self.down_sample2 = PooledConv(c.width)
        self.pan_block = ELAN(c.width, c.expansion, c.depth, extra_conv=True)
        self.sums = nn.ModuleList([QuantPoint() for _ in range(3)])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        large = self.input_proj(maps[0])
        small = self.down_sample1(large)
        small = self.global_fusion(self.sums[0](small + small.mean((2, 3), keepdim=True)))
        large = self.fpn_block(self.sums[1](large + self.upsample(small)))
        return [large, self.pan_block(self.sums[2](small + self.down_sample2(large)))]


class SinePosition(nn.Module):
    """Fixed 2D sine-cosine position embedding [1, h*w, width].

    The release counts its positions column by column while the tokens run row by row. The trained
    weights rest on that, so it is kept; on a square map it only means that y comes before x.
    """

    TEMPERATURE = 10000.0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.quarter = width // 4

    def forward(self, h: int, w: int, device: torch.device) -> Tensor:
        power = torch.arange(self.quarter, dtype=torch.float32, device=device) / self.quarter
        omega = 1.0 / self.TEMPERATURE**power
        outer = torch.arange(w, dtype=torch.float32, device=device)[:, None] * omega
        inner = torch.arange(h, dtype=torch.float32, device=device)[:, None] * omega
        outer = torch.cat([outer.sin(), outer.cos()], dim=1)[:, None].expand(-1, h, -1)
        inner = torch.cat([inner.sin(), inner.cos()], dim=1)[None].expand(w, -1, -1)
        return torch.cat([outer, inner], dim=2).reshape(1, h * w, -1)


class EncoderLayer(nn.Module):
    """Transformer layer, normalised after each residual sum; tokens [B, T, D]."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(width, heads)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.attended, self.raw, self.hidden, self.answer, self.out = (
            QuantPoint() for _ in range(5)
        )

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        x = self.attended(self.norm1(x + self.self_attn(x, position)))
        hidden = self.hidden(F.gelu(self.raw(self.linear1(x))))
        return self.out(self.norm2(x + self.answer(self.linear2(hidden))))


class DownConv(nn.Module):
    """1x1 convolution, then a depthwise 3x3 of stride 2; no activation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cv1 = ConvNorm(width, width, 1)
        self.cv2 = ConvNorm(width, width, 3, stride=2, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        return self.cv2(self.cv1(x))


class HybridEncoder(nn.Module):
    """Two or three maps of neighbouring strides, large to small -> as many [B, D, h, w]."""

    def __init__(self, c: variants.HybridEncoder) -> None:
        super().__init__()
        self.input_proj = nn.ModuleList(
            [nn.Identity() if n == c.width else ConvNorm(n, c.width, 1) for n in c.inputs]
        )
        self.position: nn.Module = SinePosition(c.width)
        self.layer = EncoderLayer(c.width, c.heads, c.hidden)
        self.upsample = nn.Upsample(scale_factor=2.0, mode="nearest")
        steps = range(len(c.inputs) - 1)

        def block() -> ELAN:
            return ELAN(c.width, c.expansion, c.depth, c.extra_conv)

        self.lateral_convs = nn.ModuleList([ConvNorm(c.width, c.width, 1) for _ in steps])
        self.fpn_blocks = nn.ModuleList([block() for _ in steps])
        self.downsample_convs = nn.ModuleList([DownConv(c.width) for _ in steps])
        self.pan_blocks = nn.ModuleList([block() for _ in steps])
        self.fpn_sums = nn.ModuleList([QuantPoint() for _ in steps])
        self.pan_sums = nn.ModuleList([QuantPoint() for _ in steps])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [proj(m) for proj, m in zip(self.input_proj, maps, strict=True)]
        maps[-1] = self._attend(maps[-1])
        return self._bottom_up(self._top_down(maps))

    def _attend(self, x: Tensor) -> Tensor:
        batch, width, h, w = x.shape
        tokens = self.layer(x.flatten(2).transpose(1, 2), self.position(h, w, x.device))
        return tokens.transpose(1, 2).reshape(batch, width, h, w)

    def _top_down(self, maps: list[Tensor]) -> list[Tensor]:
        """Small to large; gives the lateral maps, large to small."""
        outputs = [maps[-1]]
        layers = self.lateral_convs, self.fpn_sums, self.fpn_blocks
        for larger, lateral, total, block in zip(reversed(maps[:-1]), *layers, strict=True):
            outputs[0] = lateral(outputs[0])
            outputs.insert(0, block(total(self.upsample(outputs[0]) + larger)))
        return outputs

    def _bottom_up(self, maps: list[Tensor]) -> list[Tensor]:
        """Large to small; gives the fused maps, large to small."""
        outputs = [maps[0]]
        layers = self.downsample_convs, self.pan_sums, self.pan_blocks
        for smaller, down, total, block in zip(maps[1:], *layers, strict=True):
            outputs.append(block(total(down(outputs[-1]) + smaller)))
        return outputs
