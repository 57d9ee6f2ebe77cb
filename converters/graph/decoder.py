"""The decoder for one image size, from operations that phone runtimes have.

Batch 1; N heads, Q queries, P points per head over all levels, D width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.converters.graph.layers import linear
from deimv2.converters.graph.sampling import GatherSampler, MatmulSampler
from deimv2.model import decoder as eager
from deimv2.model import deformable

LOGIT_LIMIT = -math.log(eager.EPSILON)  # where the release's inverse sigmoid saturates


class AnchorTable(nn.Module):
    """Unactivated anchors [1, Q, 4] of the chosen tokens [1, Q]."""

    table: Tensor

    def __init__(self, anchors: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", anchors)

    def forward(self, chosen: Tensor) -> Tensor:
        return F.embedding(chosen, self.table)


class CellPositions(nn.Module):
    """Box-relative offsets -> positions in cells of each point's level, one axis."""

    cells: Tensor
    centre: Tensor

    def __init__(self, cells: list[int]) -> None:
        super().__init__()
        self.register_buffer("cells", torch.tensor([cells], dtype=torch.float32))
        self.register_buffer("centre", torch.tensor([[0.5]]))  # of the first cell

    def forward(self, offsets: Tensor, middle: Tensor, side: Tensor) -> Tensor:
        """Offsets [Q, N*P] in sides of the box, its middle and side [Q, 1] -> [Q, N*P]."""
        return (middle + offsets.float() * side) * self.cells - self.centre


class StaticDeformableAttention(nn.Module):
    """Deformable attention whose offsets come out as x and y in cells, head by head.

    The scale of the points (1/n, half of the box) is in the weights of two projections, one per
    axis.
    """

    def __init__(
        self, attention: deformable.DeformableAttention, sampler: MatmulSampler | GatherSampler
    ) -> None:
        super().__init__()
        self.sampler, self.heads = sampler, attention.heads
        offsets = attention.sampling_offsets
        scale = attention.num_points_scale.repeat(self.heads) * attention.REACH
        self.x, self.y = (
            linear(offsets.weight[axis::2] * scale[:, None], offsets.bias[axis::2] * scale)
            for axis in (0, 1)
        )
        self.weights = attention.attention_weights
        sizes = zip(sampler.sizes, attention.points, strict=True)
        cells = [size for size, n in sizes for _ in range(n)] * self.heads
        self.columns = CellPositions([w for _, w in cells])
        self.rows = CellPositions([h for h, _ in cells])

    def per_head(self, x: Tensor) -> Tensor:
        """[Q, N*P] -> [N*Q, P]."""
        queries = x.shape[0]
        return x.view(queries, self.heads, -1).transpose(0, 1).reshape(self.heads * queries, -1)

    def forward(self, query: Tensor, boxes: Tensor, values: list[Tensor]) -> Tensor:
        """Queries [1, Q, D], boxes [Q, 4] -> [1, Q, D]."""
        query = query.flatten(0, 1)
        x = self.columns(self.x(query), boxes[:, 0:1], boxes[:, 2:3])
        y = self.rows(self.y(query), boxes[:, 1:2], boxes[:, 3:4])
        weights = self.per_head(self.weights(query)).softmax(-1)
        return self.sampler(values, self.per_head(x), self.per_head(y), weights)


class MatmulIntegral(nn.Module):
    """Edge logits [Q, 4*bins] -> expected offsets [Q, 4] as a product with the bins' offsets."""

    def __init__(self, integral: eager.Integral) -> None:
        super().__init__()
        self.bins = integral.bins
        self.expectation = nn.Linear(self.bins, 1, bias=False)
        self.expectation.weight.data = integral.offsets()[None].clone()

    def forward(self, edges: Tensor) -> Tensor:
        distribution = edges.reshape(-1, self.bins).softmax(-1)
        return self.expectation(distribution).view(-1, 4)


class MatmulEdgeMove(nn.Module):
    """Move box edges by two 4x4 products: `side` copies (w, h, w, h), `combine` pairs the offsets.

    cx + (right - left) * w / (2 s), w + (left + right) * w / s, and the same for y.
    """

    def __init__(self, reg_scale: float) -> None:
        super().__init__()
        side = torch.tensor([[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]]).float()
        half, full = 0.5 / reg_scale, 1 / reg_scale
        combine = [[-half, 0, half, 0], [0, -half, 0, half], [full, 0, full, 0], [0, full, 0, full]]
        self.side = linear(side, torch.zeros(4))
        self.combine = linear(torch.tensor(combine), torch.zeros(4))

    def forward(self, boxes: Tensor, offsets: Tensor) -> Tensor:
        return boxes + self.combine(offsets) * self.side(boxes)


