"""Commands do what they say; whatever is wrong ends in one line and the right exit code."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from deimv2.cli.main import COMMANDS, main
from deimv2.model import VARIANTS
from deimv2.model.errors import InputError
from deimv2.model.signals import handling
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.cli.exports import hashes
from deimv2.tests.tiny import write_folder


def test_every_command_has_help_with_an_example(capsys: Capture) -> None:
    assert "example: deimv2" in output(capsys, "--help")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        assert f"example: deimv2 {name}" in output(capsys, name, "--help")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "required: COMMAND"),
        (["detect"], "invalid choice: 'detect'"),
        (["list", "--fast"], "unrecognized arguments: --fast; see 'deimv2 list --help'"),
        (["--fast", "list"], "unrecognized arguments: --fast; see 'deimv2 --help'"),
        (["verify"], "required: DIR"),
        (["predict", "a.onnx"], "no photos after 'a.onnx'"),
        (["predict", "a.onnx", "b.jpg", "--threshold", "1.5"], "'1.5' is not a score"),
        (["predict", "a.onnx", "b.jpg", "--threshold", "nan"], "'nan' is not a score"),
        (["predict", "a.onnx", "b.jpg", "--threshold", "high"], "'high' is not a score"),
        (["predict", "a.onnx", ""], "'' is no path"),
        (["export", "--output", ""], "argument --output: '' is no path"),
        (["export", "--weights", ""], "weights '' is no path, expected one"),
        (["export", "--weights", "", "--variant", "femto"], "weights '' is no path, expected one"),
        (["quantize", "--weights", ""], "weights '' is no path, expected one"),
        (["quantize", "--qat", "--weights", ""], "weights '' is no path, expected one"),
    ],
)
def test_bad_usage_is_one_line(capsys: Capture, arguments: list[str], part: str) -> None:
    assert part in complaint(capsys, *arguments)


def test_starting_loads_no_heavy_package() -> None:
    code = (
        "import sys, deimv2.cli.main; print(*{'torch', 'numpy', 'PIL', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "x.bin"), 2, "'x.bin': No space left on device"),
        (PermissionError(13, "Permission denied", "x.bin"), 2, "'x.bin': Permission denied"),
        (
            shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")] * 40),
            2,
            "cannot read or write: No space left on device; check the path",
        ),
        (InputError("two\nlines"), 2, "two lines"),
    ],
)
def test_failures_end_in_one_line(
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    line: str,
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("deimv2.cli.list.run", fail)
    assert line in complaint(capsys, "list", code=code)


def test_a_polite_kill_ends_a_command_as_ctrl_c_does(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    def work(_: object) -> int:
        with contextlib.closing(SimpleNamespace(close=lambda: closed.append(True))):
            signal.raise_signal(signal.SIGTERM)
        return 0

    monkeypatch.setattr("deimv2.cli.list.run", work)
    with handling([signal.SIGTERM], signal.SIG_IGN):  # else, not handled, it ends the tests
        assert "interrupted" in complaint(capsys, "list", code=130)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert closed == [True]


def test_list_names_every_variant(capsys: Capture) -> None:
    rows = json.loads(output(capsys, "list", "--json"))
    assert [row["name"] for row in rows] == list(VARIANTS)
    assert rows[0]["image_size"] == [320, 320]
    lines = output(capsys, "list").splitlines()
    assert len(lines) == 1 + len(VARIANTS)
    assert "23.8" in lines[1]


def test_verify_exits_by_its_result(capsys: Capture, tmp_path: Path) -> None:
    write_folder(tmp_path / "good")
    text = output(capsys, "verify", tmp_path / "good")
    assert text.count("pass") == 2
    assert "0 (p99 0.0001, worst 0.002)" in text
    assert json.loads(output(capsys, "verify", tmp_path / "good", "--json"))["passed"] is True

    write_folder(tmp_path / "bad", scores=(0.9, 0.8))
    assert main(["verify", str(tmp_path / "bad"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["passed"] is False
    assert main(["verify", str(tmp_path / "bad")]) == 1
    captured = capsys.readouterr()
    assert "FAIL" in captured.out
    assert "tiny-1.onnx: " in captured.err


def test_verify_of_a_damaged_folder(capsys: Capture, tmp_path: Path) -> None:
    assert "no manifest.json in" in complaint(capsys, "verify", tmp_path)
    write_folder(tmp_path)
    assert "no folder at" in complaint(capsys, "verify", tmp_path, "--images", tmp_path / "none")
    (tmp_path / "golden" / "a.png").unlink()
    assert "a.png' is missing" in complaint(capsys, "verify", tmp_path, code=1)


def test_verify_writes_its_report_whatever_it_finds(capsys: Capture, tmp_path: Path) -> None:
    write_folder(tmp_path / "good")
    assert "pass" in output(capsys, "verify", tmp_path / "good", "--report", tmp_path / "a.html")
    assert "Passed" in (tmp_path / "a.html").read_text()
    write_folder(tmp_path / "bad", scores=(0.9, 0.8))
    assert main(["verify", str(tmp_path / "bad"), "--report", str(tmp_path / "a.html")]) == 1
    assert "Failed" in (tmp_path / "a.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"good", "bad", "a.html"}


def test_a_place_for_no_report_is_named_before_the_work(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path)
    monkeypatch.delattr("deimv2.verification.verify.verify_folder")
    for place in (tmp_path, tmp_path / "none" / "a.html", tmp_path / "manifest.json" / "a.html"):
        line = complaint(capsys, "verify", tmp_path, "--report", place)
        assert f"--report '{place}' is not a file in an existing folder" in line


@pytest.mark.parametrize("name", ["manifest.json", "tiny-0.onnx", "page"])
def test_a_report_takes_the_place_of_no_other_file(
    capsys: Capture, tmp_path: Path, name: str
) -> None:
    write_folder(tmp_path)
    before = hashes(tmp_path)
    line = complaint(capsys, "verify", tmp_path, "--report", tmp_path / name)
    assert f"{name}' ends in '{Path(name).suffix}', expected .html or .htm; rename it" in line
    assert hashes(tmp_path) == before


def test_a_report_takes_the_place_of_nothing_but_a_file(capsys: Capture, tmp_path: Path) -> None:
    write_folder(tmp_path)
    os.mkfifo(tmp_path / "a.html")
    for command in (["verify", tmp_path, "--report"], ["report", tmp_path, "--output"]):
        assert "is there and is no file" in complaint(capsys, *command, tmp_path / "a.html")
