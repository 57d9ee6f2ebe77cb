"""Checkpoints of every layout load, and a wrong one is refused in one line that says what to do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file, save_model
from torch import Tensor

from deimv2.model import DEIMv2, build_model, load_weights
from deimv2.model.errors import InputError
from deimv2.model.weights import CheckpointMetadata, read_metadata, save_weights
from deimv2.tests.model.golden import released_state
from deimv2.tests.nets import random_net

State = dict[str, Tensor]
HEAD = "decoder.enc_score_head.bias"


@pytest.fixture(scope="module")
def released() -> State:
    return released_state("atto", seed=3)


@pytest.fixture(scope="module")
def loaded(released: State) -> State:
    """Our state dict after loading the released one."""
    net = build_model("atto")
    load_weights(net, released)
    return net.state_dict()


@pytest.fixture(scope="module")
def fresh() -> DEIMv2:
    return build_model("atto")


@pytest.fixture
def net(fresh: DEIMv2) -> Iterator[DEIMv2]:
    """An untrained Atto, the same weights for every test."""
    before = {k: v.clone() for k, v in fresh.state_dict().items()}
    yield fresh
    fresh.load_state_dict(before)


def save(content: Any, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file({k: v.clone() for k, v in content.items()}, path)
    else:
        torch.save(content, path)
    return path


def assert_equal(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key


def complaint(net: DEIMv2, source: Any) -> str:
    """The one line that refuses a checkpoint; the net's weights are as before."""
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(InputError) as error:
        load_weights(net, source)
    assert_equal(net.state_dict(), before)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("suffix", ["pth", "pt", "safetensors"])
def test_a_released_state_dict_loads_from_a_file(net, released, loaded, tmp_path, suffix) -> None:
    load_weights(net, save(released, tmp_path / f"weights.{suffix}"))
    assert_equal(net.state_dict(), loaded)


def test_the_weights_under_model_load(net, released, loaded, tmp_path) -> None:
    checkpoint = {"model": released, "epoch": 3, "date": "2025-09-01"}
    load_weights(net, save(checkpoint, tmp_path / "weights.pth"))
    assert_equal(net.state_dict(), loaded)


def test_averaged_weights_are_preferred(net, released, loaded, tmp_path) -> None:
    other = {k: torch.zeros_like(v) for k, v in released.items()}
    checkpoint = {"model": other, "ema": {"module": released, "updates": 5}}
    load_weights(net, save(checkpoint, tmp_path / "weights.pth"))
    assert_equal(net.state_dict(), loaded)


def test_a_checkpoint_loads_without_a_file(net, released, loaded) -> None:
    load_weights(net, {"model": released})
    assert_equal(net.state_dict(), loaded)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_our_own_layout_loads(net, loaded, tmp_path, suffix) -> None:
    load_weights(net, save(loaded, tmp_path / f"weights.{suffix}"))
    assert_equal(net.state_dict(), loaded)


def test_a_shared_head_that_is_stored_once_loads(net, loaded, tmp_path) -> None:
    """As `safetensors.torch.save_model` writes it, and with it the checkpoints on the Hub."""
    trained = build_model("atto")
    load_weights(trained, loaded)
    path = tmp_path / "weights.safetensors"
    save_model(trained, str(path))
    assert "decoder.dec_bbox_head.1.layers.0.weight" not in load_file(path)
    load_weights(net, path)
    assert_equal(net.state_dict(), loaded)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_half_precision_loads_as_float32(net, loaded, tmp_path, suffix, dtype) -> None:
    half = {k: v.to(dtype) if v.is_floating_point() else v for k, v in loaded.items()}
    load_weights(net, save(half, tmp_path / f"weights.{suffix}"))
    assert {v.dtype for v in net.parameters()} == {torch.float32}
    assert_equal(net.state_dict(), {k: v.to(loaded[k].dtype) for k, v in half.items()})


def test_a_missing_key_is_named(net, released) -> None:
    message = complaint(net, {k: v for k, v in released.items() if k != HEAD})
    assert f"missing {HEAD}" in message


def test_an_unknown_key_is_named(net, released) -> None:
    assert "unknown decoder.extra" in complaint(net, {**released, "decoder.extra": torch.ones(1)})


@pytest.mark.parametrize("shape", [(3, 3), (1,), ()])
def test_a_misshapen_key_is_named_with_both_shapes(net, released, shape) -> None:
    message = complaint(net, {**released, HEAD: torch.ones(shape)})
    assert f"{HEAD} has shape {list(shape)} instead of [80]" in message


def test_a_long_list_of_keys_is_cut_and_counted(net, released) -> None:
    extra = {f"extra.{i}": torch.ones(1) for i in range(9)}
    message = complaint(net, {**released, **extra})
    assert "unknown extra.3; and 5 more" in message
    assert "extra.4" not in message


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_of_another_variant_are_recognised(net, tmp_path, suffix) -> None:
    path = save(released_state("femto"), tmp_path / f"weights.{suffix}")
    message = complaint(net, path)
    assert f"weights in '{path}' do not fit variant 'atto'" in message
    assert "these are weights of variant 'femto', so choose that variant" in message


def test_weights_of_another_variant_and_class_count_are_recognised(net) -> None:
    assert "of variant 'pico'" in complaint(net, build_model("pico", num_classes=7).state_dict())


def test_another_class_count_is_named(released) -> None:
    message = complaint(build_model("atto", num_classes=3), released)
    assert "do not fit variant 'atto' with 3 classes" in message
    assert "the weights have 80 classes, so build with that number" in message


