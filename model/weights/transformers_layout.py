"""Weights as transformers' `Deimv2ForObjectDetection` keeps them.

That network departs from the release: it has a projection and a norm before the encoder's heads.
Converted releases hold the identity there, which is left out; trained ones are refused. Its small
ViTs have no bias of keys, which is 0 here.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from deimv2.model.errors import InputError

LAYOUT = "transformers' layout"
BACKBONE = "conv_encoder."  # no other layout has this root
HEADS_INPUT = "enc_output."  # projection (0) and norm (1)

# Their names, without `model.`, -> ours; rows apply one after another.
RENAMES = (
    (r"^conv_encoder\.model\.embedder\.", "backbone.stem."),
    (r"^conv_encoder\.model\.encoder\.stages\.", "backbone.stages."),
    (r"^(backbone\..*)\.convolution\.", r"\1.conv."),
    (r"^(backbone\..*)\.normalization\.", r"\1.norm."),
    (r"^(backbone\..*)\.lab\.", r"\1.affine."),
    (r"^conv_encoder\.backbone\.embeddings\.patch_embeddings\.", "backbone.vit.patch_embed."),
    (r"^conv_encoder\.backbone\.embeddings\.register_tokens$", "backbone.vit.storage_tokens"),
    (r"^conv_encoder\.backbone\.embeddings\.", "backbone.vit."),
    (r"^conv_encoder\.backbone\.(?:model\.)?layer\.", "backbone.vit.blocks."),
    (r"^conv_encoder\.backbone\.norm\.", "backbone.vit.norm."),
    (r"\.attention\.o_proj\.", ".attn.proj."),
    (r"\.attention\.", ".attn."),
    (r"\.layer_scale(\d)\.lambda1$", r".ls\1.gamma"),
    (r"^conv_encoder\.spatial_tuning_adapter\.stem_conv\.", "backbone.detail.stem."),
    (r"^conv_encoder\.spatial_tuning_adapter\.", "backbone.detail."),
    (r"^conv_encoder\.fusion_proj\.", "backbone.fusion."),
    (r"^encoder\.input_proj\.0\.", "encoder.input_proj."),
    (r"^conv_encoder\.encoder_input_proj\.", "encoder.input_proj."),
    (r"^encoder\.down_conv(\d)\.", r"encoder.down_sample\1.point."),
    (r"^encoder\.bi_fusion_conv\.", "encoder.global_fusion."),
    (r"^encoder\.aifi\.0\.layers\.0\.self_attn_layer_norm\.", "encoder.layer.norm1."),
    (r"^encoder\.aifi\.0\.layers\.0\.final_layer_norm\.", "encoder.layer.norm2."),
    (r"^encoder\.aifi\.0\.layers\.0\.mlp\.layers\.0\.", "encoder.layer.linear1."),
    (r"^encoder\.aifi\.0\.layers\.0\.mlp\.layers\.1\.", "encoder.layer.linear2."),
    (r"^encoder\.aifi\.0\.layers\.0\.", "encoder.layer."),
    (r"(_block(?:s\.\d)?)\.conv1\.", r"\1.cv1."),
    (r"(_block(?:s\.\d)?)\.conv2\.", r"\1.cv4."),
    (r"\.csp_rep1\.conv2\.", ".cv2.1."),
    (r"\.csp_rep2\.conv2\.", ".cv3.1."),
    (r"\.csp_rep1\.", ".cv2.0."),
    (r"\.csp_rep2\.", ".cv3.0."),
    (r"(downsample_convs\.\d)\.conv", r"\1.cv"),
    (r"^(enc_|denoising_class_embed\.)", r"decoder.\1"),
    (r"^decoder\.(up|reg_scale)$", r"decoder.integral.\1"),
    (r"^decoder\.lqe_layers\.(\d)\.reg_conf\.", r"decoder.quality.\1.mlp."),
    (r"^decoder\.class_embed\.", "decoder.dec_score_head."),
    (r"^decoder\.bbox_embed\.", "decoder.dec_bbox_head."),
    (r"\.self_attn\.o_proj\.", ".self_attn.out_proj."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"^(decoder\..*)\.self_attn_layer_norm\.weight$", r"\1.norm1.scale"),
    (r"\.gateway\.norm\.", ".encoder_attn_layer_norm."),
    (r"^(decoder\..*)\.encoder_attn_layer_norm\.weight$", r"\1.residual.norm.scale"),
    (r"^(decoder\..*)\.final_layer_norm\.weight$", r"\1.norm3.scale"),
    (r"\.gateway\.gate\.", ".residual.gate."),
    (r"^(decoder\..*)\.mlp\.down_proj\.", r"\1.ffn.w3."),
)  # fmt: skip
PARTS = {  # of one tensor of ours, in this order
    "in_proj": tuple(f"self_attn.{letter}_proj" for letter in "qkv"),
    "qkv": tuple(f"attn.{letter}_proj" for letter in "qkv"),
}
CONSTANTS = re.compile(r"\.num_points_scale$|\.mask_token$")


def is_transformers(state: Mapping[str, Tensor]) -> bool:
    """state: without `model.` before its names."""
    return any(key.startswith(BACKBONE) for key in state)


def heads_beside(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The decoder's heads, which a saved file may name beside `model.` alone."""
    heads = re.compile(r"^(?:.*\.)?(?=(class|bbox)_embed\.\d)")
    return {heads.sub("decoder.", key): value for key, value in state.items() if heads.match(key)}


