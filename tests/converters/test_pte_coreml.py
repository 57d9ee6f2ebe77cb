"""Core ML inside a `.pte`: the package in the file is taken out and computed, and broken ones are
refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import deimv2
from deimv2.api.apps import put_into_app
from deimv2.cli.main import main
from deimv2.converters.artifact import inspect, open_model
from deimv2.converters.manifest import Manifest
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.converters.pte import delegate_of
from deimv2.converters.pte.coreml import CoreMLProgramRunner
from deimv2.model.errors import InputError
from deimv2.model.images import load_photo, resize
from deimv2.tests.cli.commands import Capture, complaint, output

NAME = "deimv2-atto-fp16-coreml.pte"
OPTIONS = ("--format", "pte", "--delegate", "coreml")


pytestmark = pytest.mark.long  # lowering takes most of a minute


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of the demo's weights."""
    made = tmp_path_factory.mktemp("coreml") / "export"
    assert main(["export", "--precision", "fp16", *OPTIONS, "--output", str(made)]) == 0
    return made


def test_one_call_has_all_but_the_frames_cast(folder: Path) -> None:
    (file,) = Manifest.read(folder).files
    assert file.name == NAME and file.computation is not None
    assert file.computation["delegate"] == "Core ML"
    found = inspect(folder / NAME)
    coreml, _ = found.delegates
    assert (coreml.name, coreml.calls) == ("Core ML", 1)
    assert [kind for kind, *_ in found.left_outside("Core ML")] == ["_to_dim_order_copy"]
    assert found.delegated_share("Core ML") == 1.0
    assert found.delegated_share("Neural Engine") > 0.99


def test_it_detects_what_the_package_of_the_same_precision_does(
    folder: Path, exported: Path
) -> None:
    """float32's package of the same weights; both are computed by the same operations."""
    assert delegate_of(folder / NAME) == "coreml"
    runner = open_model(folder / NAME)
    assert isinstance(runner, CoreMLProgramRunner)
    frame = resize(load_photo(PHOTOGRAPHS[0]), runner.size)
    found = runner.detect(frame).above(0.3)
    expected = open_model(exported / "deimv2-atto-fp32.mlpackage").detect(frame).above(0.3)
    assert len(found) == len(expected)
    assert runner.labels == list(Manifest.read(folder).labels)
    assert np.abs(found.scores - expected.scores).max(initial=0) < 0.1
    assert deimv2.verify(folder).passed


def test_the_tensors_inside_a_damaged_file_are_noticed(folder: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(folder, tmp_path / "damaged"))
    content = bytearray((damaged / NAME).read_bytes())
    content[len(content) // 2] ^= 0x40
    (damaged / NAME).write_bytes(content)
    assert not deimv2.verify(damaged).passed
    part = tmp_path / NAME
    part.write_bytes((folder / NAME).read_bytes()[: len(content) // 2])
    with pytest.raises(InputError, match=r"is no whole \.pte file"):
        open_model(part)


def test_apps_of_android_leave_it_out(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"holds {NAME}, expected one of"):
        put_into_app("android", folder, tmp_path / "android")
    _, manifest = put_into_app("ios", folder, tmp_path / "ios")
    assert [file.name for file in manifest.files] == [NAME]


def test_its_time_here_says_nothing(capsys: Capture, folder: Path) -> None:
    assert "nothing to time" in complaint(capsys, "benchmark", folder)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--format", "tflite", "--delegate", "coreml"], "is of the .pte; add --format pte"),
        ([*OPTIONS, "--precision", "int8"], "has no int8 here, expected fp32 or fp16"),
    ],
)
def test_what_does_not_fit_is_one_line(
    capsys: Capture, tmp_path: Path, given: list[str], reason: str
) -> None:
    assert reason in complaint(capsys, "export", *given, "--output", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_inspect_shows_it(capsys: Capture, folder: Path) -> None:
    shown = json.loads(output(capsys, "inspect", folder / NAME, "--json"))
    assert [each["name"] for each in shown["delegates"]] == ["Core ML", "Neural Engine"]
