"""Rewrites of single layers: the same numbers from operations that phone runtimes have.

Each class takes the layer that it replaces and answers the same call. What is constant becomes a
buffer, so that no graph rebuilds it at run time. `mobile_form` says which layer becomes what.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.model import dinov3, hgnetv2, layers, sta
from deimv2.quantization.rounding import Clamp, RoundedLinear


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer that holds the given weight [out, in] and bias [out]."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = weight.detach().clone()
    layer.bias.data = bias.detach().clone()
    return layer


class MatmulRMSNorm(nn.Module):
    """RMSNorm whose mean is a product with a constant row, epsilon as its bias.

    XNNPACK takes means over the last dimension only for maps, not for tokens; a product it takes.
    Core ML's pass that fuses a linear layer with a following addition fails on a scalar, hence the
    bias.
    """

    def __init__(self, norm: layers.RMSNorm) -> None:
        super().__init__()
        width = len(norm.scale)
        self.mean = linear(torch.full((1, width), 1 / width), torch.tensor([norm.eps]))
        self.scale = norm.scale

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()  # half precision cannot hold the squares
        return (wide * torch.rsqrt(self.mean(wide * wide)) * self.scale).to(x.dtype)


class MatmulLayerNorm(nn.Module):
    """LayerNorm with both means as products, for the same reason as MatmulRMSNorm."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        width = len(norm.weight)
        row = torch.full((1, width), 1 / width)
        self.mean = linear(row, torch.zeros(1))
        self.variance = linear(row, torch.tensor([norm.eps]))
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        wide = wide - self.mean(wide)
        wide = wide * torch.rsqrt(self.variance(wide * wide)) * self.weight + self.bias
        return wide.to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of heads [N, T, D], queries already scaled -> tokens [1, T, N*D].

    Three-dimensional products are the ones that every delegate takes.
    """
    attended = torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(-1), v)
    return attended.transpose(0, 1).reshape(1, q.shape[1], -1)


def to_heads(x: Tensor, heads: int) -> Tensor:
    """Tokens [1, T, N*D] -> [N, T, D]."""
    return x.view(x.shape[1], heads, -1).transpose(0, 1)


class Gain(nn.Module):
    """A constant factor on tokens [1, T, D]."""

    value: Tensor

    def __init__(self, value: float) -> None:
        super().__init__()
        self.register_buffer("value", torch.full((1, 1, 1), value))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.value


def projections(packed: nn.Module, heads: int, points: Sequence[nn.Module]) -> Sequence[nn.Module]:
    """One layer each for queries, keys and values, with the point behind each.

    The queries' scale is in their weight; where int8 is rounded, behind the rounding.
    """
    assert isinstance(packed, nn.Linear | RoundedLinear)
    weights, biases = packed.weight.chunk(3), packed.bias.chunk(3)
    parts = [linear(*each) for each in zip(weights, biases, strict=True)]
    scale = (packed.weight.shape[1] // heads) ** -0.5
    if isinstance(packed, RoundedLinear):
        rounded = [nn.Sequential(RoundedLinear(p), q) for p, q in zip(parts, points, strict=True)]
        rounded[0].append(Gain(scale))
        return rounded
    parts[0].weight.data *= scale
    parts[0].bias.data *= scale
    return parts


class Wide(nn.Sequential):
    """Layers that stay in float32 where the others are in float16; what they give is rounded."""

    def forward(self, x: Tensor) -> Tensor:
        wide: Tensor = super().forward(x.float())  # type: ignore[no-untyped-call]
        return wide.to(x.dtype)


class SplitSelfAttention(nn.Module):
    """Self-attention with one projection each for queries, keys and values.

    Core ML's converter refuses slices of a packed weight. wide: queries and keys are `Wide`.
    """

    def __init__(self, attention: layers.SelfAttention, wide: bool = False) -> None:
        super().__init__()
        self.heads = attention.heads
        self.placed, self.content = attention.placed, attention.content
        points = attention.qk, attention.qk, attention.values
        self.q, self.k, self.v = projections(attention.in_proj, self.heads, points)
        if wide:
            self.q, self.k = Wide(self.q), Wide(self.k)
        self.out_proj = nn.Sequential(attention.attended, attention.out_proj, attention.out)

    def forward(self, x: Tensor, position: Tensor, mask: Tensor | None = None) -> Tensor:
        assert mask is None  # masks belong to training
        placed = self.placed(x + position)
        parts = self.q(placed), self.k(placed), self.v(self.content(x))
        q, k, v = (to_heads(part, self.heads) for part in parts)
        return self.out_proj(attend(q, k, v))


class SplitRotaryAttention(nn.Module):
    """The ViT's attention with separate projections and a rotation without negation or gathering.

    Tokens that do not turn get a cosine of 1 and a sine of 0, so that all tokens are treated alike;
    the minus of the rotation is in the sine.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, attention: dinov3.Attention, cos: Tensor, sin: Tensor, still: int) -> None:
        super().__init__()
        self.heads = attention.heads
        self.input = attention.input
        points = attention.qk, attention.qk, attention.values
        self.q, self.k, self.v = projections(attention.qkv, self.heads, points)
        self.proj = nn.Sequential(attention.attended, attention.proj, attention.out)
        self.middle = cos.shape[1] // 2
        signed = torch.cat([-sin[:, : self.middle], sin[:, self.middle :]], dim=1)
        self.register_buffer("cos", F.pad(cos, (0, 0, still, 0), value=1.0)[None])
        self.register_buffer("sin", F.pad(signed, (0, 0, still, 0))[None])

    def rotate(self, x: Tensor) -> Tensor:
        swapped = torch.cat([x[..., self.middle :], x[..., : self.middle]], dim=-1)
        return x * self.cos + swapped * self.sin

    def forward(self, x: Tensor, cos: None = None, sin: None = None) -> Tensor:
        x = self.input(x)
        q, k, v = (to_heads(p(x), self.heads) for p in (self.q, self.k, self.v))
        return self.proj(attend(self.rotate(q), self.rotate(k), v))


