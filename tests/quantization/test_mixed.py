"""Blocks of the encoder in float: chosen by what they cost, down to a share, and kept."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deimv2.api.calibration import method
from deimv2.cli.main import main
from deimv2.converters.artifact import inspect
from deimv2.converters.inspection import Inspection
from deimv2.converters.manifest import Manifest
from deimv2.model import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos
from deimv2.model.weights import load_weights, read_checkpoint, read_metadata, save_weights
from deimv2.quantization.calibration import Calibration, calibrate, photos_of
from deimv2.quantization.distillation import Teacher
from deimv2.quantization.mixed import blocks_of, calibrate_share, costs, multiply_accumulates
from deimv2.quantization.prepare import apply_ranges, fake_quantizers_of
from deimv2.quantization.recipe import in_int8, outside
from deimv2.quantization.restore import restore
from deimv2.quantization.rounding import Range, RoundedConv
from deimv2.tests.cli.commands import Capture
from deimv2.tests.quantization.nets import random_net
from deimv2.tests.told import Told
from deimv2.tests.training.scenes import GARMENTS

SIZE, SHARE = 160, 0.79  # of 0.815
Calibrated = tuple[DEIMv2, Calibration]


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    return random_net("atto", SIZE)


@pytest.fixture(scope="module")
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(8, 3, SIZE, SIZE)


@pytest.fixture(scope="module")
def calibrated(net: DEIMv2, images: Tensor) -> Calibrated:
    prepared = copy.deepcopy(net)
    return prepared, calibrate_share(prepared, lambda: images.split(1), SHARE)


@pytest.fixture(scope="module")
def whole(net: DEIMv2, images: Tensor) -> Calibrated:
    """With all of the recipe in int8."""
    prepared = copy.deepcopy(net)
    return prepared, calibrate(prepared, lambda: images.split(1))


def share_of(prepared: DEIMv2, net: DEIMv2) -> float:
    """Of the multiply-accumulates, those of rounded layers."""
    work = multiply_accumulates(net)
    rounded = [name for name, m in prepared.named_modules() if isinstance(m, RoundedConv)]
    return sum(work[name] for name in rounded) / work[""]


def test_blocks_stay_in_float_down_to_the_share(
    net: DEIMv2, calibrated: Calibrated, whole: Calibrated
) -> None:
    prepared, found = calibrated
    assert found.float_blocks and set(found.float_blocks) <= set(blocks_of(net))
    for name, layer in prepared.named_modules():
        if isinstance(layer, nn.Conv2d | RoundedConv) and in_int8(name):
            inside = any(name.startswith(f"{block}.") for block in found.float_blocks)
            assert isinstance(layer, nn.Conv2d) == inside
    assert SHARE <= share_of(prepared, net) < share_of(whole[0], net)


def test_a_share_that_leaves_no_room_changes_nothing(
    net: DEIMv2, images: Tensor, whole: Calibrated
) -> None:
    found, expected = copy.deepcopy(net), whole[0]
    assert calibrate_share(found, lambda: images.split(1), 1.0) == whole[1]
    for a, b in zip(found.state_dict().values(), expected.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_what_is_reached_is_said_where_no_block_stays_in_float(
    net: DEIMv2, images: Tensor, calibrated: Calibrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, result = Told(), [calibrated[1]]
    monkeypatch.setattr("deimv2.api.calibration.calibrate_share", lambda *_: result[0])
    find = method(0.9, told)
    assert find(net, lambda: images.split(1)) == calibrated[1] and told.lines == []
    result[0] = replace(calibrated[1], float_blocks=())
    find(net, lambda: images.split(1))
    (line,) = told.lines
    assert "--int8-share 0.9 leaves no block in float: all that can be is in int8, 81.5%" in line


@torch.no_grad()
def test_a_checkpoint_says_what_stays_in_float(
    net: DEIMv2, calibrated: Calibrated, tmp_path: Path
) -> None:
    prepared, found = calibrated
    save_weights(
        restore(prepared), path := tmp_path / "q.safetensors", tuple("abcde"),
        ranges=found.ranges, float_blocks=found.float_blocks,
    )  # fmt: skip
    about = read_metadata(path)
    assert about.float_blocks == found.float_blocks
    load_weights(again := copy.deepcopy(net), read_checkpoint(path))
    apply_ranges(again, about.ranges or {}, about.float_blocks)
    ours, theirs = prepared.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert torch.allclose(value, theirs[key], rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="expected the 60 of variant 'atto'"):
        apply_ranges(copy.deepcopy(net), about.ranges or {})


def test_the_block_that_rounds_worst_costs_most(
    net: DEIMv2, images: Tensor, whole: Calibrated
) -> None:
    prepared = copy.deepcopy(whole[0])
    for quantizer in fake_quantizers_of(prepared):
        if quantizer.name.startswith("encoder.global_fusion."):
            low, high = quantizer.range or (0.0, 0.0)
            quantizer.range = Range(30 * low, 30 * high)
    found = costs(prepared, Teacher(net), lambda: images.split(1), 2)
    assert list(found) == blocks_of(net)
    assert max(found, key=lambda name: found[name]) == "encoder.global_fusion"
    assert all(each.on for each in fake_quantizers_of(prepared))


def test_work_is_counted_by_module(net: DEIMv2) -> None:
    work = multiply_accumulates(net)
    stem = net.backbone.stem.stem1.conv
    assert isinstance(stem, nn.Conv2d) and stem.stride == (2, 2)
    assert work["backbone.stem.stem1.conv"] == stem.weight.numel() * (SIZE // 2) ** 2
    assert work[""] == sum(work[part] for part in ("backbone", "encoder", "decoder"))


@pytest.mark.parametrize("variant", ["n", "s"])
def test_every_encoder_has_blocks(variant: str) -> None:
    found = blocks_of(build_model(variant))
    assert {"encoder.fpn_blocks.0", "encoder.pan_blocks.0", "encoder.layer"} <= set(found)


def exported(folder: Path, *given: str | Path) -> dict[str, Inspection]:
    command = ["export", "--precision", "int8", *given, "--output", folder]
    assert main([str(each) for each in command]) == 0
    return {each.format: inspect(folder / each.name) for each in Manifest.read(folder).files}


@pytest.mark.long
def test_every_format_has_blocks_in_float(tmp_path: Path, capsys: Capture) -> None:
    """They detect what PyTorch does, by the check that `export` makes."""
    given = ["--calibration", GARMENTS, "--calibration-photos", "16", "--photos", GARMENTS]
    files = exported(tmp_path, "--weights", "demo", *given, "--int8-share", "0.5")
    assert "in float: encoder." in capsys.readouterr().err
    assert len(files) == 3
    assert all(0.5 <= file.integer_share < 0.92 for file in files.values())
    sizes = files["tflite"].sizes()
    assert sizes["float32 constants"] < 0.2 * sizes["float16 constants"]


@pytest.mark.long
def test_every_format_has_blocks_of_the_larger_encoder_in_float(tmp_path: Path) -> None:
    """Chosen here: rounding of random weights costs nothing that can be told."""
    net, blocks = random_net("n"), ("encoder.fpn_blocks.0", "encoder.layer", "encoder.pan_blocks.0")
    found = calibrate(net, photos_of(net, find_photos(GARMENTS)[:8]), outside(blocks))
    save_weights(
        restore(net), path := tmp_path / "n.safetensors", tuple("abcde"),
        ranges=found.ranges, float_blocks=blocks,
    )  # fmt: skip
    files = exported(tmp_path / "n", "--weights", path, "--no-verify")
    assert len(files) == 3 and all(file.integer_share < 0.85 for file in files.values())
