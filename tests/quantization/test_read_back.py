"""The steps in the files are those of the checkpoint, layer by layer and channel by channel."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from deimv2.cli.main import main
from deimv2.converters.artifact import inspect
from deimv2.model import DEIMv2, build_model, load_weights
from deimv2.model.layers import ConvNorm
from deimv2.model.weights import class_count, read_checkpoint, read_metadata
from deimv2.model.weights.places import DEMO
from deimv2.model.weights.sources import load
from deimv2.quantization.prepare import Sharing, apply_ranges, fold, replace_layers
from deimv2.quantization.rounding import Clamp, Range, weight_scales
from deimv2.tests.converters.artifacts import transposed
from deimv2.tests.quantization.read_back import Layer, Steps, read_layers
from deimv2.tests.verification.broken import replace
from deimv2.verification.scales import expected_steps, foreign_steps

CHECKPOINT = DEMO / "atto-int8.safetensors"
KINDS = [pytest.param(kind, marks=pytest.mark.long) for kind in ("tflite", "pte", "mlpackage")]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The int8 file of a format; each is made once."""
    folder = tmp_path_factory.mktemp("int8")

    def of(kind: str) -> Path:
        path = folder / kind / f"deimv2-atto-int8.{kind}"
        if not path.exists():
            command = ["export", "--precision", "int8", "--weights", "demo", "--format", kind]
            assert main([*command, "--no-verify", "--output", str(path.parent)]) == 0
        return path

    return of


def expected(shifted: bool) -> "Counter[Layer]":
    """What the checkpoint says of every int8 layer, as often as it is called, with steps computed
    here from their definition.

    shifted: bounds that are neither 0 nor an end of the range became a ReLU and a sum, so that what
    a convolution gives starts at 0.
    """
    state = read_checkpoint(CHECKPOINT)
    net = build_model("atto", class_count(state), read_metadata(CHECKPOINT).image_size).eval()
    load_weights(net, state)
    ranges = {name: Range(*ends) for name, ends in (read_metadata(CHECKPOINT).ranges or {}).items()}
    fold(net)
    layers = replace_layers(net)
    shared = Sharing(net, layers)
    names = {point: group[0] for group in shared.groups() for point in group}

    found: Counter[Layer] = Counter()
    for name, layer in layers.items():
        calls = zip(shared.inputs[name], shared.outputs[name], strict=True)
        for weight, (before, behind) in zip(weights(net, layer), calls, strict=True):
            given, made = ranges[names[before]], steps(ranges[names[behind]])
            if shifted and is_shifted(net, name, ranges[names[behind]]):
                made = (made[0], -128)
            found[Layer(weight, steps(given), made)] += 1
    assert len(found) == len(layers)
    return found


def weights(net: DEIMv2, layer: nn.Module) -> list[tuple[float, ...]]:
    """Scales of the weights that each call of a layer uses."""
    if isinstance(layer, nn.AvgPool2d):
        channels = net.variant.encoder.width
        return [(float(np.float16(1 / 9 / 127)),) * channels]
    largest = np.abs(layer.weight.detach().numpy().reshape(len(layer.weight), -1)).max(1)
    return [tuple(np.float32(np.float16(largest / np.float32(127))).tolist())]


def steps(found: Range) -> Steps:
    """256 steps of float16 from low to high, or to 0 where that lies outside."""
    low, high = min(found.low, 0.0), max(found.high, 0.0)
    scale = float(np.float16((high - low) / 255))
    return scale, min(max(round(-128 - low / scale), -128), 127)


def is_shifted(net: DEIMv2, name: str, found: Range) -> bool:
    block = net.get_submodule(name.rpartition(".")[0])
    if not isinstance(block, ConvNorm) or not isinstance(block.act, Clamp):
        return False
    scale, zero_point = steps(found)
    code = round(block.act.value / scale) + zero_point
    beyond = code <= -128 if block.act.below else code >= 127
    return code != zero_point and not beyond


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_that_of_the_checkpoint(kind: str, exported: Callable[[str], Path]) -> None:
    found = Counter(read_layers(exported(kind)))
    wanted = expected(shifted=kind == "tflite")
    assert found - wanted == Counter()
    assert wanted - found == Counter()


def network() -> DEIMv2:
    net = load("atto", "demo", None, None, ranges=True)
    apply_ranges(net.net, net.about.ranges or {})
    return net.net


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_2_percent_off_is_told(
    kind: str, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    """Its detections would not show it: one channel of one layer is less than rounding."""
    net = network()
    expected = expected_steps(net)
    whole = exported(kind)
    path = shutil.copytree(whole.parent, tmp_path / "int8") / whole.name
    assert foreign_steps(path, expected) is None
    steps = weight_scales(net.get_parameter("encoder.fpn_block.cv4.conv.weight")).detach().numpy()
    changed = steps.copy()
    changed[17] = np.float16(steps[17] * 1.02)
    stored = np.float16 if kind == "mlpackage" else np.float32
    replace(path, steps, changed, stored)
    sentence = foreign_steps(path, expected)
    assert sentence is not None and "by a factor of 1.02: its scale was changed" in sentence
    assert sentence.startswith("1 of ")


@pytest.mark.parametrize("kind", KINDS)
def test_nine_tenths_of_the_work_are_in_int8(exported: Callable[[str], Path], kind: str) -> None:
    assert inspect(exported(kind)).integer_share >= 0.9


@pytest.mark.long
def test_sampling_is_in_int8_where_it_is_products_of_matrices(
    exported: Callable[[str], Path],
) -> None:
    decoder = build_model("atto").variant.decoder
    operations = inspect(exported("mlpackage")).operations
    products = [op for op in operations if op.kind == "matmul" and op.integer]
    assert len(products) == decoder.layers * len(decoder.strides)


@pytest.mark.long
def test_no_pad_or_sum_of_the_tflite_transposes_its_map(exported: Callable[[str], Path]) -> None:
    """In int8 a bound becomes a sum."""
    assert transposed(exported("tflite")) == []