class NoAngles(nn.Module):
    """In place of `RotaryAngles`: `SplitRotaryAttention` holds its own."""

    def forward(self, h: int, w: int) -> tuple[None, None]:
        return None, None


class StaticVisionTransformer(dinov3.VisionTransformer):
    """The ViT for one image size: class and storage tokens and rotation tables are constants.

    Takes over the layers of `vit`.
    """

    still: Tensor

    def __init__(self, vit: dinov3.VisionTransformer, height: int, width: int) -> None:
        nn.Module.__init__(self)  # its parts are another's
        self.taps = vit.taps
        self.patch_embed = nn.Sequential(vit.patch_embed, vit.patches)
        self.patches = nn.Identity()
        still = torch.cat(vit.still_tokens(1), dim=1).detach()
        self.register_buffer("still", still)
        cos, sin = vit.rotary(height // dinov3.PATCH, width // dinov3.PATCH)
        for block in vit.blocks:
            assert isinstance(block, dinov3.TransformerBlock)
            assert isinstance(block.attn, dinov3.Attention)
            block.attn = SplitRotaryAttention(block.attn, cos, sin, still.shape[1])
        self.blocks, self.norm, self.rotary = vit.blocks, vit.norm, NoAngles()

    def still_tokens(self, batch: int) -> list[Tensor]:
        return [self.still]


class ShiftedReLU(nn.Module):
    """A bound behind a convolution as a ReLU, which runtimes fuse into it, and a sum.

    max(x, b) is relu(x - b) + b, min(x, b) is b - relu(b - x); what goes before the ReLU is in the
    convolution.
    """

    value: Tensor

    def __init__(self, block: layers.ConvNorm) -> None:
        super().__init__()
        bound, conv = block.act, block.conv
        assert isinstance(bound, Clamp) and conv.bias is not None
        self.below = bound.below
        # Of a map's four dimensions, or LiteRT's converter transposes the map for the sum.
        self.register_buffer("value", torch.full((1, 1, 1, 1), bound.value))
        conv.bias.data -= bound.value
        if not bound.below:
            conv.weight.data.neg_()
            conv.bias.data.neg_()

    def forward(self, x: Tensor) -> Tensor:
        return self.shifted(F.relu(x), self.value)

    def shifted(self, x: Tensor, value: Tensor) -> Tensor:
        return value + x if self.below else value - x


class StaticPosition(nn.Module):
    """A position embedding as a constant."""

    table: Tensor

    def __init__(self, position: nn.Module, h: int, w: int) -> None:
        super().__init__()
        self.register_buffer("table", position(h, w, torch.device("cpu")))

    def forward(self, h: int, w: int, device: torch.device) -> Tensor:
        return self.table


class ConvAvgPool(nn.Module):
    """Padded average pooling as a depthwise convolution with 1/9; XNNPACK takes no padded one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        conv = nn.Conv2d(channels, channels, 3, 2, 1, groups=channels, bias=False)
        conv.weight.data.fill_(1 / 9)
        self.conv: nn.Module = conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class WidePad(nn.Module):
    """Zero padding in float32, whatever comes in: Core ML's converter gives nothing else."""

    def __init__(self, pad: nn.ZeroPad2d) -> None:
        super().__init__()
        self.padding = pad.padding

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x.float(), self.padding).to(x.dtype)


