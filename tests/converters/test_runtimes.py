"""Every runtime gives detections for a good file, and one line for any other."""

import random
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from safetensors.torch import save_file

from deimv2.converters.artifact import open_model
from deimv2.converters.checkpoint import CheckpointRunner
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.converters.precision import PRECISIONS
from deimv2.converters.runner import labels_in
from deimv2.model import build_model
from deimv2.model.errors import InputError, MissingExtraError
from deimv2.model.images import load_photo, resize
from deimv2.model.weights import random_state
from deimv2.tests.converters.artifacts import artifact
from deimv2.tests.tiny import LABELS, SIZE, found, write_onnx
from deimv2.training.data.synthetic import CLASSES
from deimv2.verification.parity import compare

FORMATS = ("tflite", "pte", "onnx")
PACKAGES = {
    "tflite": ("ai_edge_litert.interpreter", "litert"),
    "pte": ("executorch.extension.pybindings._C", "executorch"),
    "onnx": ("onnxruntime", "onnx"),
}


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as error:
        open_model(path)
    message = str(error.value)
    assert "\n" not in message
    assert path.name in message
    return message


def test_a_tiny_artifact_runs(tmp_path: Path) -> None:
    runner = open_model(write_onnx(tmp_path / "a.onnx"), threads=1)
    assert (runner.size, runner.labels) == (SIZE, LABELS)
    result = runner.detect(np.zeros((*SIZE, 3), np.uint8))
    assert result.to_json() == found().to_json()


def test_outputs_in_another_order_are_told_apart(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", names=("labels", "boxes", "scores"))
    result = open_model(path).detect(np.zeros((*SIZE, 3), np.uint8))
    assert result.to_json() == found().to_json()


@pytest.mark.parametrize("shape", [(64, 32, 3), (32, 64), (32, 64, 4)])
def test_a_frame_of_another_shape_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    runner = open_model(write_onnx(tmp_path / "a.onnx"))
    with pytest.raises(InputError, match=r"expected uint8 \[32, 64, 3\]"):
        runner.detect(np.zeros(shape, np.uint8))


def test_a_float_frame_is_refused(tmp_path: Path) -> None:
    runner = open_model(write_onnx(tmp_path / "a.onnx"))
    with pytest.raises(InputError, match="the frame is float32"):
        runner.detect(np.zeros((*SIZE, 3), np.float32))  # type: ignore[arg-type]


def test_foreign_inputs_and_outputs_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    write_onnx(path, dtype=TensorProto.FLOAT, shape=(1, 3, 32, 32))
    said = complaint(path)
    assert "takes image float32 [1, 3, 32, 32], expected one frame" in said
    assert said.endswith("use a file of 'deimv2 export', whose --weights takes the release's own")
    write_onnx(path, names=("boxes", "scores"))
    assert "gives boxes float32 [1, 2, 4], scores float32 [1, 2], expected" in complaint(path)


@pytest.mark.parametrize("card", ["{", "[]", '{"labels": 3}', '{"labels": [1]}'])
def test_an_unreadable_card_is_named(tmp_path: Path, card: str) -> None:
    assert "card" in complaint(write_onnx(tmp_path / "a.onnx", card=card))


def test_a_card_may_be_absent(tmp_path: Path) -> None:
    assert open_model(write_onnx(tmp_path / "a.onnx", card=None)).labels is None
    assert labels_in('{"labels": ["a"]}', Path("x")) == ["a"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("content", [b"", b"a text file\n" * 99, b"\0" * 4096, b"PK\3\4"])
def test_files_of_another_kind_are_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    assert f"no whole .{suffix} file" in complaint(path)


def test_a_pte_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    path.write_bytes(
        struct.pack("<I4s4sIQQQ", 60, b"ET12", b"eh00", 32, 100, 128, 1000) + b"\0" * 9
    )
    assert "49 of 1128 bytes" in complaint(path)


def test_missing_files_and_unknown_suffixes_are_refused(tmp_path: Path) -> None:
    assert "no file at" in complaint(tmp_path / "a.tflite")
    assert "a folder at" in complaint(tmp_path)
    (tmp_path / "a.txt").touch()
    assert "ends in '.txt'" in complaint(tmp_path / "a.txt")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_missing_runtime_names_its_extra(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, extra = PACKAGES[kind]
    path = tmp_path / f"a.{kind}"
    # a header that promises no more than there is
    path.write_bytes(struct.pack("<I4s4sIQQQ", 60, b"ET12", b"eh00", 32, 40, 0, 0))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'deimv2\[{extra}\]'"):
        open_model(path)


def test_a_checkpoint_runs(tmp_path: Path) -> None:
    net = build_model("atto", num_classes=3)
    path = tmp_path / "mine.safetensors"
    save_file(random_state(net), path, metadata={"labels": '["a", "b", "c"]'})
    runner = open_model(path)
    assert isinstance(runner, CheckpointRunner)
    assert (runner.size, runner.labels) == ((320, 320), ["a", "b", "c"])
    assert len(runner.detect(np.zeros((320, 320, 3), np.uint8))) == 100


@pytest.mark.parametrize("kind", [*FORMATS, "mlpackage"])
def test_an_exported_artifact_runs_and_knows_its_labels(exported: Path, kind: str) -> None:
    runner = open_model(artifact(exported, kind), threads=1)
    assert runner.size == (320, 320)
    assert runner.labels == list(CLASSES)
    frame = resize(load_photo(PHOTOGRAPHS[0]), runner.size)
    first, second = runner.detect(frame), runner.detect(frame)
    assert len(first) == 100
    assert first.to_json() == second.to_json()
    assert compare(first, second, runner.size, PRECISIONS["fp32"].limits).box_px.worst == 0


@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_artifact_is_refused(exported: Path, tmp_path: Path, kind: str) -> None:
    content = artifact(exported, kind).read_bytes()
    lengths = [0, 1, 7, 8, 12, 31, 40, 100, 10_000, len(content) // 2, len(content) - 1]
    lengths += random.Random(0).sample(range(len(content)), 10)
    for length in lengths:
        path = tmp_path / f"cut-{length}.{kind}"
        path.write_bytes(content[:length])
        assert f"no whole .{kind} file" in complaint(path)


def test_threads_of_executorch_cannot_change_under_an_open_file(exported: Path) -> None:
    path = artifact(exported, "pte")
    runner = open_model(path, threads=2)
    with pytest.raises(InputError, match="1 threads asked for while another"):
        open_model(path, threads=1)
    del runner
    assert open_model(path, threads=1).size == (320, 320)
