"""The mobile form of a fused model: uint8 frame in, the best detections out, everything static."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.converters.graph.decoder import (
    AnchorTable,
    CellPositions,
    MatmulEdgeMove,
    MatmulIntegral,
    NetworkQualityEstimator,
    StaticDecoder,
)
from deimv2.converters.graph.int8 import LOAD
from deimv2.converters.graph.layers import (
    ConvAvgPool,
    MatmulLayerNorm,
    MatmulRMSNorm,
    RepeatUpsample,
    ShiftedReLU,
    SplitSelfAttention,
    StaticPosition,
    Wide,
    WidePad,
    ZerosBeside,
    static_adapter,
)
from deimv2.converters.graph.sampling import GatherSampler, MatmulSampler
from deimv2.model import DEIMv2, layers
from deimv2.model.encoder import HybridEncoder, PooledConv
from deimv2.model.hgnetv2 import Stem
from deimv2.model.sta import SpatialTuningAdapter
from deimv2.model.variants import RGB
from deimv2.quantization.prepare import fold_affine
from deimv2.quantization.rounding import Clamp, RoundedConv, RoundedLinear, is_rounded

Rewrites = dict[type[nn.Module], Callable[..., nn.Module]]


@dataclass(frozen=True)
class Target:
    """What a runtime wants of the graph."""

    gather: bool  # sampling gathers, instead of products with tents (graph/sampling.py)
    nearest: bool  # has a nearest-neighbour resize
    pads: bool = True  # pads maps as they lie, in int8 too; else zeros are concatenated
    bounds: bool = False  # a float convolution takes any bound, not a ReLU alone; int8: see folded
    frame: bool = True  # takes a uint8 frame [1, H, W, 3]; else float [1, 3, H, W] in 0..255
    dequantizes: bool = False  # the frame, rather than to cast it
    half: bool = False  # weights and most arithmetic in float16
    sums_in_half: bool = False  # where arithmetic is in float16, sums may be, too
    folded: bool = True  # int8 weights are stored as such, not as float32 that is to be rounded


class Normalisation(nn.Module):
    """Pixels in 0..255 -> the network's input, as one product and one difference.

    For frames [1, H, W, 3] the factors are repeated for a whole row: by three factors, kernels work
    on three pixels at a time. width: W of such frames, None for pixels [1, 3, H, W].
    """

    gain: Tensor
    shift: Tensor

    def __init__(self, mean: RGB, std: RGB, width: int | None) -> None:
        super().__init__()
        gain, shift = 1 / (255 * torch.tensor(std)), torch.tensor(mean) / torch.tensor(std)
        for name, value in (("gain", gain), ("shift", shift)):
            value = value[:1].clone() if len(set(value.tolist())) == 1 else value
            if width is None or len(value) == 1:
                self.register_buffer(name, value.view(1, -1, 1, 1))
            else:
                self.register_buffer(name, value.repeat(1, 1, width, 1))
        self.shifts = any(mean)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.shifted(pixels * self.gain)

    def shifted(self, scaled: Tensor) -> Tensor:
        return scaled - self.shift if self.shifts else scaled


class FrameNormalisation(Normalisation):
    """`Normalisation` of a uint8 frame with a dequantize in place of the cast: compilers vectorise
    ExecuTorch's kernel for it, and where all channels have one factor it scales at no cost."""

    def __init__(self, mean: RGB, std: RGB, width: int | None) -> None:
        super().__init__(mean, std, width)
        self.alike = self.gain.numel() == 1
        self.step = self.gain.item() if self.alike else 1.0

    def forward(self, pixels: Tensor) -> Tensor:
        loaded: Tensor = LOAD(pixels, self.step, 0, 0, 255, torch.uint8)
        return self.shifted(loaded if self.alike else loaded * self.gain)