class ZerosBeside(nn.Module):
    """The stem's padding, a column and a row of zeros, by concatenation.

    XNNPACK pads, but ExecuTorch offers it no int8 padding: maps would be turned to float32, padded
    and turned back, an eighth of Atto's time in int8. LiteRT's converter pads in NCHW, between two
    transpositions of the largest maps (docs/decisions/014).

    size: (h, w) of the maps.
    """

    def __init__(self, stem: hgnetv2.Stem, size: tuple[int, int]) -> None:
        super().__init__()
        height, width = size
        for part in (stem.stem1, stem.stem2a):
            channels = len(part.conv.weight)
            self.register_buffer(f"right{channels}", torch.zeros(1, channels, height, 1))
            self.register_buffer(f"below{channels}", torch.zeros(1, channels, 1, width + 1))

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        x = torch.cat([x, self.get_buffer(f"right{channels}")], dim=3)
        return torch.cat([x, self.get_buffer(f"below{channels}")], dim=2)


class FixedResize(nn.Module):
    """Bilinear resize by 2, 1 or 1/2 without align_corners: halving is exactly a 2x2 average."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        if ratio not in (2.0, 1.0, 0.5):
            raise ValueError(f"ratio {ratio}; expected 2, 1 or 0.5")
        self.ratio = ratio

    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        if self.ratio == 2.0:
            size = (2 * x.shape[2], 2 * x.shape[3])
            return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        return x if self.ratio == 1.0 else F.avg_pool2d(x, 2, 2)


def static_adapter(
    adapter: sta.SpatialTuningAdapter, height: int, width: int
) -> sta.SpatialTuningAdapter:
    """With fixed resizes and the static ViT, in place."""
    adapter.vit = StaticVisionTransformer(adapter.vit, height, width)
    adapter.resize = nn.ModuleList([FixedResize(ratio) for ratio in (2.0, 1.0, 0.5)])
    return adapter


class RepeatUpsample(nn.Module):
    """Nearest x2 upsampling of [1, C, H, W] by a product with ones.

    XNNPACK has no nearest resize; the product keeps the whole encoder in one delegate call.
    """

    ones: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ones", torch.ones(1, 1, 2, 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        repeated = x.reshape(channels, height, 1, width, 1) * self.ones
        return repeated.reshape(1, channels, 2 * height, 2 * width)
