"""An independent implementation to compare with: transformers' Deimv2ForObjectDetection.

It is a port of the release by others (Apache-2.0), so backbones, encoders, deformable attention and
box refinement are written twice here. Where it departs from the release, as the golden outputs show
and as the paper says, `independent_net` puts it right:

- The release has no projection and norm before the encoder's heads.
- All MLPs have SiLU; the port leaves ReLU in those that its configuration does not reach.
- The queries' position embedding is made once and shared by all layers (section 3.3).
- The small ViTs have a bias in their keys and no norm after the last block.

On maps that are not square the port counts positions row by row, the release column by column
(`model.encoder.SinePosition`), so only square images can be compared.
"""

import re

from torch import Tensor, nn
from transformers import Deimv2Config, Deimv2ForObjectDetection, DINOv3ViTConfig, HGNetV2Config
from transformers.models.deimv2.modeling_deimv2 import Deimv2MLP

from deimv2.model import DEIMv2, variants

# Our prefixes -> theirs; rows apply one after another.
KEYS = (
    (r"^backbone\.stem\.", "model.conv_encoder.model.embedder."),
    (r"^backbone\.stages\.", "model.conv_encoder.model.encoder.stages."),
    (r"^(model\.conv_encoder\.model\..*)\.conv\.", r"\1.convolution."),
    (r"^(model\.conv_encoder\.model\..*)\.norm\.", r"\1.normalization."),
    (r"^(model\.conv_encoder\.model\..*)\.affine\.", r"\1.lab."),
    (r"^backbone\.vit\.cls_token", "model.conv_encoder.backbone.embeddings.cls_token"),
    (r"^backbone\.vit\.patch_embed", "model.conv_encoder.backbone.embeddings.patch_embeddings"),
    (r"^backbone\.vit\.blocks", "model.conv_encoder.backbone.model.layer"),
    (r"\.attn\.(.)\.", r".attention.\1_proj."),
    (r"\.attn\.proj", ".attention.o_proj"),
    (r"\.mlp\.fc1", ".mlp.up_proj"),
    (r"\.mlp\.fc2", ".mlp.down_proj"),
    (r"^backbone\.detail\.stem", "model.conv_encoder.spatial_tuning_adapter.stem_conv"),
    (r"^backbone\.detail", "model.conv_encoder.spatial_tuning_adapter"),
    (r"^backbone\.fusion", "model.conv_encoder.fusion_proj"),
    (r"^encoder\.input_proj\.(\d)", r"model.conv_encoder.encoder_input_proj.\1"),
    (r"^encoder\.input_proj\.", "model.encoder.input_proj.0."),
    (r"^encoder\.down_sample(\d)\.point", r"model.encoder.down_conv\1"),
    (r"^encoder\.global_fusion", "model.encoder.bi_fusion_conv"),
    (r"^encoder\.layer\.", "model.encoder.aifi.0.layers.0."),
    (r"\.self_attn\.(.)\.", r".self_attn.\1_proj."),
    (r"\.self_attn\.out_proj", ".self_attn.o_proj"),
    (r"\.linear([12])", lambda found: f".mlp.layers.{int(found[1]) - 1}"),
    (r"aifi\.0\.layers\.0\.norm1", "aifi.0.layers.0.self_attn_layer_norm"),
    (r"aifi\.0\.layers\.0\.norm2", "aifi.0.layers.0.final_layer_norm"),
    (r"^encoder\.", "model.encoder."),
    (r"_block(s\.\d)?\.cv1", r"_block\1.conv1"),
    (r"_block(s\.\d)?\.cv4", r"_block\1.conv2"),
    (r"\.cv2\.0\.", ".csp_rep1."),
    (r"\.cv3\.0\.", ".csp_rep2."),
    (r"\.cv2\.1\.", ".csp_rep1.conv2."),
    (r"\.cv3\.1\.", ".csp_rep2.conv2."),
    (r"downsample_convs\.(\d)\.cv", r"downsample_convs.\1.conv"),
    (r"^decoder\.(denoising_class_embed|enc_)", r"model.\1"),
    (r"^decoder\.integral", "model.decoder"),
    (r"^decoder\.quality\.(\d)\.mlp", r"model.decoder.lqe_layers.\1.reg_conf"),
    (r"^decoder\.dec_score_head", "model.decoder.class_embed"),
    (r"^decoder\.dec_bbox_head", "model.decoder.bbox_embed"),
    (r"^decoder\.", "model.decoder."),
    (r"norm1\.scale", "self_attn_layer_norm.weight"),
    (r"norm3\.scale", "final_layer_norm.weight"),
    (r"residual\.gate\.", "gateway.gate."),
    (r"cross_attn", "encoder_attn"),
    (r"ffn\.w3", "mlp.down_proj"),
)


