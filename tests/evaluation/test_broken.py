"""Atto with the demo weights, broken on purpose: `verify` catches each, and says why."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from converters.manifest import NAME, Manifest, describe
from evaluation.hints import swapped_outputs
from evaluation.inspect import inspect
from evaluation.steps import contradiction
from evaluation.verify import Row, verify_folder
from tests.evaluation import broken
from tests.evaluation.artifacts import write_mixed
from tests.evaluation.packages import save_detector

ARTIFACT = "deimv2-atto-fp32.tflite"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    arguments = ["--variant", "atto", "--weights", "demo", "--image-size", "192"]
    assert main(["export", *arguments, "--format", "tflite", "--output", str(folder)]) == 0
    return folder


def verified(good: Path, folder: Path, change: broken.Change) -> Row:
    """The row of a changed artifact whose hash the manifest knows."""
    shutil.copytree(good, folder)
    broken.patch(folder / ARTIFACT, change)
    manifest = Manifest.read(folder)
    replace(manifest, files=(describe(folder / ARTIFACT),)).write(folder / NAME)
    (row,) = verify_folder(folder).rows
    return row


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (broken.outputs_swapped, "the outputs are scores float32 [1, 100, 4], boxes float32"),
        (broken.labels_shifted, "all labels are one more than expected"),
        (broken.channels_reversed, "the channels are read as BGR, expected RGB"),
        (broken.normalisation_missing, "the normalisation is missing"),
        (broken.normalised_twice, "the input is divided by 255 twice"),
        (broken.boxes_doubled, "all boxes are 2 times what is expected"),
        (broken.weight_damaged, "a damaged weight, other weights"),
    ],
)
def test_a_broken_artifact_fails_with_its_cause(
    good: Path, tmp_path: Path, change: broken.Change, part: str
) -> None:
    row = verified(good, tmp_path / "broken", change)
    assert part in row.problems[-1]
    assert row.parity is None or row.parity.failures(row.limits) == list(row.problems[:-1])


def test_a_rewritten_artifact_that_computes_the_same_passes(good: Path, tmp_path: Path) -> None:
    assert verified(good, tmp_path / "same", lambda model: None).problems == ()


def test_one_changed_byte_fails_by_its_hash_and_is_not_run(good: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(good, tmp_path / "byte")
    data = bytearray((folder / ARTIFACT).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / ARTIFACT).write_bytes(data)
    (row,) = verify_folder(folder).rows
    assert row.parity is None
    assert "it was damaged or replaced: copy the folder or export again" in row.problems[0]


def test_outputs_of_a_package_under_wrong_names_are_told(tmp_path: Path) -> None:
    from converters.coreml import SPECIFICATION, read_specification

    path = save_detector(tmp_path / "swapped.mlpackage")
    proto = read_specification(path)
    boxes, scores, _ = proto.description.output
    boxes.name, scores.name = scores.name, boxes.name
    (path / SPECIFICATION).write_bytes(proto.SerializeToString())
    (block,) = proto.mlProgram.functions["main"].block_specializations.values()
    assert set(block.outputs) == {"boxes", "scores", "labels"}
    assert "swapped or misnamed" in (swapped_outputs(inspect(path).outputs) or "")


@pytest.mark.parametrize("suffix", [".tflite", ".pte", ".mlpackage"])
def test_a_scale_off_by_two_contradicts_the_rest(tmp_path: Path, suffix: str) -> None:
    path = write_mixed(tmp_path / f"mixed{suffix}")
    assert contradiction(path) is None
    DOUBLED[suffix](path)
    sentence = contradiction(path)
    assert sentence is not None
    assert "by a factor of 2," in sentence or "by a factor of 0.5," in sentence


def double_in_tflite(path: Path) -> None:
    """The step of the first activation."""

    def change(model: Any) -> None:
        step = next(
            t.quantization for t in model.subgraphs[0].tensors
            if t.quantization is not None and t.quantization.scale is not None
            and len(t.quantization.scale) == 1 and not model.buffers[t.buffer].data
        )  # fmt: skip
        step.scale = np.float32(step.scale) * 2

    broken.patch(path, change)


def double_in_pte(path: Path) -> None:
    """A weight's steps, which lie in the file as they are; those of its bias stay."""
    from quantization.rounding import weight_scales
    from tests.evaluation.artifacts import Mixed

    steps = weight_scales(Mixed().convolution.weight).detach().numpy().astype(np.float32)
    data = path.read_bytes()
    assert data.count(steps.tobytes()) == 1
    path.write_bytes(data.replace(steps.tobytes(), (steps * 2).tobytes()))


def double_in_package(path: Path) -> None:
    """The step by which the first value is turned to float again."""
    from converters.coreml import SPECIFICATION, read_specification

    proto = read_specification(path)
    (block,) = proto.mlProgram.functions["main"].block_specializations.values()
    first = next(op for op in block.operations if op.type == "dequantize")
    name = first.inputs["scale"].arguments[0].name
    constant = next(op for op in block.operations if op.outputs[0].name == name)
    value = constant.attributes["val"].immediateValue.tensor.floats.values
    value[0] *= 2
    (path / SPECIFICATION).write_bytes(proto.SerializeToString())


DOUBLED: dict[str, Callable[[Path], None]] = {
    ".tflite": double_in_tflite,
    ".pte": double_in_pte,
    ".mlpackage": double_in_package,
}
