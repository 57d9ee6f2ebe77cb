"""The eight released DEIMv2 variants: every number of the architecture, in one table.

Sources: DEIMv2 (arXiv 2509.20787, tables 1, 3 and 4) and the released configurations.
`parameters` counts the fused form and `gflops` is 2 x multiply-accumulates at the variant's own
input size, both measured on the released code. `coco_ap` is the paper's AP on COCO val2017.
"""

from dataclasses import dataclass

from deimv2.model.errors import InputError

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Stage:
    """One stage of HGNetv2."""

    inputs: int
    middle: int
    outputs: int
    blocks: int
    downsample: bool  # depthwise 3x3 of stride 2 in front
    light: bool  # layers are 1x1 + depthwise instead of dense
    kernel: int
    layers: int = 3  # per block


@dataclass(frozen=True)
class HGNet:
    """HGNetv2 backbone (CNN). `taps` are the stages whose outputs the encoder takes."""

    stem: int
    stages: tuple[Stage, ...]
    taps: tuple[int, ...]


@dataclass(frozen=True)
class ViT:
    """Vision transformer with the spatial tuning adapter (STA) beside it. Patches are 16 x 16."""

    width: int
    heads: int
    hidden: int  # of the feed-forward network
    gated: bool  # SwiGLU instead of GELU feed-forward
    storage_tokens: int
    pretrained_extras: bool  # DINOv3's layer scale, masked key bias and final norm
    norm_eps: float
    taps: tuple[int, int, int]  # blocks whose patch tokens are fused at strides 8, 16, 32
    detail: int  # channels of the STA's first convolution
    outputs: int  # channels of the three fused maps
    depth: int = 12
    rope_base: float = 100.0


@dataclass(frozen=True)
class LiteEncoder:
    """Two scales (16, 32) from one backbone map."""

    inputs: int
    width: int
    expansion: float = 0.34
    depth: int = 2  # RepVGG blocks per CSP block


@dataclass(frozen=True)
class HybridEncoder:
    """Transformer layer on the smallest map, then top-down and bottom-up fusion."""

    inputs: tuple[int, ...]
    width: int
    hidden: int  # of the transformer's feed-forward network
    expansion: float
    depth: int
    extra_conv: bool  # a 3x3 convolution after each CSP block (N only)
    heads: int = 8


