"""The whole detector: image -> class logits and boxes."""

from torch import Tensor, nn

from deimv2.model import variants
from deimv2.model.decoder import Decoder, DecoderOutput, ExtraQueries
from deimv2.model.encoder import HybridEncoder, LiteEncoder
from deimv2.model.errors import InputError
from deimv2.model.hgnetv2 import HGNetv2
from deimv2.model.layers import QuantPoint, fuse
from deimv2.model.numbers import height_and_width
from deimv2.model.sta import SpatialTuningAdapter
from deimv2.model.variants import Variant, variant_of

STRIDE = 32


class DEIMv2(nn.Module):
    """Detector of one variant.

    Takes images [B, 3, H, W], float32 in 0..1, with the variant's mean and standard deviation
    already applied (`model.images.normalise`); H and W are any multiples of 32. Gives `.logits`
    [B, Q, C] and `.boxes` [B, Q, 4], (cx, cy, w, h) in 0..1 of the image. In training mode it also
    takes extra queries, whose answers come as `.extra`.

    Raises InputError for images of another shape, for training the fused form, or for extra
    queries in eval mode.
    """

    def __init__(self, variant: Variant, num_classes: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.variant = variant
        self.num_classes = num_classes
        self.image_size = image_size  # height, width that `export` and `predict` use
        self.backbone: nn.Module = (
            HGNetv2(variant.backbone)
            if isinstance(variant.backbone, variants.HGNet)
            else SpatialTuningAdapter(variant.backbone)
        )
        self.encoder: nn.Module = (
            LiteEncoder(variant.encoder)
            if isinstance(variant.encoder, variants.LiteEncoder)
            else HybridEncoder(variant.encoder)
        )
        self.decoder = Decoder(variant.decoder, num_classes)
        self.image: nn.Module = QuantPoint()

    def forward(self, images: Tensor, extra: ExtraQueries | None = None) -> DecoderOutput:
        if images.ndim != 4 or images.shape[1] != 3:
            raise InputError(f"images have shape {list(images.shape)}; expected [B, 3, H, W]")
        check_size(images.shape[2], images.shape[3], self.variant)
        if self.training and self.decoder.denoising_class_embed is None:
            raise InputError("the model is fused, expected its training form; build it again")
        if extra is not None and not self.training:
            raise InputError("extra queries were given in eval mode; call train() first")
        return self.decoder(self.encoder(self.backbone(self.image(images))), extra)

    def fuse(self) -> "DEIMv2":
        """Fold and drop, in place, what only training needs; for eval mode. Returns self."""
        fuse(self)
        return self.eval()


def check_size(height: int, width: int, variant: Variant) -> None:
    """Raise InputError unless the network can work on images of this size."""
    if height % STRIDE or width % STRIDE or height <= 0 or width <= 0:
        nearest = "x".join(str(max(1, round(side / STRIDE)) * STRIDE) for side in (height, width))
        raise InputError(
            f"image size {height}x{width} does not fit; "
            f"height and width must be multiples of {STRIDE}, such as {nearest}"
        )
    if (found := tokens(height, width, variant)) < variant.decoder.queries:
        raise InputError(
            f"image size {height}x{width} is too small for variant '{variant.name}': it gives "
            f"{found} tokens for {variant.decoder.queries} queries; use a larger size"
        )


def tokens(height: int, width: int, variant: Variant) -> int:
    """How many tokens an image of this size has over all levels; queries are chosen from them."""
    return sum((height // s) * (width // s) for s in variant.decoder.strides)


def build_model(
    variant: str, num_classes: int = 80, image_size: int | tuple[int, int] | None = None
) -> DEIMv2:
    """An untrained detector in training form.

    `image_size` is a side or (height, width), None for the variant's own. Raises InputError for an
    unknown variant, a class count below 1 or a size that is no multiple of 32.
    """
    chosen = variant_of(variant)
    if num_classes < 1:
        raise InputError(f"num_classes is {num_classes}; expected at least 1")
    height, width = height_and_width(chosen.image_size if image_size is None else image_size)
    check_size(height, width, chosen)
    return DEIMv2(chosen, num_classes, (height, width))
