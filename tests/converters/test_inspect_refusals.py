"""Files that are not what they should be are refused by `inspect`, each in a line."""

import random
from pathlib import Path

import pytest

from deimv2.converters import FORMATS
from deimv2.converters.aimodel.asset import PROGRAM
from deimv2.converters.artifact import inspect
from deimv2.converters.inspection import Inspection
from deimv2.mil.package import SPECIFICATION
from deimv2.model.errors import InputError
from deimv2.tests.converters.artifacts import artifact, copy_of


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as error:
        inspect(path)
    message = str(error.value)
    assert path.name in message and "\n" not in message and len(message) < 500
    return message


@pytest.mark.parametrize("kind", FORMATS)
def test_rubbish_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    inside = inner(path)
    inside.parent.mkdir(parents=True, exist_ok=True)
    for content in (b"", b"rubbish" * 100):
        inside.write_bytes(content)
        complaint(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_file_is_refused(
    exported: Path, tmp_path: Path, kind: str, share: float
) -> None:
    content = inner(artifact(exported, kind)).read_bytes()
    path = copy_of(exported, kind, tmp_path)
    inner(path).write_bytes(content[: int(len(content) * share)])
    complaint(path)


def test_a_package_without_its_weights_is_refused(exported: Path, tmp_path: Path) -> None:
    path = copy_of(exported, "mlpackage", tmp_path)
    (weights,) = path.rglob("weight.bin")
    weights.write_bytes(weights.read_bytes()[:-4096])
    assert "its weights are missing or cut, at 'weight.bin'" in complaint(path)
    weights.unlink()
    assert "its weights are missing or cut, at 'weight.bin'" in complaint(path)


@pytest.mark.parametrize("kind", ["pte", "mlpackage", "onnx", "aimodel"])
def test_wrong_bytes_are_read_or_refused(exported: Path, tmp_path: Path, kind: str) -> None:
    """Of a `.tflite` the interpreter looks first; what it does with wrong bytes is its own."""
    path = copy_of(exported, kind, tmp_path)
    content = inner(path).read_bytes()
    dice = random.Random(0)
    for _ in range(5):
        damaged = bytearray(content)
        for _ in range(20):
            damaged[dice.randrange(min(len(content), 40_000))] = dice.randrange(256)
        inner(path).write_bytes(damaged)
        try:
            found = inspect(path)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert isinstance(found, Inspection)


def inner(path: Path) -> Path:
    return path / {".mlpackage": SPECIFICATION, ".aimodel": PROGRAM}.get(path.suffix, "")


def test_other_files_are_refused(tmp_path: Path) -> None:
    assert "expected one of .tflite" in complaint(tmp_path / "a.pth")
    assert "no artifact at" in complaint(tmp_path / "a.tflite")
    (tmp_path / "b.tflite").mkdir()
    assert "no artifact at" in complaint(tmp_path / "b.tflite")
    (tmp_path / "c.mlpackage").touch()
    assert "no artifact at" in complaint(tmp_path / "c.mlpackage")
