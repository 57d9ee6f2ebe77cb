"""A folder takes the place of an earlier one whole, or leaves it there; text is in UTF-8."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deimv2.api.install import move
from deimv2.model.files import names_apart


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


def test_text_is_in_utf8_whatever_the_locale(tmp_path: Path) -> None:
    for name in ("config.json", "metadata.json"):
        content = {"id2label": {"0": "Löffel"}, "creationDate": "today"}
        (tmp_path / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    code = (
        "import locale; assert 'utf' not in locale.getpreferredencoding(False).lower()\n"
        "from pathlib import Path\n"
        "from deimv2.converters.aimodel.convert import settle\n"
        "from deimv2.model.labels import names_in_config\n"
        "print(ascii(names_in_config(Path('config.json')))); settle(Path())\n"
    )
    given = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=given, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout == "['L\\xf6ffel']\n", done.stderr
    assert "Löffel" in (tmp_path / "metadata.json").read_text(encoding="utf-8")


def test_files_of_one_name_are_told_apart_by_the_end_of_their_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [Path("a/x/f.onnx"), Path("b/x/f.onnx"), Path("b/x/g.onnx"), tmp_path / "c" / "f.onnx"]
    assert [*names_apart(paths).values()] == ["a/x/f.onnx", "b/x/f.onnx", "g.onnx", "c/f.onnx"]
    assert [*names_apart([paths[0], paths[0]]).values()] == ["f.onnx"]
    assert [*names_apart([Path("/f"), Path("f")]).values()] == ["/f", f"{tmp_path.name}/f"]
