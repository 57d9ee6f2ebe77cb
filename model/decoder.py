"""Deformable transformer decoder with fine-grained distribution refinement (FDR).

Queries are the best-scoring encoder tokens. Every layer looks at a few points around each query's
box (deformable attention, arXiv 2010.04159) and refines, for each of the box's four edges, a
distribution over 33 offsets from the first layer's box; the expected offset moves the edge (D-FINE,
arXiv 2410.13842). The sharpness of the final distributions corrects the class scores. RMSNorm,
SwiGLU and the gated residual are DEIMv2's (arXiv 2509.20787, section 3.3).

Shapes: B batch, Q queries, D width, L tokens of all levels, C classes, P points per head.
Boxes are (cx, cy, w, h) in 0..1 of the image; "unactivated" means before the sigmoid.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deimv2.model import variants
from deimv2.model.deformable import DecoderLayer, GridSampler, Shapes
from deimv2.model.layers import MLP, flatten_maps


@dataclass(frozen=True)
class Prediction:
    """Class logits [B, Q, C] and boxes [B, Q, 4]; decoder layers add what the local losses need."""

    logits: Tensor
    boxes: Tensor
    edges: Tensor | None = None  # logits of the edge distributions [B, Q, 4*bins]
    reference: Tensor | None = None  # first layer's boxes [B, Q, 4], which the edges refine

    def __getitem__(self, queries: slice) -> "Prediction":
        """The prediction of these queries alone."""
        edges = None if self.edges is None else self.edges[:, queries]
        reference = None if self.reference is None else self.reference[:, queries]
        return Prediction(self.logits[:, queries], self.boxes[:, queries], edges, reference)


@dataclass(frozen=True)
class ExtraQueries:
    """N queries that training puts in front of the Q selected ones (denoising).

    A label equal to the number of classes stands for no object.
    """

    labels: Tensor  # int64 [B, N]
    boxes: Tensor  # [B, N, 4], unactivated
    hidden: Tensor  # bool [N + Q, N + Q], True where a query (row) must not look (column)


@dataclass(frozen=True)
class DecoderOutput:
    """Final logits [B, Q, C] and boxes [B, Q, 4]. The other fields are filled in training mode."""

    logits: Tensor
    boxes: Tensor
    layers: tuple[Prediction, ...] = ()  # every layer, the final one last
    first: Prediction | None = None  # first layer's plain boxes, before any refinement
    encoder: Prediction | None = None  # the selected encoder tokens
    extra: "DecoderOutput | None" = None  # what the extra queries gave, if there were any

    def split(self, extra: int) -> "DecoderOutput":
        """Move the first `extra` queries of every layer into the field `extra`."""

        def part(
            queries: slice, encoder: Prediction | None, extra: DecoderOutput | None
        ) -> DecoderOutput:
            assert self.first is not None
            layers = tuple(layer[queries] for layer in self.layers)
            last = layers[-1]
            return DecoderOutput(
                last.logits, last.boxes, layers, self.first[queries], encoder, extra
            )

        return part(slice(extra, None), self.encoder, part(slice(extra), None, None))


EPSILON = 1e-5  # of the inverse sigmoid


def inverse_sigmoid(x: Tensor) -> Tensor:
    """Logits of x in 0..1, limited to about -11.5..11.5, as the release limits them."""
    x = x.clamp(0, 1)
    return torch.log(x.clamp(min=EPSILON) / (1 - x).clamp(min=EPSILON))


class Anchors(nn.Module):
    """One unactivated anchor per token [1, L, 4] and whether its box is well inside [1, L, 1].

    Anchors near the border count as invalid. Their unactivated value is infinite in the release;
    here it is 1e4, which the sigmoid also turns into exactly 1 and which half precision can hold.
    """

    SIDE = 0.05  # of the image, at the finest level; doubles with each level
    MARGIN = 0.01
    OUTSIDE = 1e4

    def forward(self, shapes: Shapes, device: torch.device) -> tuple[Tensor, Tensor]:
        levels = []
        for i, (h, w) in enumerate(shapes):
            y = (torch.arange(h, dtype=torch.float32, device=device) + 0.5) / h
            x = (torch.arange(w, dtype=torch.float32, device=device) + 0.5) / w
            y, x = torch.meshgrid(y, x, indexing="ij")
            side = torch.full_like(x, self.SIDE * 2.0**i)
            levels.append(torch.stack([x, y, side, side], dim=-1).reshape(1, h * w, 4))
        boxes = torch.cat(levels, dim=1)
        valid = ((boxes > self.MARGIN) & (boxes < 1 - self.MARGIN)).all(-1, keepdim=True)
        return torch.where(valid, torch.log(boxes / (1 - boxes)), self.OUTSIDE), valid


class QuerySelection(nn.Module):
    """Indices [B, K] of the K tokens whose best class scores highest; logits [B, L, C]."""

    def __init__(self, queries: int) -> None:
        super().__init__()
        self.queries = queries

    def forward(self, logits: Tensor) -> Tensor:
        return logits.amax(-1).topk(self.queries, dim=1).indices


class RowGather(nn.Module):
    """Rows [B, K, D] of x [B, L, D] at indices [B, K]."""

    def forward(self, x: Tensor, indices: Tensor) -> Tensor:
        return x.gather(1, indices[..., None].expand(-1, -1, x.shape[-1]))


class Integral(nn.Module):
    """Edge logits [B, Q, 4*bins] -> expected offsets [B, Q, 4] of left, top, right, bottom.

    The bins' offsets are spaced finely around 0, coarsely towards the ends (D-FINE, section 4.1).
    """

    up: Tensor
    reg_scale: Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.register_buffer("up", torch.tensor([0.5]))  # reach of the offsets
        self.register_buffer("reg_scale", torch.tensor([4.0]))  # curvature of their spacing

    def offsets(self) -> Tensor:
        """The bins' offsets [bins], W(n) of the paper."""
        end = self.up.abs() * self.reg_scale.abs()
        half = (self.bins - 1) // 2
        base = (end + 1) ** (1 / (half - 1))
        inner = base ** torch.arange(1, half, device=end.device) - 1
        return torch.cat([-2 * end, -inner.flip(0), torch.zeros_like(end), inner, 2 * end])

    def forward(self, edges: Tensor) -> Tensor:
        distribution = edges.unflatten(-1, (4, self.bins)).softmax(-1)
        return (distribution * self.offsets()).sum(-1)


