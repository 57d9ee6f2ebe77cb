"""The ways in which people keep weights: each is read, or refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import deimv2
from deimv2.model import build_model, load_weights
from deimv2.model.coco import COCO_LABELS
from deimv2.model.errors import InputError
from deimv2.model.labels import read_labels_file
from deimv2.model.weights import random_state, read_checkpoint, read_noted
from deimv2.model.weights.places import HUB_NAMES
from deimv2.model.weights.sources import chosen_variant, load
from deimv2.tests.training.scenes import few

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """Of a net of three classes, under the names of the network itself."""
    net = build_model("atto", 3)
    return random_state(net)


def named(prefix: str) -> Callable[[State], State]:
    return lambda state: {f"{prefix}{key}": value for key, value in state.items()}


def other(state: State) -> State:
    return {key: value + 1 for key, value in state.items()}


WRAPPED = [
    (named("module."), ["prefix 'module.'"]),
    (named("model."), ["prefix 'model.'"]),
    (named("_orig_mod."), ["prefix '_orig_mod.'"]),
    (named("module._orig_mod."), ["prefix '_orig_mod.'", "prefix 'module.'"]),
    (named("model.module."), ["prefix 'model.'", "prefix 'module.'"]),
    (lambda s: {k.replace("backbone.", "backbone._orig_mod."): v for k, v in s.items()},
     ["prefix '_orig_mod.'"]),
    (lambda s: {"model": s, "epoch": 3}, ["weights under 'model'"]),
    (lambda s: {"model": named("module.")(s)}, ["weights under 'model'", "prefix 'module.'"]),
    (lambda s: {"state_dict": named("model.")(s), "callbacks": {"a": [1]}, "epoch": 1},
     ["weights under 'state_dict'", "prefix 'model.'"]),
    (lambda s: {"state_dict": named("model.")(s) | {"criterion.weight": torch.ones(3)}},
     ["weights under 'state_dict'", "prefix 'model.'"]),
    (lambda s: {"state_dict": named("ema.module.")(s) | named("model.")(other(s))},
     ["weights under 'state_dict'", "prefix 'ema.module.'"]),
    (lambda s: {"model": other(s), "ema": {"module": s, "updates": 9}}, ["weights under 'ema'"]),
    (lambda s: {"model": other(s), "ema": s}, ["weights under 'ema'"]),
    (lambda s: {"model": other(s), "model_ema": s}, ["weights under 'model_ema'"]),
    (lambda s: {"model": other(s), "model_ema": {"state_dict": s}}, ["weights under 'model_ema'"]),
    (lambda s: {"model": other(s), "ema_state_dict": named("module.")(s)},
     ["weights under 'ema_state_dict'", "prefix 'module.'"]),
    (lambda s: s, []),
]  # fmt: skip


@pytest.mark.parametrize(("wrap", "notes"), WRAPPED, ids=[str(i) for i in range(len(WRAPPED))])
@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".bin"])
def test_wrapped_weights_are_found(
    state: State, tmp_path: Path, wrap: Callable[[State], Any], notes: list[str], suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save(wrap(state), path)
    found, said = read_noted(path)
    assert said == notes and found.keys() == state.keys()
    assert all(torch.equal(found[key], value) for key, value in state.items())


def test_prefixes_are_taken_off_in_safetensors_too(state: State, tmp_path: Path) -> None:
    save_file(named("module.")(state), tmp_path / "a.safetensors")
    assert read_checkpoint(tmp_path / "a.safetensors").keys() == state.keys()


@pytest.mark.parametrize("suffix", ["num_batches_tracked", "periods"])
def test_what_follows_from_the_architecture_need_not_be_there(suffix: str) -> None:
    variant = "s" if suffix == "periods" else "atto"
    net = build_model(variant, 3)
    whole = random_state(net)
    parts = {key: value for key, value in whole.items() if not key.endswith(suffix)}
    assert len(parts) < len(whole)
    load_weights(net, parts)
    found = {key: value.clone() for key, value in net.state_dict().items()}
    load_weights(net, whole)
    assert all(torch.equal(found[key], net.state_dict()[key]) for key in parts)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_float32(state: State, tmp_path: Path, dtype: Any) -> None:
    halved = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    torch.save({"model": halved}, tmp_path / "half.pth")
    found = read_checkpoint(tmp_path / "half.pth")
    assert all(torch.equal(found[k], v.float()) for k, v in halved.items() if v.is_floating_point())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("command", ["predict", "export", "train"])
def test_values_that_are_no_numbers_are_refused_before_anything_is_written(
    state: State, tmp_path: Path, value: float, command: str
) -> None:
    path, key = tmp_path / "broken.safetensors", "encoder.input_proj.norm.running_var"
    save_file(state | {key: torch.full_like(state[key], value)}, path)
    part, out = few(tmp_path / "photos", 2), tmp_path / "out"
    photos = {"images": part.images, "annotations": part.annotations}
    run: dict[str, Callable[[], object]] = {
        "predict": lambda: deimv2.load(path),
        "export": lambda: deimv2.export(weights=path, output=out),
        "train": lambda: deimv2.train(**photos, weights=path, output=out),
    }
    with pytest.raises(InputError, match=rf"in '.*broken\.safetensors' have the value .* in {key}"):
        run[command]()
    assert not out.exists()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (lambda value: -value, "have the value -.*, expected variances"),
        (lambda value: value.to(torch.int8), "are torch.int8 .*, expected floating-point"),
    ],
)
def test_variances_below_zero_and_integers_are_refused(
    state: State, kind: Callable[[Tensor], Tensor], message: str
) -> None:
    key = "encoder.input_proj.norm.running_var"
    net = build_model("atto", 3)
    with pytest.raises(InputError, match=message) as failure:
        load_weights(net, state | {key: kind(state[key])})
    assert key in str(failure.value)


def test_weights_that_compute_no_numbers_are_told(state: State, tmp_path: Path) -> None:
    huge = {k: v * 1e30 if k.endswith("conv.weight") else v for k, v in state.items()}
    save_file(huge, path := tmp_path / "huge.safetensors")
    (names := tmp_path / "names.txt").write_text("a\nb\nc\n")
    photo, out = next(few(tmp_path / "photos", 1).images.glob("*")), tmp_path / "out"
    with pytest.raises(InputError, match=r"huge\.safetensors.* gives values that are no numbers"):
        deimv2.load(path, labels=names)(photo)
    with pytest.raises(InputError, match="the weights give values that are no numbers"):
        deimv2.export(weights=path, labels=names, output=out)
    assert not any(out.iterdir())


def test_the_variant_is_that_of_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": named("model.")(random_state(build_model("pico", 5)))}, path)
    assert chosen_variant("auto", path) == "pico"
    assert chosen_variant("n", path) == "n" and chosen_variant("auto", "coco") == "atto"
    (names := tmp_path / "names.txt").write_text("a\nb\nc\nd\ne\n")
    assert load("auto", str(path), names, None).net.variant.name == "pico"
    assert load("auto", "random", None, None).net.variant.name == "atto"
    assert chosen_variant("auto", Path("demo")) == "atto"
    torch.save({"a": torch.ones(3)}, path)
    for tell in (lambda: chosen_variant("auto", path), lambda: load("auto", str(path), None, None)):
        with pytest.raises(InputError, match="fit none of the variants"):
            tell()


def test_a_folder_as_the_hub_has_it_names_its_classes(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "model.safetensors")
    config = {"id2label": {"2": "queen", "0": "ace", "10": "ten"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = load("atto", str(tmp_path), None, None)
    assert found.labels == ("ace", "queen", "ten")
    (run := tmp_path / "run").mkdir()
    with pytest.raises(InputError, match=r"holds no weights, expected model\.safetensors or"):
        load("atto", str(run), None, None)
    (run / "best.safetensors").touch()
    with pytest.raises(InputError, match=r"run' is a training, expected its weights: .*run/best"):
        load("atto", str(run), None, None)


def test_a_repository_is_fetched_with_its_names(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(*names: str) -> Path:
        asked.append(names)
        return tmp_path / names[1]

    monkeypatch.setattr("deimv2.model.weights.places.fetch_checkpoint", fetch)
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {0: "a", 1: "b", 2: "c"}}))
    assert load("atto", "hf://some/cards", None, None).labels == ("a", "b", "c")
    assert asked == [("some/cards", "config.json"), ("some/cards", *HUB_NAMES)]


@pytest.mark.parametrize(
    "text", ["a\nb\nc", "\ufeffa\nb\nc\n", "a\r\nb\r\nc\r\n", "a\nb\nc\n\n\n", " a\nb \nc"]
)
def test_harmless_label_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.txt").write_bytes(text.encode())
    assert read_labels_file(tmp_path / "labels.txt") == ["a", "b", "c"]


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cup\nplate\ncup\n")
    with pytest.raises(InputError, match="names 2 classes 'cup', expected names of their own"):
        read_labels_file(tmp_path / "labels.txt")
    assert len(set(COCO_LABELS)) == 80