class Selection(nn.Module):
    """Logits [Q, C] and boxes [Q, 4] (cx, cy, w, h) -> the best Q query-class pairs, best first."""

    classes: Tensor

    def __init__(self, queries: int, classes: int) -> None:
        super().__init__()
        self.queries, self.count = queries, classes
        self.register_buffer("classes", torch.tensor([classes], dtype=torch.int32))
        self.corners = nn.Linear(4, 4, bias=False)
        self.corners.weight.data = torch.tensor(
            [[1, 0, -0.5, 0], [0, 1, 0, -0.5], [1, 0, 0.5, 0], [0, 1, 0, 0.5]]
        )

    def forward(self, logits: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        top, index = logits.reshape(1, -1).topk(self.queries, dim=1)
        index = index.to(torch.int32)
        # In floats, since Core ML's converter divides integers so; the half keeps off the edges.
        query = ((index.float() + 0.5) / self.count).floor().to(torch.int32)
        chosen = F.embedding(query, self.corners(boxes))
        return chosen, top.sigmoid(), index - query * self.classes


class MobileForm(nn.Module):
    """Frame -> boxes [1, K, 4] (x1, y1, x2, y2 in 0..1), scores [1, K], labels int32 [1, K].

    Best first, K the variant's number of queries: top K over all query-class pairs, as the
    release's post-processing does it.
    """

    def __init__(self, net: DEIMv2, target: Target) -> None:
        super().__init__()
        self.frame, self.cast = target.frame, target.frame and not target.dequantizes
        height, width = net.image_size
        sizes = [(height // s, width // s) for s in net.variant.decoder.strides]
        self.dtype = torch.float16 if target.half else torch.float32
        normalisation = FrameNormalisation if target.dequantizes else Normalisation
        self.normalisation = normalisation(
            net.variant.mean, net.variant.std, width if target.frame else None
        )
        self.image, self.backbone, self.encoder = net.image, net.backbone, net.encoder
        self.decoder = StaticDecoder(net.decoder, sizes, target.gather)
        self.selection = Selection(net.variant.decoder.queries, net.num_classes)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.cast:
            image = image.to(torch.float32)
        image = self.image(self.normalisation(image).to(self.dtype))
        if self.frame:  # so late, ExecuTorch's transposition back is next to it (pte/layout.py)
            image = image.permute(0, 3, 1, 2)
        found = self.decoder(self.encoder(self.backbone(image)))
        return self.selection(found.logits, found.boxes)


def mobile_form(net: DEIMv2, target: Target) -> MobileForm:
    """Turn `net` into its mobile form. Consumes `net`: its layers are taken over."""
    net.fuse()
    height, width = net.image_size
    rewrites: Rewrites = {
        layers.RMSNorm: MatmulRMSNorm,
        nn.LayerNorm: MatmulLayerNorm,
        layers.SelfAttention: lambda m: SplitSelfAttention(m, target.half and target.sums_in_half),
        SpatialTuningAdapter: lambda m: static_adapter(m, height, width),
    }
    if target.half and target.pads:
        rewrites[nn.ZeroPad2d] = WidePad
    with torch.no_grad():
        form = MobileForm(net, target)
        replace(form, rewrites)
        for module in form.modules():
            if isinstance(module, PooledConv):
                module.pool = ConvAvgPool(module.point.conv.in_channels)
            if isinstance(module, Stem) and not target.pads:
                module.pad = ZerosBeside(module, (height // 2, width // 2))
            if isinstance(module, HybridEncoder):
                module.position = StaticPosition(module.position, height // 32, width // 32)
            if isinstance(getattr(module, "upsample", None), nn.Upsample) and not target.nearest:
                module.upsample = RepeatUpsample()
            if isinstance(module, layers.ConvNorm):
                fold_affine(module)
                if isinstance(module.act, Clamp) and not (target.bounds or is_rounded(module)):
                    module.act = ShiftedReLU(module)
        if target.half:
            halve(form)
    return form.eval().requires_grad_(False)


def replace(module: nn.Module, rewrites: Rewrites) -> None:
    """Replace every layer below `module` whose type has a rewrite, in place, outermost first."""
    for name, child in module.named_children():
        if rewrite := rewrites.get(type(child)):
            child = rewrite(child)
            setattr(module, name, child)
        replace(child, rewrites)


# What stays in float32 when the rest is halved, and why.
PRECISE: dict[type[nn.Module], str] = {
    Normalisation: "its output is the first thing that is rounded",
    FrameNormalisation: "the same",
    MatmulRMSNorm: "squares overflow beyond 255",
    MatmulLayerNorm: "squares overflow beyond 255, which single channels of a ViT exceed",
    Wide: "the sums of queries and keys move scores",
    AnchorTable: "a box side near 1 would be rounded to a third of a pixel",
    CellPositions: "a position near 80 cells would be rounded to a sixteenth of a cell",
    MatmulSampler: "takes the difference of two positions",
    GatherSampler: "half precision counts only to 2048 rows",
    MatmulIntegral: "moves box edges by fractions of a pixel",
    MatmulEdgeMove: "moves box edges by fractions of a pixel",
    NetworkQualityEstimator: "corrects the scores, and is small",
    Selection: "half precision would make ties of close scores",
    RoundedConv: "its weight becomes int8",
    RoundedLinear: "its weight becomes int8",
}


def halve(module: nn.Module) -> None:
    """Turn weights and tables below `module` into float16, in place, except in `PRECISE` layers."""
    for child in module.children():
        if type(child) in PRECISE:
            continue
        for parameter in child.parameters(recurse=False):
            parameter.data = parameter.data.half()
        for name, buffer in child.named_buffers(recurse=False):
            if buffer.is_floating_point():
                setattr(child, name, buffer.half())
        halve(child)
