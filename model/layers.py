"""Building blocks shared by the backbones, the encoders and the decoder.

Shapes: B batch, C channels, H x W map, T tokens, D width of a token.

`fuse()` on a block folds what only training needs into plain convolutions, in place. The folding
is done in float64, so that the fused form differs from the training form by rounding alone.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QuantPoint(nn.Identity):
    """Where quantization may measure and round what passes. By itself it does nothing."""


class Affine(nn.Module):
    """One learnable scale and bias for a whole map (the "LAB" of HGNetv2)."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.bias


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, and an optional activation and affine.

    Keeps the map's size at stride 1 for odd kernels.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        act: nn.Module | None = None,
        affine: bool = False,
    ) -> None:
        super().__init__()
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)
        smooth = isinstance(act, nn.SiLU | nn.GELU)  # a ReLU is part of the convolution
        self.raw: nn.Module = QuantPoint() if smooth else nn.Identity()
        self.act = act if act is not None else nn.Identity()
        self.affine = Affine() if affine else nn.Identity()
        self.out: nn.Module = QuantPoint()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.affine(self.act(self.raw(self.norm(self.conv(x))))))

    @torch.no_grad()
    def fuse(self) -> None:
        """Fold the batch normalisation into the convolution; a second call changes nothing."""
        if not isinstance(self.norm, nn.BatchNorm2d):
            return
        weight, bias = folded(self.conv, self.norm)
        self.conv.weight.data = weight.to(self.conv.weight.dtype)
        self.conv.bias = nn.Parameter(bias.to(self.conv.weight.dtype))
        self.norm = nn.Identity()


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of the one convolution that equals `norm(conv(x))` in eval mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.bias.double() - norm.running_mean.double() * gain
    return conv.weight.double() * gain[:, None, None, None], bias


class RepVGG(nn.Module):
    """Sum of a 3x3 and a 1x1 convolution (RepVGG, arXiv 2101.03697, without identity)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, width, 3)
        self.conv2: ConvNorm | None = ConvNorm(width, width, 1)
        self.act = nn.SiLU()
        self.out: nn.Module = QuantPoint()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        return self.out(self.act(y if self.conv2 is None else y + self.conv2(x)))

    @torch.no_grad()
    def fuse(self) -> None:
        """Merge both branches into the 3x3 convolution."""
        if self.conv2 is None:
            return
        norm1, norm2 = self.conv1.norm, self.conv2.norm
        assert isinstance(norm1, nn.BatchNorm2d) and isinstance(norm2, nn.BatchNorm2d)
        weight, bias = folded(self.conv1.conv, norm1)
        point, point_bias = folded(self.conv2.conv, norm2)
        conv = self.conv1.conv
        dtype = conv.weight.dtype
        conv.weight.data = (weight + F.pad(point, (1, 1, 1, 1))).to(dtype)
        conv.bias = nn.Parameter((bias + point_bias).to(dtype))
        self.conv1.norm = nn.Identity()
        self.conv2 = None


class CSP(nn.Module):
    """Cross-stage partial block: half of the channels pass through `depth` RepVGG blocks."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.conv1 = ConvNorm(inputs, 2 * outputs, 1, act=nn.SiLU())
        self.bottlenecks = nn.Sequential(*[RepVGG(outputs) for _ in range(depth)])
        self.sum: nn.Module = QuantPoint()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        kept, deep = x[:, : self.outputs], x[:, self.outputs :]
        return self.sum(kept + self.bottlenecks(deep))


class ELAN(nn.Module):
    """Efficient layer aggregation of two CSP blocks (GELAN, arXiv 2402.13616)."""

    def __init__(self, width: int, expansion: float, depth: int, extra_conv: bool) -> None:
        super().__init__()
        inner = int(expansion * width) // 2
        self.width = width
        self.cv1 = ConvNorm(width, 2 * width, 1, act=nn.SiLU())
        self.cv2 = self._branch(width, inner, depth, extra_conv)
        self.cv3 = self._branch(inner, inner, depth, extra_conv)
        self.cv4 = ConvNorm(2 * width + 2 * inner, width, 1, act=nn.SiLU())

    @staticmethod
    def _branch(inputs: int, inner: int, depth: int, extra_conv: bool) -> nn.Sequential:
        extra = [ConvNorm(inner, inner, 3, act=nn.SiLU())] if extra_conv else []
        return nn.Sequential(CSP(inputs, inner, depth), *extra)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cv1(x)
        first = self.cv2(x[:, self.width :])
        return self.cv4(torch.cat([x, first, self.cv3(first)], dim=1))


class RMSNorm(nn.Module):
    """Root mean square norm over the last dimension, epsilon inside the root (arXiv 1910.07467)."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()  # half precision cannot hold the squares
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return wide.to(x.dtype) * self.scale


class SwiGLU(nn.Module):
    """Gated feed-forward network, `w3(silu(a) * b)` with a, b the halves of `w12(x)`."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.w12 = nn.Linear(width, 2 * hidden)
        self.w3 = nn.Linear(hidden, width)
        for layer in (self.w12, self.w3):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.input, self.raw, self.gated, self.out = (QuantPoint() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.raw(self.w12(self.input(x)))
        gated = self.gated(F.silu(x[..., : self.hidden]) * x[..., self.hidden :])
        return self.out(self.w3(gated))


class MLP(nn.Module):
    """Linear layers with SiLU between them; `widths` lists every width, input first."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(widths)])
        self.before = nn.ModuleList([QuantPoint() for _ in self.layers])
        self.after = nn.ModuleList([QuantPoint() for _ in self.layers])

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = self.after[i](layer(self.before[i](x if i == 0 else F.silu(x))))
        return x

    def zero_output(self) -> None:
        """Set the last layer to zero, so that the network gives 0 until it is trained."""
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)


class PackedLinear(nn.Linear):
    """Several projections in one weight; `rows` chooses among their outputs."""

    def forward(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        return F.linear(x, self.weight[rows], self.bias[rows])


class SelfAttention(nn.Module):
    """Multi-head attention whose queries and keys may carry a position embedding.

    Takes x [B, T, D] and position [B, T, D] or [1, T, D]; gives [B, T, D].
    `mask` is boolean [T, T], True where a query must not look.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = PackedLinear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj.weight)
        nn.init.zeros_(self.in_proj.bias)
        nn.init.zeros_(self.out_proj.bias)
        self.placed, self.content, self.qk, self.values = (QuantPoint() for _ in range(4))
        self.attended, self.out = QuantPoint(), QuantPoint()

    def forward(self, x: Tensor, position: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, tokens, width = x.shape
        qk = self.qk(self.in_proj(self.placed(x + position), slice(2 * width)))
        q, k = qk[..., :width], qk[..., width:]
        v = self.values(self.in_proj(self.content(x), slice(2 * width, None)))
        q, k, v = (t.view(batch, tokens, self.heads, -1).transpose(1, 2) for t in (q, k, v))
        attended = F.scaled_dot_product_attention(q, k, v, None if mask is None else ~mask)
        attended = self.attended(attended.transpose(1, 2).reshape(batch, tokens, width))
        return self.out(self.out_proj(attended))


def flatten_maps(maps: Sequence[Tensor]) -> Tensor:
    """Maps [B, C, H, W] of several levels as one token sequence [B, sum of H*W, C], row by row."""
    return torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1)


def fuse(module: nn.Module) -> None:
    """Call `fuse()` on every block below `module`, parents first (RepVGG before its branches)."""
    for child in module.modules():
        if child is not module and callable(fold := getattr(child, "fuse", None)):
            fold()
