"""Weights of other classes keep all but the class heads; backbones load alone."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from deimv2.model import DEIMv2, build_model, load_weights
from deimv2.model.coco import COCO_LABELS
from deimv2.model.errors import InputError
from deimv2.model.weights import load_backbone, random_state, save_weights, transfer_weights
from deimv2.model.weights.classes import rows_for
from deimv2.tests.model.golden import KEYS, released_state
from deimv2.tests.nets import random_net

State = dict[str, Tensor]
LAYERS = {"atto": 3, "s": 4}
variants = pytest.mark.parametrize("variant", LAYERS)


def own_state(variant: str) -> State:
    return random_state(build_model(variant))


layouts = pytest.mark.parametrize("layout", [released_state, own_state])


def class_heads(variant: str) -> list[str]:
    heads = ["enc_score_head", *(f"dec_score_head.{i}" for i in range(LAYERS[variant]))]
    keys = [f"decoder.{head}.{kind}" for head in heads for kind in ("weight", "bias")]
    return [*keys, "decoder.denoising_class_embed.weight"]


def copy(net: DEIMv2) -> State:
    return {key: value.clone() for key, value in net.state_dict().items()}


@cache
def expected(variant: str) -> State:
    net = build_model(variant)
    load_weights(net, released_state(variant))
    return net.state_dict()


def complaint(net: DEIMv2, load: Callable[[DEIMv2, Any], object], source: Any) -> str:
    """The one line that refuses weights; the net is as before."""
    before = copy(net)
    with pytest.raises(InputError) as error:
        load(net, source)
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert "\n" not in str(error.value)
    return str(error.value)


@variants
@layouts
def test_the_same_number_of_classes_loads_everything(
    variant: str, layout: Callable[[str], State]
) -> None:
    net = build_model(variant)
    assert transfer_weights(net, layout(variant)).made == []
    for key, value in expected(variant).items():
        assert torch.equal(net.state_dict()[key], value), key


@variants
@pytest.mark.parametrize(("layout", "classes"), [(released_state, 3), (own_state, 365)])
def test_another_number_makes_exactly_the_class_heads(
    variant: str, layout: Callable[[str], State], classes: int
) -> None:
    net, old = build_model(variant, classes), expected(variant)
    made = transfer_weights(net, layout(variant)).made
    assert sorted(made) == sorted(class_heads(variant))
    for key, value in net.state_dict().items():
        if key not in made:
            assert torch.equal(value, old[key]), key
            continue
        assert len(value) == classes + (key == "decoder.denoising_class_embed.weight")
        rows = {tuple(row) for row in old[key].reshape(len(old[key]), -1).tolist()}
        assert {tuple(row) for row in value.reshape(len(value), -1).tolist()} <= rows
    heads = net.state_dict()["decoder.enc_score_head.weight"]
    assert len(heads.unique(dim=0)) == min(classes, len(COCO_LABELS))


def test_classes_of_the_same_name_keep_their_rows(tmp_path: Path) -> None:
    source, net = random_net("atto", 3), build_model("atto", 4)
    path = tmp_path / "three.safetensors"
    save_weights(source, path, ["cup", "Plate", "fork"])
    found = transfer_weights(net, path, ["plate", "spoon", "bowl", "cup"])
    assert (len(found.made), found.same) == (9, 2)
    old, new = source.state_dict(), net.state_dict()
    for key in class_heads("atto"):
        assert torch.equal(new[key][0], old[key][1]) and torch.equal(new[key][3], old[key][0]), key
        assert torch.equal(new[key][1], old[key][2]), key
    embedding = "decoder.denoising_class_embed.weight"
    assert torch.equal(new[embedding][4], old[embedding][3])


def test_as_many_classes_in_another_order_are_put_in_order(tmp_path: Path) -> None:
    source, net = random_net("atto", 2), build_model("atto", 2)
    save_weights(source, tmp_path / "two.safetensors", ["cup", "plate"])
    assert transfer_weights(net, tmp_path / "two.safetensors", ["plate", "cup"]).same == 2
    key = "decoder.enc_score_head.weight"
    assert torch.equal(net.state_dict()[key], source.state_dict()[key].flip(0))
    assert transfer_weights(net, tmp_path / "two.safetensors", ["cup", "plate"]).made == []
    assert torch.equal(net.state_dict()[key], source.state_dict()[key])


@pytest.mark.parametrize(
    ("count", "old", "names", "old_names", "rows"),
    [
        (2, 6, None, None, [0, 3]),
        (3, 2, None, None, [0, 1, 0]),
        (3, 3, ["c", "B", "z"], ["a", "b", "c"], [2, 1, 0]),
        (1, 1, ["x"], ["y"], [0]),
    ],
)
def test_rows_are_spread(
    count: int, old: int, names: list[str] | None, old_names: list[str] | None, rows: list[int]
) -> None:
    assert rows_for(count, old, names, old_names) == rows


@pytest.mark.parametrize(
    ("variant", "other", "classes", "layout"),
    [
        ("atto", "femto", 3, released_state),
        ("atto", "femto", 80, own_state),
        ("l", "s", 3, released_state),
        ("s", "m", 3, own_state),
    ],
)
def test_another_variant_is_recognised(
    variant: str, other: str, classes: int, layout: Callable[[str], State]
) -> None:
    message = complaint(build_model(variant, classes), transfer_weights, layout(other))
    assert f"do not fit variant '{variant}'" in message
    assert f"these are weights of variant '{other}', so choose that variant" in message


@pytest.mark.parametrize(
    ("classes", "key"),
    [(3, "decoder.dec_score_head.1.bias"), (80, "decoder.enc_score_head.weight")],
)
def test_a_missing_key_is_named(tmp_path: Path, classes: int, key: str) -> None:
    state = own_state("atto")
    del state[key]
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    message = complaint(build_model("atto", classes), transfer_weights, path)
    assert f"weights in '{path}' do not fit" in message
    assert f"missing {key}" in message


def test_unknown_and_misshapen_keys_are_named() -> None:
    net, state = build_model("atto", 3), own_state("atto")
    message = complaint(net, transfer_weights, state | {"decoder.extra": torch.ones(1)})
    assert "unknown decoder.extra" in message
    key = "decoder.dec_score_head.2.bias"
    message = complaint(net, transfer_weights, state | {key: torch.ones(7)})
    assert f"{key} has shape [7] instead of [80]" in message


PREFIXES = {
    "atto": "backbone.",
    "n": "backbone.",
    "s": "backbone.dinov3._model.",
    "l": "backbone.dinov3.",
}


def alone(variant: str, prefix: str) -> State:
    """The released backbone, the ViT of those that have one, under other names."""
    stored = PREFIXES[variant]
    return {
        prefix + key.removeprefix(stored): value
        for key, value in released_state(variant).items()
        if key.startswith(stored)
    }


@pytest.mark.parametrize(
    ("variant", "prefix"),
    [("atto", ""), ("atto", "backbone."), ("n", ""), ("n", None)]
    + [("s", prefix) for prefix in ("", "_model.", "dinov3._model.", "vit.", None)]
    + [("s", "backbone.dinov3._model."), ("l", "backbone.dinov3."), ("l", "dinov3.")],
)
def test_a_backbone_loads_with_any_prefix(tmp_path: Path, variant: str, prefix: str | None) -> None:
    """None: with all the rest of the checkpoint."""
    state = released_state(variant) if prefix is None else alone(variant, prefix)
    path = tmp_path / "backbone.safetensors"
    save_file(state, path)
    net, wanted = build_model(variant), expected(variant)
    before, count = copy(net), load_backbone(net, path)
    part = "backbone.vit." if "dinov3" in PREFIXES[variant] else "backbone."
    keys = [key for key in wanted if key.startswith(part)]
    assert count == len(keys) > 20
    for key, value in net.state_dict().items():
        source = wanted if key in keys else before
        assert torch.equal(value, source[key]), key


@pytest.mark.parametrize(
    ("variant", "other"), [("atto", "n"), ("n", "atto"), ("s", "m"), ("l", "x"), ("l", "n")]
)
def test_the_backbone_of_another_variant_is_refused(
    tmp_path: Path, variant: str, other: str
) -> None:
    path = tmp_path / "backbone.safetensors"
    save_file(released_state(other), path)
    message = complaint(build_model(variant), load_backbone, path)
    assert f"of variant '{variant}'s backbone, the first missing is backbone." in message
    assert "use weights of that backbone" in message


def test_a_backbone_with_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    state = alone("s", "")
    assert len(state) < len(KEYS["s"])
    del state["blocks.7.attn.qkv.bias"]
    path = tmp_path / "backbone.safetensors"
    save_file(state, path)
    message = complaint(build_model("s"), load_backbone, path)
    assert "the first missing is backbone.vit.blocks.7.attn.qkv.bias" in message


def test_periods_need_not_be_stored(tmp_path: Path) -> None:
    state = {key: value for key, value in alone("s", "").items() if "periods" not in key}
    assert len(state) == len(alone("s", "")) - 1
    path = tmp_path / "backbone.safetensors"
    save_file(state, path)
    assert load_backbone(build_model("s"), path) == len(state)
