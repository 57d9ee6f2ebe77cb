"""What is printed, whatever a path or a class name holds and wherever it goes."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from deimv2.cli import console
from deimv2.tests.tiny import write_onnx

ODD = "odd/x[/y]/[bold]m[/bold].onnx"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """A terminal."""
    text = StringIO()
    shown = Console(file=text, force_terminal=True, width=200)
    monkeypatch.setattr(console, "_console", lambda _: shown)
    return text


def test_brackets_in_a_path_are_shown_on_a_terminal(screen: StringIO) -> None:
    with console.PROGRESS.status(ODD):
        pass
    assert list(console.PROGRESS.track([1, 2], ODD)) == [1, 2]
    assert list(console.track_rate([1, 2], ODD, 2)) == [1, 2]
    console.print_table(["a[/b]"], [[ODD]])
    assert screen.getvalue().count(ODD) >= 4 and "a[/b]" in screen.getvalue()


def predict(model: Path, photo: bytes, *options: str, encoding: str) -> bytes:
    command = [sys.executable, "-m", "deimv2", "predict", str(model), photo, *options]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("encoding", ["utf-8:strict", "latin-1:strict", "ascii:strict"])
def test_text_that_standard_output_cannot_encode_is_escaped(tmp_path: Path, encoding: str) -> None:
    model = write_onnx(
        tmp_path / "m.onnx", card='{"labels": ["\\u72ac", "caf\\u00e9 \\ud83d\\udc36"]}'
    )
    photo = os.fsencode(tmp_path) + b"/\xff\xe9.jpg"
    with open(photo, "wb") as file:  # noqa: PTH123 (a Path takes no bytes)
        Image.new("RGB", (40, 40)).save(file, "JPEG")
    text = predict(model, photo, encoding=encoding)
    assert b"\\udcff\\udce9.jpg: 2 detections" in text
    assert ("犬" if encoding.startswith("utf") else "\\u72ac").encode() in text
    (row,) = json.loads(predict(model, photo, "--json", encoding=encoding))
    assert row == json.loads(predict(model, photo, "--json-lines", encoding=encoding))
    assert os.fsencode(row["image"]) == photo
    assert [each["name"] for each in row["detections"]] == ["café 🐶", "犬"]


def test_closed_streams_are_no_failure() -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        command = f'"{sys.executable}" -m deimv2 list {closed}'
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    command = f'"{sys.executable}" -m deimv2 verify nowhere 2>&-'
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
