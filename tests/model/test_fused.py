"""Deployed weights, as state dicts and in the authors' ONNX export, detect what the others do."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model import DEIMv2, build_model, load_weights
from deimv2.model.errors import InputError
from deimv2.model.images import load_photo, resize
from deimv2.model.postprocess import detect
from deimv2.model.weights import guess_variant, read_noted, released_name
from deimv2.model.weights.fused import EPS
from deimv2.tests.nets import random_net

State = dict[str, Tensor]
BRANCH = re.compile(r"(.*\.bottlenecks\.\d+)\.conv([12])\.")
TRAINING = ("decoder.denoising_class_embed.", "decoder.decoder.up", "decoder.decoder.reg_scale")


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    return random_net("atto", 4)


def folded(net: DEIMv2) -> State:
    """Under the released names, as the authors' `deploy()` and their export leave them."""
    state, made = net.state_dict(), {}
    for key, value in state.items():
        place, norm, part = key.rpartition(".norm.")
        if norm and f"{place}.norm.running_var" in state:
            if part != "bias":
                continue
            scale = (
                state[f"{place}.norm.weight"] / (state[f"{place}.norm.running_var"] + EPS).sqrt()
            )
            weight = state[f"{place}.conv.weight"] * scale.view(-1, 1, 1, 1)
            made[f"{place}.conv.weight"] = weight
            made[f"{place}.conv.bias"] = value - state[f"{place}.norm.running_mean"] * scale
        elif key not in made:
            made[key] = value
    for key in [key for key in made if BRANCH.match(key)]:
        found = BRANCH.match(key)
        assert found is not None
        if found.group(2) == "1":
            continue
        rest, whole = key[found.end() :], found.group(1)
        small, large = made.pop(key), made.pop(f"{whole}.conv1.{rest}")
        small = small if small.ndim == 1 else torch.nn.functional.pad(small, (1, 1, 1, 1))
        made[f"{whole}.{rest}"] = large + small
    names = {key: released_name(key, net.variant) for key in made}
    fused = {
        key: re.sub(r"(encoder\..*)\.conv\.(weight|bias)$", r"\1.conv_bn_fused.\2", names[key])
        if f"{key.rpartition('.conv.')[0]}.norm.weight" in state else names[key]
        for key in made
    }  # fmt: skip
    kept = {fused[key]: value for key, value in made.items()}
    kept = {key: value for key, value in kept.items() if not key.startswith(TRAINING)}
    return {k: v for k, v in kept.items() if not re.search(r"(score_head|lqe_layers)\.[01]\.", k)}


def as_onnx(state: State, path: Path) -> Path:
    """A graph whose operations say what its nameless weights are of, as the export's do."""
    nodes, values = [], []

    def add(name: str, value: Tensor) -> str:
        values.append(onnx.numpy_helper.from_array(value.numpy(), name))
        return name

    for i, (key, value) in enumerate(state.items()):
        place, _, kind = key.rpartition(".")
        path_of = "/model/" + re.sub(r"\.(?=[a-z])", "/", place)
        path_of = re.sub(r"/(\w+)\.(\d+)", r"/\1/\1.\2", path_of)
        if "in_proj" in key:
            for part, name in zip(value.chunk(3), ("", "_1", "_2"), strict=True):
                op = "MatMul" if kind.endswith("weight") else "Add"
                given = part.T.contiguous() if op == "MatMul" else part
                folder = "/model/" + re.sub(r"\.(?=[a-z])", "/", key.rpartition(".in_proj")[0])
                nodes.append(
                    onnx.helper.make_node(
                        op,
                        ["x", add(f"onnx::{op}_{i}{name}", given)],
                        ["y"],
                        f"{folder}/{op}{name}",
                    )
                )
        elif value.ndim == 2 and kind == "weight" and "attn" not in place:
            name = add(f"onnx::MatMul_{i}", value.T.contiguous())
            nodes.append(onnx.helper.make_node("MatMul", ["x", name], ["y"], f"{path_of}/MatMul"))
        elif place.startswith("backbone") and kind == "weight" and value.ndim == 4:
            names = [add(f"onnx::Conv_{i}", value), add(f"onnx::Conv_{i}b", state[f"{place}.bias"])]
            nodes.append(onnx.helper.make_node("Conv", ["x", *names], ["y"], f"{path_of}/Conv"))
        elif not (place.startswith("backbone") and f"{place}.weight" in state and kind == "bias"):
            add(f"model.{key}", value)
    graph = onnx.helper.make_graph(nodes, "g", [], [], values)
    onnx.save(onnx.helper.make_model(graph), str(path))
    return path


def assert_alike(one: DEIMv2, other: DEIMv2) -> None:
    frame = resize(load_photo(PHOTOGRAPHS[0]), one.image_size)
    (a,), (b,) = detect(one.eval(), frame), detect(other.eval(), frame)
    np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)
    with torch.no_grad():
        image = torch.rand(1, 3, *one.image_size)
        maps = [net.encoder(net.backbone(net.image(image))) for net in (one, other)]
    for mine, theirs in zip(*maps, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-3)


def test_a_deployed_state_detects_the_same(net: DEIMv2, tmp_path: Path) -> None:
    state = folded(net)
    assert sum("conv_bn_fused" in key for key in state) > 10 and len(state) < len(net.state_dict())
    torch.save({"model": state}, tmp_path / "deployed.pth")
    other = build_model("atto", 4)
    load_weights(other, tmp_path / "deployed.pth")
    assert guess_variant(state) == "atto"
    assert_alike(net, other)


def test_the_authors_export_detects_the_same(net: DEIMv2, tmp_path: Path) -> None:
    state = folded(net)
    path = as_onnx(state, tmp_path / "release.onnx")
    found, notes = read_noted(path)
    assert notes == ["a deployed export: what only training uses is initialised"]
    assert found.keys() == state.keys()
    for key, value in state.items():
        torch.testing.assert_close(found[key], value.float(), msg=key)
    other = build_model("atto", 4)
    load_weights(other, path)
    assert_alike(net, other)


def test_another_onnx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x0bnothing")
    with pytest.raises(InputError, match=r"is no whole \.onnx file"):
        read_noted(tmp_path / "broken.onnx")
    graph = onnx.helper.make_graph([], "g", [], [])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "other.onnx"))
    with pytest.raises(InputError, match="is not an export of DEIMv2 by its authors"):
        read_noted(tmp_path / "other.onnx")
