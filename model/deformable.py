"""One layer of the decoder: attention among the queries, then to a few points of the maps.

Deformable attention is of arXiv 2010.04159, the gated residual of DEIMv2 (arXiv 2509.20787, section
3.3). Shapes: B batch, Q queries, D width, L tokens of all levels, P points per head.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.model import variants
from deimv2.model.layers import QuantPoint, RMSNorm, SelfAttention, SwiGLU

Shapes = Sequence[tuple[int, int]]  # height and width of each level


class GridSampler(nn.Module):
    """Bilinear samples of every level's map, weighted and summed; zero outside the map."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def prepare(self, memory: Tensor, shapes: Shapes) -> list[Tensor]:
        """Tokens [B, L, D] as one map [B*heads, D/heads, h, w] per level."""
        batch, _, width = memory.shape
        heads = self.heads
        levels = memory.transpose(1, 2).split([h * w for h, w in shapes], dim=2)
        return [
            level.reshape(batch * heads, width // heads, h, w)
            for level, (h, w) in zip(levels, shapes, strict=True)
        ]

    def forward(
        self, maps: list[Tensor], locations: Tensor, weights: Tensor, points: Sequence[int]
    ) -> Tensor:
        """Locations [B, Q, heads, P, 2] as x, y in 0..1 and weights [B, Q, heads, P] -> [B, Q, D].

        The first points[0] of the P points look at the first level, and so on.
        """
        batch, queries = locations.shape[:2]
        grids = (2 * locations - 1).transpose(1, 2).flatten(0, 1).split(list(points), dim=2)
        sampled = torch.cat(
            [
                F.grid_sample(m, g, mode="bilinear", padding_mode="zeros", align_corners=False)
                for m, g in zip(maps, grids, strict=True)
            ],
            dim=3,
        )  # [B*heads, D/heads, Q, P]
        weighted = sampled * weights.transpose(1, 2).flatten(0, 1)[:, None]
        return weighted.sum(-1).reshape(batch, -1, queries).transpose(1, 2)


class DeformableAttention(nn.Module):
    """Queries [B, Q, D] look at P points per head around their boxes [B, Q, 4] -> [B, Q, D]."""

    REACH = 0.5  # an offset of 1 is half of the box's side
    num_points_scale: Tensor

    def __init__(self, width: int, heads: int, points: tuple[int, ...]) -> None:
        super().__init__()
        self.heads, self.points = heads, points
        total = sum(points)
        self.sampling_offsets = nn.Linear(width, heads * total * 2)
        self.attention_weights = nn.Linear(width, heads * total)
        self.sampler = GridSampler(heads)
        scale = torch.tensor([1 / n for n in points for _ in range(n)])
        self.register_buffer("num_points_scale", scale, persistent=False)
        self._reset()

    @torch.no_grad()
    def _reset(self) -> None:
        """Heads start by looking in different directions, their points further and further away."""
        angle = torch.arange(self.heads) * (2 * math.pi / self.heads)
        direction = torch.stack([angle.cos(), angle.sin()], dim=-1)
        direction = direction / direction.abs().amax(-1, keepdim=True)
        steps = torch.cat([torch.arange(1, n + 1) for n in self.points])
        self.sampling_offsets.bias.copy_((direction[:, None] * steps[:, None]).flatten())
        nn.init.zeros_(self.sampling_offsets.weight)
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)

    def forward(self, query: Tensor, boxes: Tensor, maps: list[Tensor]) -> Tensor:
        batch, queries, _ = query.shape
        offsets = self.sampling_offsets(query).view(batch, queries, self.heads, -1, 2)
        weights = self.attention_weights(query).view(batch, queries, self.heads, -1).softmax(-1)
        boxes = boxes[:, :, None, None]
        offsets = offsets * self.num_points_scale[:, None] * boxes[..., 2:] * self.REACH
        return self.sampler(maps, boxes[..., :2] + offsets, weights, self.points)


class Gate(nn.Module):
    """Residual whose two terms are gated by a sigmoid of both, then normalised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.gate = nn.Linear(2 * width, 2 * width)
        self.norm = RMSNorm(width)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)
        self.both, self.raw = QuantPoint(), QuantPoint()

    def forward(self, x: Tensor, update: Tensor) -> Tensor:
        gates = self.raw(self.gate(self.both(torch.cat([x, update], dim=-1)))).sigmoid()
        return self.norm(gates[..., : self.width] * x + gates[..., self.width :] * update)


class PlainResidual(nn.Module):
    """Normalised sum, where a variant has no gate."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = RMSNorm(width)

    def forward(self, x: Tensor, update: Tensor) -> Tensor:
        return self.norm(x + update)


class DecoderLayer(nn.Module):
    """Self-attention among the queries, deformable attention to the maps, SwiGLU."""

    def __init__(self, c: variants.Decoder) -> None:
        super().__init__()
        self.self_attn = SelfAttention(c.width, c.heads)
        self.norm1 = RMSNorm(c.width)
        self.cross_attn: nn.Module = DeformableAttention(c.width, c.heads, c.points)
        self.residual = (Gate if c.gate else PlainResidual)(c.width)
        self.ffn = SwiGLU(c.width, c.hidden)
        self.norm3 = RMSNorm(c.width)

    def forward(
        self, x: Tensor, position: Tensor, boxes: Tensor, maps: list[Tensor], mask: Tensor | None
    ) -> Tensor:
        x = self.norm1(x + self.self_attn(x, position, mask))
        x = self.residual(x, self.cross_attn(x + position, boxes, maps))
        x = x + self.ffn(x)
        return self.norm3(x.clamp(-65504, 65504))  # the range of half precision