class NetworkQualityEstimator(nn.Module):
    """Quality estimator whose top four bins come from a sorting network instead of a top-k.

    Maxima and minima of slices are operations that every delegate takes; the result is exact, ties
    included. 32 bins are sorted in fours and merged pairwise; the 33rd is inserted at the end.
    """

    def __init__(self, estimator: eager.QualityEstimator) -> None:
        super().__init__()
        if estimator.bins != 33 or estimator.TOP != 4:
            raise ValueError(f"{estimator.bins} bins, top {estimator.TOP}; expected 33 and 4")
        self.bins = estimator.bins
        first, *rest = estimator.mlp.layers
        assert isinstance(first, nn.Linear)
        # (edge, value) -> (value, edge), and the mean of the four as part of the weights
        weight = first.weight.view(-1, 4, 5)
        weight = (weight[..., :4] + weight[..., 4:] / 4).transpose(1, 2).reshape(-1, 16)
        self.first = linear(weight, first.bias)
        self.last = rest[0]

    @staticmethod
    def _sorted_four(bins: Tensor) -> list[Tensor]:
        """[32, M] -> four tensors [8, M], descending."""
        a, b, c, d = (bins[i * 8 : i * 8 + 8] for i in range(4))
        a, b = torch.maximum(a, b), torch.minimum(a, b)
        c, d = torch.maximum(c, d), torch.minimum(c, d)
        a, c = torch.maximum(a, c), torch.minimum(a, c)
        b, d = torch.maximum(b, d), torch.minimum(b, d)
        b, c = torch.maximum(b, c), torch.minimum(b, c)
        return [a, b, c, d]

    @staticmethod
    def _merged(four: list[Tensor]) -> list[Tensor]:
        """Four tensors [2n, M], columns sorted -> the best four of columns i and i + n, sorted."""
        n = four[0].shape[0] // 2
        low = [t[n:] for t in reversed(four)]
        a, b, c, d = (torch.maximum(t[:n], u) for t, u in zip(four, low, strict=True))
        a, c = torch.maximum(a, c), torch.minimum(a, c)
        b, d = torch.maximum(b, d), torch.minimum(b, d)
        return [torch.maximum(a, b), torch.minimum(a, b), torch.maximum(c, d), torch.minimum(c, d)]

    def forward(self, edges: Tensor) -> Tensor:
        """Edge logits [Q, 4*bins] -> correction [Q, 1]."""
        queries = edges.shape[0]
        bins = edges.reshape(-1, self.bins).softmax(-1).transpose(0, 1)  # [33, Q*4]
        four = self._sorted_four(bins[:32])
        for _ in range(3):
            four = self._merged(four)
        extra, best = bins[32:], []
        for value in four:
            best.append(torch.maximum(value, extra))
            extra = torch.minimum(value, extra)
        stacked = torch.cat(best).view(4, queries, 4).transpose(0, 1).reshape(queries, 16)
        return self.last(F.silu(self.first(stacked)))


class StaticDecoder(eager.Decoder):
    """The decoder with other parts: maps -> logits [Q, C] and boxes [Q, 4], both float32.

    Where the weights are in half precision, boxes, edge distributions and sampling positions still
    are in float32: half precision resolves only a third of a pixel. Takes over `decoder`'s layers.
    """

    valid: Tensor

    def __init__(self, decoder: eager.Decoder, sizes: list[tuple[int, int]], gather: bool) -> None:
        nn.Module.__init__(self)  # its parts are another decoder's
        integral, sampler, qualities = decoder.integral, decoder.sampler, decoder.quality
        assert isinstance(integral, eager.Integral) and isinstance(sampler, deformable.GridSampler)
        assert isinstance(qualities, nn.ModuleList)
        quality = qualities[-1]
        assert isinstance(quality, eager.QualityEstimator)
        queries, heads = decoder.selection.queries, sampler.heads
        anchors, valid = decoder.anchors(sizes, torch.device("cpu"))
        self.queries = queries
        self.anchors = AnchorTable(anchors[0])
        self.register_buffer("valid", valid.float())
        self.sampler: GatherSampler | MatmulSampler = (
            GatherSampler(sizes, decoder.points, heads)
            if gather
            else MatmulSampler(sizes, decoder.points, heads)
        )
        for layer in decoder.layers:
            assert isinstance(layer, deformable.DecoderLayer)
            assert isinstance(layer.cross_attn, deformable.DeformableAttention)
            layer.cross_attn = StaticDeformableAttention(layer.cross_attn, self.sampler)
        self.layers = decoder.layers
        self.integral = MatmulIntegral(integral)
        self.edge_move = MatmulEdgeMove(integral.reg_scale.abs().item())
        self.quality = NetworkQualityEstimator(quality)
        self.enc_score_head, self.enc_bbox_head = decoder.enc_score_head, decoder.enc_bbox_head
        self.query_pos_head, self.pre_bbox_head = decoder.query_pos_head, decoder.pre_bbox_head
        self.dec_bbox_head, self.score_head = decoder.dec_bbox_head, decoder.dec_score_head[-1]
        self.eval()

    def select_queries(
        self, memory: Tensor, shapes: deformable.Shapes
    ) -> tuple[Tensor, Tensor, eager.Prediction | None]:
        """The best tokens [1, Q, D] and their unactivated boxes [Q, 4]."""
        tokens = memory * self.valid
        scores = self.enc_score_head(tokens).amax(-1)
        # In float32: Apple's Neural Engine packs the indices of a float16 topk, two to an int32
        # (https://github.com/roboflow/rf-detr, src/rfdetr/export/_coreai/decompositions.py).
        chosen = scores.float().topk(self.queries, dim=1).indices.to(torch.int32)
        # an embedding look-up is a plain gather in every runtime; index_select checks its bounds
        content = F.embedding(chosen, tokens.flatten(0, 1))
        unactivated = self.enc_bbox_head(content).float() + self.anchors(chosen)
        return content, unactivated.flatten(0, 1), None

    def rows(self, x: Tensor) -> Tensor:
        """[1, Q, N] -> float32 [Q, N]."""
        return x.float().flatten(0, 1)

    def positions(self, boxes: Tensor, content: Tensor) -> Tensor:
        found = self.query_pos_head(boxes.to(content.dtype)).clamp(-10, 10)
        return found.view(1, *found.shape)

    def inverse(self, boxes: Tensor, unactivated: Tensor) -> Tensor:
        """The release goes through the sigmoid and back, which is a clamp."""
        return unactivated.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)

    def move(self, reference: Tensor, edges: Tensor) -> Tensor:
        return self.edge_move(reference, self.integral(edges))

    def logits(self, layer: int, x: Tensor, edges: Tensor) -> Tensor:
        return self.rows(self.score_head(x)) + self.quality(edges)