def independent_net(net: DEIMv2) -> Deimv2ForObjectDetection:
    """The other implementation with the weights of `net` (training form), in eval mode."""
    other = Deimv2ForObjectDetection(config_of(net))
    state = _their_state(net)
    other.model.enc_output = nn.Identity()
    if isinstance(net.variant.backbone, variants.ViT):
        other.model.conv_encoder.backbone.norm = nn.Identity()
    for name, module in other.named_modules():
        if isinstance(module, Deimv2MLP) and ".aifi." not in name:
            module.act = nn.SiLU()
    missing, unexpected = other.load_state_dict(state, strict=False)
    # their own constants, and second names of the heads
    own = r"num_batches_tracked|num_points_scale|(mask|register)_tokens?$|layer_scale"
    assert not unexpected, unexpected
    assert not [key for key in missing if not re.search(own + r"|^(class|bbox)_embed", key)]
    decoder = other.model.decoder
    decoder.query_pos_head = _Once(decoder.query_pos_head)
    decoder.register_forward_pre_hook(lambda *_: decoder.query_pos_head.forget())
    return other.eval()


class _Once(nn.Module):
    """Gives its first result again until told to forget it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.result: Tensor | None = None

    def forget(self) -> None:
        self.result = None

    def forward(self, x: Tensor) -> Tensor:
        self.result = self.module(x) if self.result is None else self.result
        return self.result


def _their_state(net: DEIMv2) -> dict[str, Tensor]:
    gated = net.variant.decoder.gate
    state = {}
    for key, value in net.state_dict().items():
        if key.endswith(("num_batches_tracked", "periods")):
            continue
        parts = {key: value}
        if match := re.search(r"(in_proj|qkv)\.", key):
            names = (key.replace(match[0], f"{letter}.") for letter in "qkv")
            parts = dict(zip(names, value.chunk(3), strict=True))
        elif "ffn.w12" in key:
            names = (key.replace("ffn.w12", f"mlp.{half}_proj") for half in ("gate", "up"))
            parts = dict(zip(names, value.chunk(2), strict=True))
        for name, part in parts.items():
            for pattern, theirs in KEYS:
                name = re.sub(pattern, theirs, name)
            residual = "gateway.norm" if gated else "encoder_attn_layer_norm"
            state[name.replace("residual.norm.scale", f"{residual}.weight")] = part
    return state


def config_of(net: DEIMv2) -> Deimv2Config:
    encoder, decoder = net.variant.encoder, net.variant.decoder
    lite = isinstance(encoder, variants.LiteEncoder)
    inputs = [encoder.inputs] if lite else list(encoder.inputs)
    return Deimv2Config(
        num_labels=net.num_classes,
        backbone_config=_backbone(net.variant.backbone),
        encoder_type="lite" if lite else "hybrid",
        encoder_layers=0 if lite else 1,
        encoder_hidden_dim=encoder.width,
        encoder_in_channels=inputs,
        encoder_ffn_dim=1024 if lite else encoder.hidden,
        encode_proj_layers=[len(inputs) - 1],
        encoder_has_trailing_conv=True if lite else encoder.extra_conv,
        hidden_expansion=encoder.expansion,
        depth_mult=encoder.depth / 3,
        d_model=decoder.width,
        decoder_in_channels=[decoder.width] * len(decoder.points),
        decoder_layers=decoder.layers,
        decoder_ffn_dim=2 * decoder.hidden,
        decoder_n_points=list(decoder.points),
        decoder_activation_function="silu",
        num_feature_levels=len(decoder.points),
        num_queries=decoder.queries,
        use_gateway=decoder.gate,
        share_bbox_head=decoder.shared_box_head,
        spatial_tuning_adapter_inplanes=getattr(net.variant.backbone, "detail", 16),
    )


def _backbone(backbone: variants.HGNet | variants.ViT) -> HGNetV2Config | DINOv3ViTConfig:
    if isinstance(backbone, variants.ViT):
        return DINOv3ViTConfig(
            hidden_size=backbone.width,
            num_attention_heads=backbone.heads,
            num_hidden_layers=backbone.depth,
            intermediate_size=backbone.hidden,
            layer_norm_eps=backbone.norm_eps,
            out_indices=[tap + 1 for tap in backbone.taps],
            num_register_tokens=backbone.storage_tokens,
            use_gated_mlp=backbone.gated,
            key_bias=not backbone.pretrained_extras,
            layerscale_value=1e-5 if backbone.pretrained_extras else 1.0,
            apply_layernorm=backbone.pretrained_extras,
        )
    stages = backbone.stages
    return HGNetV2Config(
        stem_channels=[3, backbone.stem, backbone.stem],
        hidden_sizes=[s.outputs for s in stages],
        depths=[s.layers for s in stages],
        stage_in_channels=[s.inputs for s in stages],
        stage_mid_channels=[s.middle for s in stages],
        stage_out_channels=[s.outputs for s in stages],
        stage_num_blocks=[s.blocks for s in stages],
        stage_numb_of_layers=[s.layers for s in stages],
        stage_downsample=[s.downsample for s in stages],
        stage_light_block=[s.light for s in stages],
        stage_kernel_size=[s.kernel for s in stages],
        use_learnable_affine_block=True,
        out_indices=[tap + 1 for tap in backbone.taps],
    )