def from_transformers(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Under our names. name: of the source, for a message.

    Raises InputError for weights with a trained layer that the release does not have.
    """
    if not all(map(_is_identity, *_columns(state, HEADS_INPUT))):
        raise InputError(
            f"{name} was trained with transformers, whose network has a layer before the encoder's "
            "heads (model.enc_output) that DEIMv2's release does not have; train from the released "
            "weights with deimv2 train"
        )
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(HEADS_INPUT) or CONSTANTS.search(key) or _unused(key, state):
            continue
        for pattern, ours in RENAMES:
            key = re.sub(pattern, ours, key)
        found[key] = value
    return _named_mlps(_joined(_first_box_head(found)))


def _first_box_head(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A box head that all layers share is stored once, with the number of one of them."""
    head = re.compile(r"^decoder\.dec_bbox_head\.(\d+)\.")
    if len({found[1] for key in state if (found := head.match(key))}) != 1:
        return state
    return {head.sub("decoder.dec_bbox_head.0.", key): value for key, value in state.items()}


def _columns(state: Mapping[str, Tensor], root: str) -> tuple[list[str], list[Tensor]]:
    chosen = {key.removeprefix(root): value for key, value in state.items() if key.startswith(root)}
    return list(chosen), list(chosen.values())


def _is_identity(name: str, value: Tensor) -> bool:
    if name == "0.weight":
        return torch.equal(value, torch.eye(len(value)))
    return bool((value == (1 if name == "1.weight" else 0)).all())


def _unused(key: str, state: Mapping[str, Tensor]) -> bool:
    """Layer scale, norm and register tokens, which its small ViTs keep without effect."""
    if key.endswith(".register_tokens"):
        return state[key].numel() == 0
    if ".layer_scale" in key or key.startswith("conv_encoder.backbone.norm."):
        return bool((state[key.replace(".norm.bias", ".norm.weight")] == 1).all())
    return False


def _joined(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state with the projections of queries, keys and values in one tensor; a missing bias of
    the keys is 0."""
    made = dict(state)
    for whole, parts in PARTS.items():
        for key in [key for key in state if f".{parts[0]}." in key]:
            place, kind = key.split(f".{parts[0]}.")
            query = state[key]
            names = [f"{place}.{part}.{kind}" for part in parts]
            values = [made.pop(each, None) for each in names]
            prefix = parts[0].removesuffix("q_proj")
            made[f"{place}.{prefix}{whole}.{kind}"] = torch.cat(
                [torch.zeros_like(query) if value is None else value for value in values]
            )
    return made


def _named_mlps(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state with the decoder's gate and up projections in one tensor, and the ViT's MLPs under
    our names, which differ between gated and plain ones."""
    made = {}
    halves = re.compile(r"(decoder\..*|backbone\..*)\.mlp\.(gate|up|down)_proj\.(weight|bias)$")
    for key, value in state.items():
        found = halves.match(key)
        if found is None:
            made[key] = value
            continue
        place, part, kind = found.groups()
        gate = state.get(f"{place}.mlp.gate_proj.{kind}")
        if place.startswith("backbone."):
            names = {"up": "fc1", "down": "fc2"}
            if gate is not None:
                names = {"gate": "w1", "up": "w2", "down": "w3"}
            made[f"{place}.mlp.{names[part]}.{kind}"] = value
        elif part == "up" and gate is not None:
            made[f"{place}.ffn.w12.{kind}"] = torch.cat([gate, value])
    return made