def test_the_fused_form_takes_no_weights(released) -> None:
    assert "missing" in complaint(build_model("atto").fuse(), released)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_truncated_file_is_refused(net, released, tmp_path, suffix, kept) -> None:
    path = save(released, tmp_path / f"weights.{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert f"'{path}' is not a complete .{suffix} file" in complaint(net, path)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_text_file_is_refused(net, tmp_path, suffix) -> None:
    path = tmp_path / f"weights.{suffix}"
    path.write_text("<!doctype html><title>Sign in</title>" * 9)
    assert f"'{path}' is not a complete .{suffix} file" in complaint(net, path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234\n")
    assert f"'{path}' is a pointer of Git LFS, expected the file itself" in complaint(net, path)


def test_safetensors_by_another_name_are_told(net, released, tmp_path) -> None:
    path = save(released, tmp_path / "weights.safetensors").rename(tmp_path / "weights.pth")
    assert f"'{path}' is a .safetensors file; give it that ending" in complaint(net, path)


@pytest.mark.parametrize(
    "content", [{"epoch": 3}, {}, [1, 2], {"model": {}}, {"model": {"weight": 1.0}}]
)
def test_a_file_without_a_state_dict_is_refused(net, tmp_path, content) -> None:
    path = save(content, tmp_path / "weights.pth")
    assert f"'{path}' holds no state dict" in complaint(net, path)


def test_a_directory_is_refused(net, tmp_path) -> None:
    assert f"no checkpoint at '{tmp_path}'" in complaint(net, tmp_path)


def test_a_missing_file_is_refused(net, tmp_path) -> None:
    path = tmp_path / "weights.pth"
    assert f"no checkpoint at '{path}'; expected a .safetensors or .pth" in complaint(net, path)


def test_a_file_of_another_kind_is_refused(net, tmp_path) -> None:
    path = tmp_path / "weights.txt"
    path.write_bytes(b"\x08\x07")
    assert f"'{path}' ends in '.txt'; expected a .safetensors or .pth" in complaint(net, path)


class Hostile:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_nothing_in_a_hostile_file_is_executed(net, released, tmp_path) -> None:
    proof = tmp_path / "proof"
    path = save({"model": released, "epoch": Hostile(proof)}, tmp_path / "weights.pth")
    line = complaint(net, path)
    assert f"'{path}' holds objects beside its tensors (" in line and "save_file" in line
    assert not proof.exists()
    torch.load(path, weights_only=False)["epoch"].close()  # the attack itself works
    assert proof.exists()


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata()


@pytest.mark.parametrize("variant", ["atto", "n", "s"])
def test_what_is_saved_loads_bit_for_bit(tmp_path, variant) -> None:
    trained, path = random_net(variant, 2), tmp_path / "weights.safetensors"
    save_weights(trained, path, ["cat", "dög"])
    assert_equal(load_file(path), trained.state_dict())
    net = build_model(variant, 2)
    load_weights(net, path)
    assert_equal(net.state_dict(), trained.state_dict())
    assert read_metadata(path).labels == ["cat", "dög"]
    assert json.loads(metadata(path)["variant"]) == variant
    assert read_metadata(path).image_size == net.image_size


@pytest.mark.parametrize(
    "others",
    [
        {"image_size": 640, "ranges": [], "labels": {"0": "a"}, "float_blocks": 3},
        {"image_size": "320x320", "ranges": {"a": [1.0]}, "labels": "ab", "float_blocks": "ab"},
        {"image_size": [320], "ranges": {"a": [0.0, "b"]}, "labels": [1], "float_blocks": [None]},
        {"image_size": [320.5, 320], "ranges": {"a": [0.0, True]}, "photos": 1, "in_float": []},
    ],
)
def test_what_others_mean_by_the_same_keys_is_left_out(
    tmp_path: Path, others: dict[str, object]
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(1)}, path, {k: json.dumps(v) for k, v in others.items()})
    assert read_metadata(path) == CheckpointMetadata()


def test_a_shared_head_is_saved_under_each_of_its_names(net, tmp_path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(net, path, [str(i) for i in range(80)])
    heads = [k for k in load_file(path) if k.endswith("dec_bbox_head.1.layers.0.weight")]
    assert heads == ["decoder.dec_bbox_head.1.layers.0.weight"]


def test_half_precision_is_saved_and_counters_stay_whole(net, loaded, tmp_path) -> None:
    path = tmp_path / "weights.safetensors"
    load_weights(net, loaded)
    save_weights(net, path, [str(i) for i in range(80)], torch.float16)
    halved = {k: v.half() if v.is_floating_point() else v for k, v in loaded.items()}
    stored = load_file(path)
    assert_equal(stored, halved)
    assert {v.dtype for v in stored.values()} == {torch.float16, torch.int64}
    assert_equal(net.state_dict(), loaded)  # itself left alone
    load_weights(net, path)
    assert_equal(net.state_dict(), {k: v.to(loaded[k].dtype) for k, v in halved.items()})


@pytest.mark.parametrize("count", [0, 79, 81])
def test_each_class_needs_its_name(net, tmp_path, count) -> None:
    with pytest.raises(InputError, match=f"{count} class names were given, expected 80"):
        save_weights(net, tmp_path / "weights.safetensors", ["name"] * count)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_keeps_nothing(net, tmp_path) -> None:
    taken = tmp_path / "weights.safetensors"
    (taken / "inside").mkdir(parents=True)
    for path in (taken, tmp_path / "none" / "weights.safetensors"):
        with pytest.raises(OSError):
            save_weights(net, path, ["name"] * 80)
    assert list(tmp_path.rglob("*")) == [taken, taken / "inside"]