class EdgeMove(nn.Module):
    """Move the edges of boxes [B, Q, 4] by offsets [B, Q, 4] of left, top, right, bottom, outwards.

    An offset is in units of the box's side over `reg_scale`.
    """

    def forward(self, boxes: Tensor, offsets: Tensor, reg_scale: Tensor) -> Tensor:
        side = boxes[..., 2:] / reg_scale.abs()
        low, high = offsets[..., :2], offsets[..., 2:]
        return torch.cat(
            [boxes[..., :2] + (high - low) * side / 2, boxes[..., 2:] + (low + high) * side], dim=-1
        )


class QualityEstimator(nn.Module):
    """Correction [B, Q, 1] of the class logits from how peaked the edge distributions are."""

    TOP = 4

    def __init__(self, bins: int, hidden: int = 64) -> None:
        super().__init__()
        self.bins = bins
        self.mlp = MLP(4 * (self.TOP + 1), hidden, 1)
        self.mlp.zero_output()

    def forward(self, edges: Tensor) -> Tensor:
        best = edges.unflatten(-1, (4, self.bins)).softmax(-1).topk(self.TOP, dim=-1).values
        return self.mlp(torch.cat([best, best.mean(-1, keepdim=True)], dim=-1).flatten(2))


class Decoder(nn.Module):
    """Maps of every level -> logits [B, Q, C] and boxes [B, Q, 4]."""

    def __init__(self, c: variants.Decoder, num_classes: int) -> None:
        super().__init__()
        self.points = c.points
        self.anchors: nn.Module = Anchors()
        self.selection = QuerySelection(c.queries)
        self.gather = RowGather()
        self.sampler: Any = GridSampler(c.heads)
        self.integral: nn.Module = Integral(c.bins)
        self.edge_move: nn.Module = EdgeMove()
        self.layers = nn.ModuleList([DecoderLayer(c) for _ in range(c.layers)])
        self.quality: nn.Module = nn.ModuleList([QualityEstimator(c.bins) for _ in range(c.layers)])
        self.enc_score_head = nn.Linear(c.width, num_classes)
        self.enc_bbox_head = MLP(c.width, c.width, c.width, 4)
        self.query_pos_head = MLP(4, c.width, c.width, c.width)
        self.pre_bbox_head = MLP(c.width, c.width, c.width, 4)
        self.dec_score_head = nn.ModuleList(
            [nn.Linear(c.width, num_classes) for _ in range(c.layers)]
        )
        edge_widths = (c.width, c.width, c.width, 4 * c.bins)
        shared = MLP(*edge_widths)
        self.dec_bbox_head = nn.ModuleList(
            [shared if c.shared_box_head else MLP(*edge_widths) for _ in range(c.layers)]
        )
        # used by denoising training alone; the last row stands for "no object"
        self.denoising_class_embed: nn.Embedding | None = nn.Embedding(
            num_classes + 1, c.width, padding_idx=num_classes
        )
        self._reset()

    def _reset(self) -> None:
        prior = -math.log((1 - 0.01) / 0.01)  # every class starts at a probability of 0.01
        for head in (self.enc_score_head, *self.dec_score_head):
            nn.init.constant_(head.bias, prior)
        for mlp in (self.enc_bbox_head, self.pre_bbox_head, *self.dec_bbox_head):
            mlp.zero_output()
        for parameter in self.query_pos_head.parameters():
            if parameter.ndim == 2:
                nn.init.xavier_uniform_(parameter)

    def fuse(self) -> None:
        """Drop, in place, the heads that only training uses."""
        unused = len(self.layers) - 1
        for heads in (self.quality, self.dec_score_head):
            assert isinstance(heads, nn.ModuleList)
            for i in range(unused):
                heads[i] = nn.Identity()
        self.denoising_class_embed = None

    def forward(self, maps: list[Tensor], extra: ExtraQueries | None = None) -> DecoderOutput:
        memory = flatten_maps(maps)
        shapes = [(m.shape[2], m.shape[3]) for m in maps]
        content, reference, encoder = self.select_queries(memory, shapes)
        if extra is None:
            return self.refine(content, reference, memory, shapes, encoder)
        assert self.denoising_class_embed is not None
        embedded = self.denoising_class_embed(extra.labels).to(content.dtype)
        content = torch.cat([embedded, content], dim=1)
        reference = torch.cat([extra.boxes.to(reference.dtype), reference], dim=1)
        out = self.refine(content, reference, memory, shapes, encoder, extra.hidden)
        return out.split(extra.labels.shape[1])

    def select_queries(
        self, memory: Tensor, shapes: Shapes
    ) -> tuple[Tensor, Tensor, Prediction | None]:
        """The best tokens [B, Q, D] and their unactivated boxes [B, Q, 4]; in training also their
        prediction, for the losses."""
        anchors, valid = self.anchors(shapes, memory.device)
        tokens = memory * valid.to(memory.dtype)
        logits = self.enc_score_head(tokens)
        chosen = self.selection(logits)
        content = self.gather(tokens, chosen)
        anchors = self.gather(anchors.expand(len(memory), -1, -1), chosen)
        unactivated = self.enc_bbox_head(content) + anchors
        encoder = None
        if self.training:
            encoder = Prediction(self.gather(logits, chosen), unactivated.sigmoid())
        return self.fixed(content), self.fixed(unactivated), encoder

    def refine(
        self,
        content: Tensor,
        unactivated: Tensor,
        memory: Tensor,
        shapes: Shapes,
        encoder: Prediction | None = None,
        mask: Tensor | None = None,
    ) -> DecoderOutput:
        """Run the layers on queries [B, Q, D]; boxes carry no gradients from layer to layer."""
        values = self.sampler.prepare(memory, shapes)
        boxes = unactivated.sigmoid()
        position = self.positions(boxes, content)
        x, previous = content, None
        edges: Tensor | None = None
        layers: list[Prediction] = []
        for i, layer in enumerate(self.layers):
            x = layer(x, position, boxes, values, mask)
            if i == 0:
                before = self.inverse(boxes, unactivated)
                plain = (self.rows(self.pre_bbox_head(x)) + before).sigmoid()
                reference = self.fixed(plain)
                first_logits = self.dec_score_head[0](x) if self.training else None
            update = self.rows(self.dec_bbox_head[i](x if previous is None else x + previous))
            edges = update if edges is None else update + edges
            moved = self.move(reference, edges)
            if self.training or i == len(self.layers) - 1:
                layers.append(Prediction(self.logits(i, x, edges), moved, edges, reference))
            boxes, previous = self.fixed(moved), self.fixed(x)
        final = layers[-1]
        if not self.training:
            return DecoderOutput(final.logits, final.boxes)
        assert first_logits is not None
        first = Prediction(first_logits, plain)
        return DecoderOutput(final.logits, final.boxes, tuple(layers), first, encoder)

    def fixed(self, x: Tensor) -> Tensor:
        """`x`, cut off from its gradients in training."""
        return x.detach() if self.training else x

    # What the mobile form overrides (`deimv2.converters.graph.decoder`).

    def rows(self, x: Tensor) -> Tensor:
        """A head's output in the shape and precision in which boxes are refined."""
        return x

    def positions(self, boxes: Tensor, content: Tensor) -> Tensor:
        """Embeddings [B, Q, D] of boxes [B, Q, 4], to be added to the queries `content`."""
        return self.query_pos_head(boxes).clamp(-10, 10)

    def inverse(self, boxes: Tensor, unactivated: Tensor) -> Tensor:
        """Unactivated boxes, computed back from the activated ones as the release does."""
        return inverse_sigmoid(boxes)

    def move(self, reference: Tensor, edges: Tensor) -> Tensor:
        """The first layer's boxes [B, Q, 4], moved by edge logits [B, Q, 4*bins]."""
        assert isinstance(self.integral, Integral)
        return self.edge_move(reference, self.integral(edges), self.integral.reg_scale)

    def logits(self, layer: int, x: Tensor, edges: Tensor) -> Tensor:
        """Class logits [B, Q, C] of a layer, corrected by how sharp its edge logits are."""
        assert isinstance(self.quality, nn.ModuleList)
        return self.dec_score_head[layer](x) + self.quality[layer](edges)
