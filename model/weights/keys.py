"""Names of tensors: the released layout's and ours.

The released layout names most tensors as our modules do. `RENAMES` is the whole difference, and
`DERIVED` what the release stores although it follows from the architecture. Our own checkpoints use
our names, on which no rename applies, so both go through the same door.
"""

import re
from collections.abc import Mapping
from functools import cache

from torch import Tensor

from deimv2.model import variants
from deimv2.model.variants import Variant

StateDict = Mapping[str, Tensor]

# Released prefix -> ours; `#` stands for an index, `*` for anything. Rows apply one after another;
# backwards, in reverse order, they give the released name of one of our keys.
RENAMES: tuple[tuple[str, str], ...] = (
    # HGNetv2
    ("backbone.st*.bn.", "backbone.st*.norm."),
    ("backbone.st*.lab.", "backbone.st*.affine."),
    # ViT and STA
    ("backbone.dinov3._model.", "backbone.vit."),
    ("backbone.dinov3.", "backbone.vit."),
    ("backbone.vit.patch_embed.proj.", "backbone.vit.patch_embed."),
    ("backbone.vit.rope_embed.", "backbone.vit.rotary."),
    ("backbone.sta.stem.0.", "backbone.detail.stem.conv."),
    ("backbone.sta.stem.1.", "backbone.detail.stem.norm."),
    ("backbone.sta.conv2.0.", "backbone.detail.conv2.conv."),
    ("backbone.sta.conv2.1.", "backbone.detail.conv2.norm."),
    ("backbone.sta.conv3.1.", "backbone.detail.conv3.conv."),
    ("backbone.sta.conv3.2.", "backbone.detail.conv3.norm."),
    ("backbone.sta.conv4.1.", "backbone.detail.conv4.conv."),
    ("backbone.sta.conv4.2.", "backbone.detail.conv4.norm."),
    ("backbone.convs.#.", "backbone.fusion.#.conv."),
    ("backbone.norms.#.", "backbone.fusion.#.norm."),
    # encoders
    ("encoder.input_proj.0.", "encoder.input_proj."),
    ("encoder.down_sample#.1.", "encoder.down_sample#.point.conv."),
    ("encoder.down_sample#.2.", "encoder.down_sample#.point.norm."),
    ("encoder.bi_fusion.cv.", "encoder.global_fusion."),
    ("encoder.encoder.0.layers.0.", "encoder.layer."),
    ("encoder.downsample_convs.#.0.", "encoder.downsample_convs.#."),
    # decoder
    ("*.in_proj_", "*.in_proj."),
    ("decoder.decoder.up", "decoder.integral.up"),
    ("decoder.decoder.reg_scale", "decoder.integral.reg_scale"),
    ("decoder.decoder.layers.", "decoder.layers."),
    ("decoder.layers.#.norm2.", "decoder.layers.#.residual.norm."),
    ("decoder.layers.#.gateway.", "decoder.layers.#.residual."),
    ("decoder.layers.#.swish_ffn.", "decoder.layers.#.ffn."),
    ("decoder.decoder.lqe_layers.#.reg_conf.", "decoder.quality.#.mlp."),
)

# Left out on loading: what follows from the image size or the points per level, the mask token of
# DINOv3's pre-training, and second names of tensors that are stored twice.
DERIVED = re.compile(
    r"^decoder\.(anchors|valid_mask|up|reg_scale)$|\.num_points_scale$|\.mask_token$"
)


def _rows(variant: Variant) -> list[tuple[str, str]]:
    """The rows that apply to a variant; the others would make its names ambiguous backwards."""
    lite = isinstance(variant.encoder, variants.LiteEncoder)
    distilled = (
        isinstance(variant.backbone, variants.ViT) and not variant.backbone.pretrained_extras
    )
    skipped = {
        "backbone.dinov3._model.": not distilled,
        "backbone.dinov3.": distilled,
        "encoder.input_proj.0.": not lite,
        "decoder.layers.#.norm2.": variant.decoder.gate,
        "decoder.layers.#.gateway.": not variant.decoder.gate,
    }
    return [row for row in RENAMES if not skipped.get(row[0], False)]


@cache
def _rule(prefix: str, replacement: str) -> tuple[re.Pattern[str], str]:
    """Pattern of a prefix, and what to put in its place."""
    pattern = re.escape(prefix).replace(r"\#", "#").replace("#", r"(\d+)").replace(r"\*", "(.*)")
    groups = iter(range(1, 9))
    return re.compile(pattern), re.sub(r"[#*]", lambda _: rf"\g<{next(groups)}>", replacement)


def _replace(key: str, prefix: str, replacement: str) -> str:
    pattern, template = _rule(prefix, replacement)
    found = pattern.match(key)
    return found.expand(template) + key[found.end() :] if found else key


def our_name(released: str, variant: Variant) -> str:
    """Our name of a released key; a key of ours stays as it is."""
    for theirs, ours in _rows(variant):
        released = _replace(released, theirs, ours)
    return released


def released_name(key: str, variant: Variant) -> str:
    """The released name of one of our keys."""
    for theirs, ours in reversed(_rows(variant)):
        key = _replace(key, ours, theirs)
    return key


def to_ours(state: StateDict, variant: Variant) -> dict[str, Tensor]:
    """A checkpoint under our names, without what follows from the architecture."""
    renamed = {our_name(k, variant): v for k, v in state.items() if not DERIVED.search(k)}
    if variant.decoder.shared_box_head:
        # safetensors stores a tensor that has several names under the first of them alone
        head = re.compile(r"^decoder\.dec_bbox_head\.0\.")
        for key in [k for k in renamed if head.match(k)]:
            for i in range(1, variant.decoder.layers):
                other = head.sub(f"decoder.dec_bbox_head.{i}.", key)
                renamed.setdefault(other, renamed[key])
    return renamed
