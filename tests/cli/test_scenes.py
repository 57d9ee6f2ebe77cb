"""`scenes` writes a set that `train` can read, and never over another one."""

import json
from pathlib import Path

import pytest

from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.garments import write_garments

PHOTOS = PHOTOGRAPHS[0].parent


@pytest.fixture
def garments(tmp_path: Path) -> Path:
    return write_garments(tmp_path / "idx")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_both_parts_are_written(capsys: Capture, tmp_path: Path, garments: Path) -> None:
    options = ["--garments", garments, "--photos", PHOTOS, "--count", 2]
    lines = output(capsys, "scenes", tmp_path / "set", *options).splitlines()
    assert lines == [f"{tmp_path / 'set' / part}: 2 scenes" for part in ("train", "val")]
    for part in ("train", "val"):
        assert names(tmp_path / "set" / part) == ["000000.jpg", "000001.jpg", "annotations.json"]
    one, other = (tmp_path / "set" / part / "000000.jpg" for part in ("train", "val"))
    assert one.read_bytes() != other.read_bytes()  # seeds 0 and 1


def test_one_part_as_json_on_the_package_s_own_photographs(
    capsys: Capture, tmp_path: Path, garments: Path
) -> None:
    options = ["--garments", garments, "--part", "val", "--count", 1, "--json"]
    found = json.loads(output(capsys, "scenes", tmp_path / "set", *options))
    assert found == {"val": {"folder": str(tmp_path / "set" / "val"), "scenes": 1}}
    assert names(tmp_path / "set") == ["val"]


def test_the_seed_decides(capsys: Capture, tmp_path: Path, garments: Path) -> None:
    options = ["--garments", garments, "--part", "val", "--count", 1]
    made = {}
    for name, seed in [("default", []), ("one", ["--seed", 1]), ("zero", ["--seed", 0])]:
        output(capsys, "scenes", tmp_path / name, *options, *seed)
        made[name] = (tmp_path / name / "val" / "000000.jpg").read_bytes()
    assert made["default"] == made["one"] != made["zero"]


def test_a_folder_with_content_is_refused_before_anything_is_written(
    capsys: Capture, tmp_path: Path, garments: Path
) -> None:
    (tmp_path / "set" / "val").mkdir(parents=True)
    (tmp_path / "set" / "val" / "notes.txt").write_text("mine")
    options = ["--garments", garments, "--photos", PHOTOS, "--count", 1]
    message = complaint(capsys, "scenes", tmp_path / "set", *options)
    assert f"'{tmp_path / 'set' / 'val'}' is not empty" in message
    assert names(tmp_path / "set") == ["val"]
    assert names(tmp_path / "set" / "val") == ["notes.txt"]
    (tmp_path / "set" / "val" / "notes.txt").unlink()
    output(capsys, "scenes", tmp_path / "set", *options)


def test_missing_sources_are_one_line(capsys: Capture, tmp_path: Path, garments: Path) -> None:
    nowhere = tmp_path / "nowhere"
    target = ["scenes", tmp_path / "set", "--part", "train"]
    message = complaint(capsys, *target, "--garments", nowhere, "--photos", PHOTOS)
    assert f"no file '{nowhere}/train-images-idx3-ubyte.gz'" in message
    message = complaint(capsys, *target, "--garments", garments, "--photos", nowhere)
    assert f"no photo or folder at '{nowhere}'" in message
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_counts_are_whole_numbers(capsys: Capture, tmp_path: Path, count: str) -> None:
    message = complaint(capsys, "scenes", tmp_path / "set", f"--count={count}")
    assert f"'{count}' is not a count" in message
