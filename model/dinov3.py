"""Vision transformer of S, M (small ViTs distilled from DINOv3) and L, X (DINOv3 ViT-S, ViT-S+).

Written from the papers: ViT (arXiv 2010.11929), storage (register) tokens (arXiv 2309.16588),
rotary position embedding over two axes (arXiv 2104.09864, 2403.13298), DINOv3 (arXiv 2508.10104).

Positions are not added to the tokens: each head rotates its queries and keys by angles that follow
from where the patch lies. A head of 64 dimensions is 32 planes, plane i made of dimensions i and
i + 32. The first 16 planes turn with the patch's y, the others with its x, both measured from -1 to
1 across the image, at 16 periods that grow geometrically. Class and storage tokens do not turn.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.model.layers import PackedLinear, QuantPoint
from deimv2.model.variants import ViT

PATCH = 16


class RotaryAngles(nn.Module):
    """Cosine and sine [h*w, head width] of the rotation of each patch of an h x w grid."""

    periods: Tensor

    def __init__(self, head_width: int, base: float) -> None:
        super().__init__()
        planes = head_width // 4  # per axis
        self.register_buffer("periods", base ** (torch.arange(planes) / planes))

    def forward(self, h: int, w: int) -> tuple[Tensor, Tensor]:
        periods = self.periods
        y = (torch.arange(h, dtype=periods.dtype, device=periods.device) + 0.5) / h * 2 - 1
        x = (torch.arange(w, dtype=periods.dtype, device=periods.device) + 0.5) / w * 2 - 1
        grid = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).reshape(h * w, 2, 1)
        angles = (2 * math.pi * grid / periods).flatten(1)  # [h*w, y planes then x planes]
        angles = torch.cat([angles, angles], dim=1)
        return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each plane (i, i + half) of x [..., T, D] by its angle, given as cos and sin [T, D]."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin


class KeyMaskedLinear(PackedLinear):
    """DINOv3's projection to queries, keys and values; `bias_mask` switches off the keys' bias."""

    bias_mask: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        mask = torch.ones(outputs)
        mask[outputs // 3 : 2 * outputs // 3] = 0
        self.register_buffer("bias_mask", mask)

    def forward(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        return F.linear(x, self.weight[rows], (self.bias * self.bias_mask)[rows])

    @torch.no_grad()
    def fuse(self) -> None:
        self.bias.data *= self.bias_mask
        self.bias_mask = torch.ones_like(self.bias_mask)


class Attention(nn.Module):
    """Self-attention of tokens [B, T, D] with rotated queries and keys."""

    def __init__(self, width: int, heads: int, masked_key_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = (KeyMaskedLinear if masked_key_bias else PackedLinear)(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.input, self.qk, self.values, self.attended, self.out = (QuantPoint() for _ in range(5))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        x = self.input(x)
        qk = self.qk(self.qkv(x, slice(2 * width)))
        q, k = qk[..., :width], qk[..., width:]
        v = self.values(self.qkv(x, slice(2 * width, None)))
        q, k, v = (t.view(batch, tokens, self.heads, -1).transpose(1, 2) for t in (q, k, v))
        still = tokens - cos.shape[0]
        q, k = (
            torch.cat([t[:, :, :still], rotate(t[:, :, still:], cos, sin)], dim=2) for t in (q, k)
        )
        attended = F.scaled_dot_product_attention(q, k, v)
        attended = self.attended(attended.transpose(1, 2).reshape(batch, tokens, width))
        return self.out(self.proj(attended))


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.input, self.raw, self.hidden, self.out = (QuantPoint() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.hidden(F.gelu(self.raw(self.fc1(self.input(x)))))
        return self.out(self.fc2(hidden))


class GatedFeedForward(nn.Module):
    """SwiGLU (arXiv 2002.05202) with one projection per branch, as DINOv3 stores it."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(width, hidden)
        self.w2 = nn.Linear(width, hidden)
        self.w3 = nn.Linear(hidden, width)
        self.input, self.raw1, self.raw2, self.gated, self.out = (QuantPoint() for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.input(x)
        gated = self.gated(F.silu(self.raw1(self.w1(x))) * self.raw2(self.w2(x)))
        return self.out(self.w3(gated))


class LayerScale(nn.Module):
    """A learnable gain per channel on a residual branch (arXiv 2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class TransformerBlock(nn.Module):
    def __init__(self, c: ViT) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(c.width, c.norm_eps)
        self.attn: nn.Module = Attention(c.width, c.heads, masked_key_bias=c.pretrained_extras)
        self.ls1 = LayerScale(c.width) if c.pretrained_extras else nn.Identity()
        self.norm2 = nn.LayerNorm(c.width, c.norm_eps)
        self.mlp = (GatedFeedForward if c.gated else FeedForward)(c.width, c.hidden)
        self.ls2 = LayerScale(c.width) if c.pretrained_extras else nn.Identity()

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x), cos, sin))
        return x + self.ls2(self.mlp(self.norm2(x)))

    @torch.no_grad()
    def fuse(self) -> None:
        """Put the gains of both branches into the branches' last projections."""
        assert isinstance(self.attn, Attention)
        last = self.mlp.w3 if isinstance(self.mlp, GatedFeedForward) else self.mlp.fc2
        for scale, projection in ((self.ls1, self.attn.proj), (self.ls2, last)):
            if isinstance(scale, LayerScale):
                projection.weight.data *= scale.gamma[:, None]
                projection.bias.data *= scale.gamma
        self.ls1 = self.ls2 = nn.Identity()


class VisionTransformer(nn.Module):
    """Image [B, 3, H, W] -> patch tokens [B, D, H/16, W/16] after each tapped block."""

    def __init__(self, c: ViT) -> None:
        super().__init__()
        self.taps = c.taps
        self.patch_embed: nn.Module = nn.Conv2d(3, c.width, PATCH, PATCH)
        self.patches: nn.Module = QuantPoint()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, c.width))
        self.storage_tokens = (
            nn.Parameter(torch.zeros(1, c.storage_tokens, c.width)) if c.storage_tokens else None
        )
        self.rotary: nn.Module = RotaryAngles(c.width // c.heads, c.rope_base)
        self.blocks = nn.ModuleList([TransformerBlock(c) for _ in range(c.depth)])
        self.norm = nn.LayerNorm(c.width, c.norm_eps) if c.pretrained_extras else nn.Identity()

    def forward(self, images: Tensor) -> list[Tensor]:
        h, w = images.shape[2] // PATCH, images.shape[3] // PATCH
        maps = []
        for x in self._tapped(images, self.taps):
            tokens = x[:, x.shape[1] - h * w :]
            maps.append(tokens.transpose(1, 2).reshape(len(x), x.shape[2], h, w))
        return maps

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The last block's class token [B, D] and patch tokens [B, H/16 * W/16, D]."""
        (x,) = self._tapped(images, (len(self.blocks) - 1,))
        patches = (images.shape[2] // PATCH) * (images.shape[3] // PATCH)
        return x[:, 0], x[:, -patches:]

    def _tapped(self, images: Tensor, taps: Sequence[int]) -> Iterator[Tensor]:
        """All tokens [B, T, D] after each tapped block: class, storage, patches."""
        patches = self.patches(self.patch_embed(images))
        batch, width, h, w = patches.shape
        tokens = patches.reshape(batch, width, h * w).transpose(1, 2)
        x = torch.cat([*self.still_tokens(batch), tokens], dim=1)
        cos, sin = self.rotary(h, w)
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin)
            if i in taps:
                yield self.norm(x)

    def still_tokens(self, batch: int) -> list[Tensor]:
        """Tokens [B, T, D] without a place in the image: class, then storage if there are any."""
        tokens = [self.cls_token.expand(batch, -1, -1)]
        if self.storage_tokens is not None:
            tokens.append(self.storage_tokens.expand(batch, -1, -1))
        return tokens
