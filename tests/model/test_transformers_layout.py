"""Weights that transformers saved: its names come from its own network, not from a table here."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import Deimv2ForObjectDetection

from deimv2.model import DEIMv2, build_model, load_weights
from deimv2.model.errors import InputError
from deimv2.model.weights import read_noted
from deimv2.model.weights.sources import chosen_variant
from deimv2.tests.model.independent import config_of, independent_net
from deimv2.tests.nets import random_net


def with_identity(net: DEIMv2) -> Deimv2ForObjectDetection:
    """Their network with random weights, but as converted before the encoder's heads."""
    other = Deimv2ForObjectDetection(config_of(net))
    projection = other.model.enc_output[0]
    with torch.no_grad():
        projection.weight.copy_(torch.eye(len(projection.weight)))
        projection.bias.zero_()
    return other


def saved(net: DEIMv2, folder: Path) -> Path:
    """The weights of `net` as transformers' `save_pretrained` writes them."""
    other = with_identity(net)
    state = independent_net(net).state_dict()
    inner = "query_pos_head.module."
    renamed = {key.replace(inner, "query_pos_head."): value for key, value in state.items()}
    assert not other.load_state_dict(renamed, strict=False).unexpected_keys
    other.save_pretrained(folder)
    return folder / "model.safetensors"


@pytest.mark.parametrize("variant", ["atto", "n", "s"])
def test_what_transformers_saves_is_read(variant: str, tmp_path: Path) -> None:
    net, again = random_net(variant, 5), build_model(variant, 5)
    path = saved(net, tmp_path)
    assert read_noted(path)[1] == ["transformers' layout"]
    assert chosen_variant("auto", path) == variant
    load_weights(again, path)
    state = again.state_dict()
    assert [k for k, v in net.state_dict().items() if not torch.equal(v, state[k])] == []


def test_the_largest_variant_fits(tmp_path: Path) -> None:
    net = build_model("x", 5)
    other = with_identity(net)
    with torch.no_grad():  # an untrained one is taken for that of the small ViTs, which is not used
        other.model.conv_encoder.backbone.norm.weight += 0.1
    other.save_pretrained(tmp_path)
    load_weights(net, tmp_path / "model.safetensors")
    block = other.model.conv_encoder.backbone.model.layer[3]
    ours: dict[str, Tensor] = net.state_dict()
    place = "backbone.vit.blocks.3"
    for name, theirs in (
        ("mlp.w1.weight", block.mlp.gate_proj.weight),
        ("mlp.w2.weight", block.mlp.up_proj.weight),
        ("mlp.w3.bias", block.mlp.down_proj.bias),
        ("ls2.gamma", block.layer_scale2.lambda1),
    ):
        assert torch.equal(ours[f"{place}.{name}"], theirs), name
    keys = ours[f"{place}.attn.qkv.bias"].chunk(3)[1]
    assert not keys.any()


def test_weights_trained_there_are_refused_for_the_layer_that_is_not_here(tmp_path: Path) -> None:
    other = with_identity(build_model("atto", 5))
    with torch.no_grad():
        other.model.enc_output[1].weight += 1e-3
    other.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"a layer before the encoder's heads \(model\.enc"):
        read_noted(tmp_path / "model.safetensors")
