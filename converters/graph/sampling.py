"""Deformable sampling without `grid_sample`, which no phone delegate takes.

Both forms equal bilinear sampling with zeros outside the map. `size` is (h, w) of a level; N heads,
Q queries, P points per head at that level, D channels per head.

- MatmulSampler needs no gather: a bilinear weight is a product of two tents, relu(1 - |x - column|)
  and relu(1 - |y - row|). Points are summed into one [h, w] weight map per query before it meets
  the map, in matrix products that every accelerator takes. Work grows with h*w.
- GatherSampler reads the four corners of each point from maps with a border of zeros. Work does not
  depend on the map's size, but it needs a gather, which GPU and NPU delegates leave to the CPU.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Sizes = Sequence[tuple[int, int]]


class MatmulSampler(nn.Module):
    one: Tensor  # a scalar would be turned into a tensor anew by every call of the graph

    def __init__(self, sizes: Sizes, points: Sequence[int], heads: int) -> None:
        super().__init__()
        self.sizes, self.points, self.heads = tuple(sizes), tuple(points), heads
        self.maps: nn.Module = nn.Identity()  # sees every weight map; it lies between 0 and 1
        self.register_buffer("one", torch.ones(1))
        for i, (h, w) in enumerate(sizes):
            self.register_buffer(f"columns{i}", torch.arange(w).float().view(1, 1, w))
            self.register_buffer(f"rows{i}", torch.arange(h).float().view(1, 1, h))

    def prepare(self, memory: Tensor, shapes: Sizes) -> list[Tensor]:
        """Tokens [1, L, N*D] as values [N, h*w, D] per level."""
        values, start = [], 0
        for h, w in self.sizes:
            level = memory[:, start : start + h * w]
            values.append(level.view(h * w, self.heads, -1).transpose(0, 1))
            start += h * w
        return values

    def forward(self, values: list[Tensor], x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """x, y (in cells of each point's level), weights [N*Q, P of all levels] -> [1, Q, N*D]."""
        dtype, weights = values[0].dtype, weights.float()
        total, start = None, 0
        for i, ((h, w), points) in enumerate(zip(self.sizes, self.points, strict=True)):
            level = slice(start, start + points)
            across = F.relu(self.one - (x[:, level, None] - self.get_buffer(f"columns{i}")).abs())
            down = F.relu(self.one - (y[:, level, None] - self.get_buffer(f"rows{i}")).abs())
            down, across = (down * weights[:, level, None]).to(dtype), across.to(dtype)
            weight_map = torch.bmm(down.transpose(1, 2), across)  # [N*Q, h, w]
            weight_map = self.maps(weight_map.view(self.heads, -1, h * w))
            sampled = torch.bmm(weight_map, values[i])
            total = sampled if total is None else total + sampled
            start += points
        assert total is not None
        return total.transpose(0, 1).reshape(1, total.shape[1], -1)


class GatherSampler(nn.Module):
    """Maps get one row and column of zeros before and two after, which clamped corners read."""

    table: Tensor
    origin: Tensor
    stride: Tensor
    width: Tensor
    height: Tensor
    minus: Tensor
    one: Tensor

    def __init__(self, sizes: Sizes, points: Sequence[int], heads: int) -> None:
        super().__init__()
        self.sizes, self.heads = tuple(sizes), heads
        start, starts, strides = 0, list[int](), list[int]()
        width, height = list[int](), list[int]()
        for (h, w), n in zip(sizes, points, strict=True):
            starts += [start + (w + 3) + 1] * n  # of the cell (0, 0)
            strides += [w + 3] * n
            width, height = width + [w] * n, height + [h] * n
            start += (h + 3) * (w + 3)
        # In four dimensions: of a constant of two or three LiteRT's GPU delegate adds the first row
        # everywhere (docs/gpu.md).
        self.register_buffer("table", torch.arange(heads).float().view(1, heads, 1, 1) * start)
        self.register_buffer("origin", torch.tensor([starts], dtype=torch.float32))
        self.register_buffer("stride", torch.tensor([strides], dtype=torch.float32))
        self.register_buffer("width", torch.tensor([width], dtype=torch.float32))
        self.register_buffer("height", torch.tensor([height], dtype=torch.float32))
        self.register_buffer("minus", torch.tensor([[-1.0]]))
        self.register_buffer("one", torch.ones(1))

    def prepare(self, memory: Tensor, shapes: Sizes) -> list[Tensor]:
        """Tokens [1, L, N*D] as one table [N * padded cells of all levels, D]."""
        padded, start = [], 0
        for h, w in self.sizes:
            level = memory[:, start : start + h * w].view(1, h, w, -1)
            level = F.pad(level, (0, 0, 1, 2, 1, 2)).view((h + 3) * (w + 3), self.heads, -1)
            padded.append(level.transpose(0, 1))
            start += h * w
        table = torch.cat(padded, dim=1)
        return [table.reshape(-1, table.shape[2])]

    def forward(self, values: list[Tensor], x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """x, y (in cells of each point's level) and weights [N*Q, P] -> [1, Q, N*D]."""
        x = torch.minimum(torch.maximum(x, self.minus), self.width)
        y = torch.minimum(torch.maximum(y, self.minus), self.height)
        left, top = x.floor(), y.floor()
        right, bottom = x - left, y - top
        corner = top * self.stride + left + self.origin
        by_head = corner.view(1, self.heads, -1, corner.shape[1])
        corner = (by_head + self.table).view(corner.shape)
        below = corner + self.stride
        corners = torch.cat([corner, corner + self.one, below, below + self.one], dim=1)
        weights = weights.float()
        lower, leftward = weights * bottom, self.one - right
        upper = weights - lower
        shares = torch.cat([upper * leftward, upper * right, lower * leftward, lower * right], 1)
        rows = F.embedding(corners.to(torch.int32), values[0])  # [N*Q, 4P, D]
        shares = shares.view(-1, 1, shares.shape[1]).to(rows.dtype)
        sampled = torch.bmm(shares, rows)  # [N*Q, 1, D]
        sampled = sampled.view(self.heads, -1, sampled.shape[2])
        return sampled.transpose(0, 1).reshape(1, sampled.shape[1], -1)