@dataclass(frozen=True)
class Decoder:
    """Deformable transformer decoder with fine-grained distribution refinement."""

    width: int
    layers: int
    queries: int
    hidden: int  # of SwiGLU, already halved
    points: tuple[int, ...]  # sampling points per head at each level
    gate: bool  # gated cross-attention residual instead of a plain one
    shared_box_head: bool
    heads: int = 8
    bins: int = 33  # of each edge's distribution

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the maps that it attends to, largest map first."""
        return (8, 16, 32)[-len(self.points) :]


@dataclass(frozen=True)
class Variant:
    name: str
    image_size: int
    backbone: HGNet | ViT
    encoder: LiteEncoder | HybridEncoder
    decoder: Decoder
    mean: RGB
    std: RGB
    hub: str  # Hugging Face repository of the released COCO weights
    parameters: int
    gflops: float
    coco_ap: float


# HGNetv2 preprocessing only scales to 0..1; the ViT variants also apply ImageNet statistics.
PLAIN: tuple[RGB, RGB] = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
IMAGENET: tuple[RGB, RGB] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

STAGE_1 = Stage(16, 16, 64, 1, False, False, 3)
STAGE_2 = Stage(64, 32, 256, 1, True, False, 3)

ATTO = Variant(
    name="atto",
    image_size=320,
    backbone=HGNet(
        stem=16, taps=(2,), stages=(STAGE_1, STAGE_2, Stage(256, 64, 256, 1, True, True, 3))
    ),
    encoder=LiteEncoder(inputs=256, width=64),
    decoder=Decoder(64, 3, 100, hidden=80, points=(4, 2), gate=False, shared_box_head=True),
    mean=PLAIN[0],
    std=PLAIN[1],
    hub="Intellindust/DEIMv2_HGNetv2_ATTO_COCO",
    parameters=494_159,
    gflops=0.757,
    coco_ap=23.8,
)
FEMTO = Variant(
    name="femto",
    image_size=416,
    backbone=HGNet(
        stem=16, taps=(2,), stages=(STAGE_1, STAGE_2, Stage(256, 64, 512, 1, True, True, 5))
    ),
    encoder=LiteEncoder(inputs=512, width=96),
    decoder=Decoder(96, 3, 150, hidden=128, points=(4, 2), gate=False, shared_box_head=True),
    mean=PLAIN[0],
    std=PLAIN[1],
    hub="Intellindust/DEIMv2_HGNetv2_FEMTO_COCO",
    parameters=962_311,
    gflops=1.673,
    coco_ap=31.0,
)
PICO = Variant(
    name="pico",
    image_size=640,
    backbone=HGNet(
        stem=16, taps=(2,), stages=(STAGE_1, STAGE_2, Stage(256, 64, 512, 2, True, True, 5))
    ),
    encoder=LiteEncoder(inputs=512, width=112),
    decoder=Decoder(112, 3, 200, hidden=160, points=(4, 2), gate=False, shared_box_head=True),
    mean=PLAIN[0],
    std=PLAIN[1],
    hub="Intellindust/DEIMv2_HGNetv2_PICO_COCO",
    parameters=1_514_285,
    gflops=5.148,
    coco_ap=38.5,
)
N = Variant(
    name="n",
    image_size=640,
    backbone=HGNet(
        stem=16,
        taps=(2, 3),
        stages=(
            STAGE_1,
            STAGE_2,
            Stage(256, 64, 512, 2, True, True, 5),
            Stage(512, 128, 1024, 1, True, True, 5),
        ),
    ),
    encoder=HybridEncoder((512, 1024), 128, 512, expansion=0.34, depth=2, extra_conv=True),
    decoder=Decoder(128, 3, 300, hidden=256, points=(6, 6), gate=True, shared_box_head=False),
    mean=PLAIN[0],
    std=PLAIN[1],
    hub="Intellindust/DEIMv2_HGNetv2_N_COCO",
    parameters=3_571_527,
    gflops=7.017,
    coco_ap=43.0,
)
S = Variant(
    name="s",
    image_size=640,
    backbone=ViT(192, 3, 768, False, 0, False, 1e-6, taps=(3, 7, 11), detail=16, outputs=192),
    encoder=HybridEncoder((192, 192, 192), 192, 512, expansion=0.34, depth=2, extra_conv=False),
    decoder=Decoder(192, 4, 300, hidden=256, points=(3, 6, 3), gate=True, shared_box_head=False),
    mean=IMAGENET[0],
    std=IMAGENET[1],
    hub="Intellindust/DEIMv2_DINOv3_S_COCO",
    parameters=9_707_403,
    gflops=25.92,
    coco_ap=50.9,
)
M = Variant(
    name="m",
    image_size=640,
    backbone=ViT(256, 4, 1024, False, 0, False, 1e-6, taps=(3, 7, 11), detail=16, outputs=256),
    encoder=HybridEncoder((256, 256, 256), 256, 512, expansion=0.67, depth=3, extra_conv=False),
    decoder=Decoder(256, 4, 300, hidden=256, points=(3, 6, 3), gate=True, shared_box_head=False),
    mean=IMAGENET[0],
    std=IMAGENET[1],
    hub="Intellindust/DEIMv2_DINOv3_M_COCO",
    parameters=18_106_355,
    gflops=52.60,
    coco_ap=53.0,
)
L = Variant(
    name="l",
    image_size=640,
    backbone=ViT(384, 6, 1536, False, 4, True, 1e-5, taps=(5, 8, 11), detail=32, outputs=224),
    encoder=HybridEncoder((224, 224, 224), 224, 896, expansion=1.0, depth=3, extra_conv=False),
    decoder=Decoder(224, 4, 300, hidden=896, points=(3, 6, 3), gate=True, shared_box_head=False),
    mean=IMAGENET[0],
    std=IMAGENET[1],
    hub="Intellindust/DEIMv2_DINOv3_L_COCO",
    parameters=32_178_043,
    gflops=97.01,
    coco_ap=56.0,
)
X = Variant(
    name="x",
    image_size=640,
    backbone=ViT(384, 6, 1536, True, 4, True, 1e-5, taps=(5, 8, 11), detail=64, outputs=256),
    encoder=HybridEncoder((256, 256, 256), 256, 1024, expansion=1.25, depth=4, extra_conv=False),
    decoder=Decoder(256, 6, 300, hidden=1024, points=(3, 6, 3), gate=True, shared_box_head=False),
    mean=IMAGENET[0],
    std=IMAGENET[1],
    hub="Intellindust/DEIMv2_DINOv3_X_COCO",
    parameters=50_260_163,
    gflops=152.1,
    coco_ap=57.8,
)

VARIANTS: dict[str, Variant] = {v.name: v for v in (ATTO, FEMTO, PICO, N, S, M, L, X)}


def variant_of(name: str) -> Variant:
    """The variant of that name. Raises InputError for an unknown one."""
    if name not in VARIANTS:
        raise InputError(f"unknown variant '{name}', expected one of {', '.join(VARIANTS)}")
    return VARIANTS[name]
