"""Atto with the demo weights, broken on purpose: `verify` catches each, and says why."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deimv2.converters.manifest import NAME, Manifest, describe
from deimv2.tests.converters.artifacts import write_mixed
from deimv2.tests.verification import broken
from deimv2.verification.scales import contradiction
from deimv2.verification.verify import Row, verify_folder

KINDS = ("tflite", "pte", "mlpackage")


def copied(exported: Path, folder: Path, kind: str) -> Path:
    """The artifact of this kind in a folder of its own."""
    shutil.copytree(exported, folder)
    manifest = Manifest.read(folder)
    files = tuple(file for file in manifest.files if file.format == kind)
    replace(manifest, files=files).write(folder / NAME)
    return folder / files[0].name


def verified(path: Path, change: broken.Change) -> Row:
    """The row of a changed artifact whose hash the manifest knows."""
    change(path)
    replace(Manifest.read(path.parent), files=(describe(path),)).write(path.parent / NAME)
    (row,) = verify_folder(path.parent).rows
    return row


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "part"),
    [
        (broken.outputs_swapped, "they are swapped or misnamed"),
        (broken.labels_shifted, "all labels are one more than expected"),
        (broken.channels_reversed, "the channels are read as BGR, expected RGB"),
        (broken.normalisation_missing, "the normalisation is missing"),
        (broken.normalised_twice, "the input is divided by 255 twice"),
        (broken.boxes_doubled, "all boxes are 2 times what is expected"),
        (broken.weight_damaged, "a damaged weight, other weights"),
        (broken.decoder_layer_overflows, "or numbers that overflow"),
    ],
)
def test_a_broken_artifact_fails_with_its_cause(
    exported: Path, tmp_path: Path, kind: str, change: broken.Change, part: str
) -> None:
    row = verified(copied(exported, tmp_path / "broken", kind), change)
    assert part in row.problems[-1]
    assert row.parity is None or row.parity.failures(row.limits) == list(row.problems[:-1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_rewritten_artifact_that_computes_the_same_passes(
    exported: Path, tmp_path: Path, kind: str
) -> None:
    assert verified(copied(exported, tmp_path / "same", kind), broken.nothing).problems == ()


@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_byte_fails_by_its_hash_and_is_not_run(
    exported: Path, tmp_path: Path, kind: str
) -> None:
    path = copied(exported, tmp_path / "byte", kind)
    file = max(path.rglob("*.bin"), default=path)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    (row,) = verify_folder(path.parent).rows
    assert row.parity is None
    assert "it was damaged or replaced: copy the folder or export again" in row.problems[0]


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

    broken.patch_tflite(path, change)


def double_in_pte(path: Path) -> None:
    """A weight's steps, which lie in the file as they are; those of its bias stay."""
    from deimv2.quantization.rounding import weight_scales
    from deimv2.tests.converters.artifacts import Mixed

    steps = weight_scales(Mixed().convolution.weight).detach().numpy().astype(np.float32)
    data = path.read_bytes()
    assert data.count(steps.tobytes()) == 1
    path.write_bytes(data.replace(steps.tobytes(), (steps * 2).tobytes()))


def double_in_package(path: Path) -> None:
    """The step by which the first value is turned to float again."""

    def change(proto: Any) -> None:
        (block,) = proto.mlProgram.functions["main"].block_specializations.values()
        first = next(op for op in block.operations if op.type == "dequantize")
        name = first.inputs["scale"].arguments[0].name
        constant = next(op for op in block.operations if op.outputs[0].name == name)
        constant.attributes["val"].immediateValue.tensor.floats.values[0] *= 2

    broken.patch_package(path, change)


DOUBLED: dict[str, Callable[[Path], None]] = {
    ".tflite": double_in_tflite,
    ".pte": double_in_pte,
    ".mlpackage": double_in_package,
}
