"""A folder takes the place of an earlier one whole, or leaves it there."""

from pathlib import Path

import pytest

from deimv2.api.install import move


def made(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "a.txt").write_text(content)
    return folder


def test_a_folder_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    work, target = tmp_path / "work", made(tmp_path / "golden", "old")
    work.mkdir()
    move(made(work / "golden", "new"), target)
    assert (target / "a.txt").read_text() == "new"
    assert [path.name for path in work.iterdir()] == ["golden.earlier"]


def test_an_earlier_folder_stays_where_the_move_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    source, target = made(tmp_path / "new", "new"), made(tmp_path / "golden", "old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        move(source, target)
    assert (target / "a.txt").read_text() == "old" and (source / "a.txt").read_text() == "new"
