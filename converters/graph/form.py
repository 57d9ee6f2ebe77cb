"""The mobile form of a fused model: uint8 frame in, the best detections out, everything static."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from converters.graph.decoder import StaticDecoder
from converters.graph.layers import (
    ConvAvgPool,
    MatmulLayerNorm,
    MatmulRMSNorm,
    RepeatUpsample,
    SplitSelfAttention,
    StaticPosition,
    StaticSpatialTuningAdapter,
)
from model import DEIMv2, layers
from model.encoder import HybridEncoder, PooledConv
from model.sta import SpatialTuningAdapter


@dataclass(frozen=True)
class Target:
    """What a runtime wants of the graph."""

    gather: bool  # sample by gathering instead of by tents
    layer_norm: bool  # has a layer norm of its own
    nearest: bool  # has a nearest-neighbour resize
    frame: bool = True  # takes a uint8 frame [1, H, W, 3]; else float [1, 3, H, W] in 0..255


class MobileForm(nn.Module):
    """Frame -> boxes [1, K, 4] (x1, y1, x2, y2 in 0..1), scores [1, K], labels int32 [1, K].

    Best first, K the variant's number of queries: top K over all query-class pairs, as the release's
    post-processing does it.
    """

    def __init__(self, net: DEIMv2, target: Target) -> None:
        super().__init__()
        self.frame = target.frame
        self.backbone, self.encoder = net.backbone, net.encoder
        height, width = net.image_size
        strides = (8, 16, 32)[-len(net.variant.decoder.points) :]
        sizes = [(height // s, width // s) for s in strides]
        self.decoder = StaticDecoder(net.decoder, sizes, target.gather)
        self.queries, self.classes = net.variant.decoder.queries, net.num_classes
        mean, std = torch.tensor(net.variant.mean), torch.tensor(net.variant.std)
        self.register_buffer("gain", (1 / (255 * std)).view(1, 3, 1, 1))
        self.register_buffer("shift", (mean / std).view(1, 3, 1, 1))
        self.normalised = bool(mean.any())
        corners = torch.tensor(
            [[1, 0, -0.5, 0], [0, 1, 0, -0.5], [1, 0, 0.5, 0], [0, 1, 0, 0.5]]
        )
        self.corners = nn.Linear(4, 4, bias=False)
        self.corners.weight.data = corners

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.frame:
            image = image.to(torch.float32).permute(0, 3, 1, 2)
        image = image * self.gain
        if self.normalised:
            image = image - self.shift
        logits, boxes = self.decoder(self.encoder(self.backbone(image)))
        return self.best(logits, boxes)

    def best(self, logits: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        top, index = logits.reshape(1, -1).topk(self.queries, dim=1)
        index = index.to(torch.int32)
        query = torch.div(index, self.classes, rounding_mode="floor")
        labels = index - query * self.classes
        chosen = self.corners(boxes).index_select(0, query[0])
        return chosen[None], top.sigmoid(), labels


def mobile_form(net: DEIMv2, target: Target) -> MobileForm:
    """Turn `net`, in eval mode, into its mobile form. Consumes `net`: its layers are taken over."""
    net.fuse()
    height, width = net.image_size
    rewrites: dict[type[nn.Module], Callable[[nn.Module], nn.Module]] = {
        layers.RMSNorm: MatmulRMSNorm,
        layers.SelfAttention: SplitSelfAttention,
        SpatialTuningAdapter: lambda m: StaticSpatialTuningAdapter(m, height, width),
    }
    if not target.layer_norm:
        rewrites[nn.LayerNorm] = MatmulLayerNorm
    with torch.no_grad():
        form = MobileForm(net, target)
        replace(form, rewrites)
        for module in form.modules():
            if isinstance(module, PooledConv):
                module.pool = ConvAvgPool(module.point.conv.in_channels)
            if isinstance(module, HybridEncoder):
                module.position = StaticPosition(module.position, height // 32, width // 32)
            if isinstance(getattr(module, "upsample", None), nn.Upsample) and not target.nearest:
                module.upsample = RepeatUpsample(net.variant.encoder.width)
    return form.eval().requires_grad_(False)


def replace(
    module: nn.Module, rewrites: dict[type[nn.Module], Callable[[nn.Module], nn.Module]]
) -> None:
    """Replace every layer below `module` whose type has a rewrite, in place, outermost first."""
    for name, child in module.named_children():
        if rewrite := rewrites.get(type(child)):
            child = rewrite(child)
            setattr(module, name, child)
        replace(child, rewrites)
