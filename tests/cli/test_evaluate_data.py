"""`evaluate --data`: the part that is measured on, and what is said where it is not there."""

import json
from pathlib import Path

import pytest

from deimv2 import InputError, evaluate
from deimv2.cli.main import main
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.tests.annotated import Box, detections, write_set
from deimv2.tests.cli.commands import Capture, complaint
from deimv2.tests.tiny import write_onnx

# Every photo holds what the artifact finds on every photo.
TRUTH = [Box(photo, 7, (0.1, 0.2, 0.4, 0.4), score=0.9) for photo in range(len(PHOTOGRAPHS))]


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    card = json.dumps({"labels": ["cat"]})
    return write_onnx(tmp_path / "tiny.onnx", detections(TRUTH, 0, (7,)), card=card)


def parts(folder: Path, *names: str) -> Path:
    """Each with a box more on the first photo than the one before it."""
    for i, name in enumerate(names):
        more = [Box(0, 7, (0.6, 0.6, 0.1 * k, 0.1)) for k in range(1, i + 1)]
        write_set(folder / name, TRUTH + more, {7: "cat"})
    return folder


def measured(capsys: Capture, *arguments: object) -> tuple[str, str]:
    """The folder of the annotations, and what was said."""
    capsys.readouterr()
    assert main([*map(str, ("evaluate", *arguments, "--json"))]) == 0
    captured = capsys.readouterr()
    return Path(json.loads(captured.out)["annotations"]).parent.name, captured.err


@pytest.mark.parametrize("split", ["val", "test", "train"])
def test_a_part_is_chosen(capsys: Capture, tmp_path: Path, artifact: Path, split: str) -> None:
    data = parts(tmp_path / "set", "train", "valid", "test")
    folder = "valid" if split == "val" else split
    assert measured(capsys, artifact, "--data", data, "--split", split)[0] == folder
    assert evaluate(artifact, data=data, split=split).annotations.parent.name == folder


def test_val_is_the_usual_part(capsys: Capture, tmp_path: Path, artifact: Path) -> None:
    data = parts(tmp_path / "set", "test", "train", "val")
    folder, said = measured(capsys, artifact, "--data", data)
    assert folder == "val" and "'test'" not in said


def test_test_stands_in_for_val_and_is_said(
    capsys: Capture, tmp_path: Path, artifact: Path
) -> None:
    data = parts(tmp_path / "set", "train", "test")
    folder, said = measured(capsys, artifact, "--data", data)
    assert folder == "test" and f"no 'val' part in '{data}': AP is measured on 'test'" in said


def test_a_folder_without_parts_is_one(capsys: Capture, tmp_path: Path, artifact: Path) -> None:
    data = parts(tmp_path, "set") / "set"
    assert measured(capsys, artifact, "--data", data)[0] == "set"
    assert measured(capsys, artifact, "--data", data, "--split", "train")[0] == "set"
    line = complaint(capsys, "evaluate", artifact, "--data", data, "--split", "test")
    assert f"'{data}' is one part, without a part 'test' in it" in line
    assert "leave split out to take the part itself" in line


def test_a_folder_without_photos_is_none(capsys: Capture, tmp_path: Path, artifact: Path) -> None:
    (tmp_path / "none").mkdir()
    for given in ((), ("--split", "test")):
        line = complaint(capsys, "evaluate", artifact, "--data", tmp_path / "none", *given)
        assert f"no annotated photos in '{tmp_path / 'none'}'" in line


@pytest.mark.parametrize(
    ("names", "given", "reason"),
    [
        (("train", "test"), ["--split", "val"], "no part 'val', expected one; it has train, test:"),
        (("val",), ["--split", "test"], "no part 'test', expected one; it has val: name one of th"),
        (("train",), [], "no part 'val', expected one; it has train: name one of them as split"),
    ],
)
def test_a_part_that_is_not_there_is_named_with_those_that_are(
    capsys: Capture, tmp_path: Path, artifact: Path, names: list[str], given: list[str], reason: str
) -> None:
    data = parts(tmp_path / "set", *names)
    assert reason in complaint(capsys, "evaluate", artifact, "--data", data, *given)


def test_a_split_is_of_a_data_set(capsys: Capture, tmp_path: Path, artifact: Path) -> None:
    data = parts(tmp_path, "set") / "set"
    given = ["--images", data / "images", "--annotations", data / "annotations.json"]
    line = complaint(capsys, "evaluate", artifact, *given, "--split", "val")
    assert "--split is of --data" in line
    with pytest.raises(InputError, match="split is 'valid', expected one of train, val, test"):
        evaluate(artifact, data=data, split="valid")
