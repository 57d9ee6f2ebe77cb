"""`verify --device arm64`: what it says without an emulator, and what the emulator shows."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deimv2.converters.artifact import open_model
from deimv2.converters.golden import read_golden
from deimv2.converters.manifest import Manifest
from deimv2.emulation import check, emulator
from deimv2.emulation.emulator import Emulator, find_emulator, parse
from deimv2.model.detections import Detections
from deimv2.model.errors import CheckError, InputError
from deimv2.tests.cli.commands import Capture, complaint
from deimv2.tests.tiny import found, write_folder

FRAMES = [np.full((4, 6, 3), value, np.uint8) for value in (1, 2, 3)]
ORDER = (2, 0, 1)


def as_bytes(detections: Detections) -> bytes:
    return b"".join(
        part.tobytes() for part in (detections.boxes, detections.scores, detections.labels)
    )


def fake_emulator(folder: Path, program: str) -> Emulator:
    """Where qemu's loader would be, a Python program. `log`, `frames` and `outputs` are paths,
    `b`, `s` and `l` the order that it was called with."""
    loader = folder / "qemu" / "lib64" / "ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.write_text(
        f"#!{sys.executable} -I\n"
        "import sys\nfrom pathlib import Path\n"
        "*_, frames, outputs, b, s, l = sys.argv\n"
        "log = sys.argv[sys.argv.index('-D') + 1]\n" + program
    )
    loader.chmod(0o755)
    return Emulator(folder)


def test_without_the_emulator_the_line_names_the_command(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    line = re.escape(f"PYTHON={sys.executable} sh {emulator.HERE / 'setup.sh'}")
    with pytest.raises(InputError, match=rf"no ARM64 emulator .* set it up with: {line}$"):
        find_emulator()


def test_an_emulator_of_other_versions_is_not_taken(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ready = tmp_path / "deimv2" / "arm64" / "ready"
    ready.parent.mkdir(parents=True)
    ready.write_text("ai-edge-litert==2.0.0\n")
    with pytest.raises(InputError, match="no ARM64 emulator for these versions"):
        find_emulator()


def test_setting_up_needs_the_runtimes(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", emulator.HERE / "setup.sh"],
        env=os.environ | {"PYTHON": "/bin/false", "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "'/bin/false' lacks LiteRT or ExecuTorch" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_command_ends_with_2_without_the_emulator(
    tmp_path: Path, monkeypatch, capsys: Capture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_folder(tmp_path / "export")
    line = complaint(capsys, "verify", tmp_path / "export", "--device", "arm64")
    assert line.startswith("deimv2: error: no ARM64 emulator")


def test_own_photographs_are_for_this_machine(tmp_path: Path, capsys: Capture) -> None:
    line = complaint(capsys, "verify", tmp_path, "--device", "arm64", "--images", tmp_path)
    assert "leave out --images or --device" in line


def test_a_folder_without_files_for_arm64_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(check, "find_emulator", lambda: Emulator(tmp_path))
    write_folder(tmp_path)
    with pytest.raises(InputError, match=r"no \.tflite or \.pte file"):
        check.verify_on_arm64(tmp_path)


def test_an_arm64_machine_emulates_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(check.platform, "machine", lambda: "aarch64")
    write_folder(tmp_path)
    report = check.verify_on_arm64(tmp_path)
    assert {row.against for row in report.rows} == {"the float32 model, 3 golden photographs"}
    assert {row.instructions for row in report.rows} == {None}
    assert check.entry(report.rows[0]) is None


def test_detections_and_instructions_come_back(tmp_path: Path) -> None:
    answer = as_bytes(found(0.9)) + as_bytes(found(0.8))
    fake = fake_emulator(
        tmp_path,
        "assert Path(frames).read_bytes() == bytes([1] * 72 + [2] * 72 + [3] * 72)\n"
        "assert (b, s, l) == ('2', '0', '1')\n"
        f"Path(outputs).write_bytes({answer!r})\n"
        "Path(log).write_text('1000\\n1900\\n2000\\n2102\\n')\n",
    )
    (first, second), count = fake.detect(Path("a.tflite"), FRAMES, ORDER, queries=2)
    assert first.to_json() == found(0.9).to_json()
    assert second.to_json() == found(0.8).to_json()
    assert count == 101  # not the 900 of the first


def test_a_crash_is_told_by_its_last_line(tmp_path: Path) -> None:
    fake = fake_emulator(tmp_path, "sys.stderr.write('INFO: hello\\nno kernel\\n'); sys.exit(3)")
    with pytest.raises(CheckError, match=r"ended with 3 \(no kernel\)"):
        fake.detect(Path("a.pte"), FRAMES, ORDER, queries=2)


def test_a_signal_without_a_word_is_a_crash(tmp_path: Path) -> None:
    fake = fake_emulator(tmp_path, "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(CheckError, match=r"ended with -11 \(it said nothing\)"):
        fake.detect(Path("a.pte"), FRAMES, ORDER, queries=2)


def test_one_frame_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 frames, expected 2 or more"):
        Emulator(tmp_path).detect(Path("a.pte"), FRAMES[:1], ORDER, queries=2)


def test_detections_that_are_cut_off_are_refused() -> None:
    assert len(parse(as_bytes(found()) * 3, queries=2)) == 3
    for outputs in (b"", as_bytes(found())[:-1]):
        with pytest.raises(CheckError, match=rf"{len(outputs)} bytes .* expected 48 per frame"):
            parse(outputs, queries=2)


@pytest.mark.parametrize("score", [0.0, 0.002])
def test_what_is_detected_otherwise_fails(exported: Path, monkeypatch, score: float) -> None:
    class Other(Emulator):
        def detect(self, artifact, frames, order, queries):
            here = [open_model(artifact).detect(frame) for frame in frames]
            return [replace(each, scores=each.scores - np.float32(score)) for each in here], 7

    monkeypatch.setattr(check, "find_emulator", lambda: Other(exported))
    report = check.verify_on_arm64(exported)
    assert [Path(row.artifact).suffix for row in report.rows] == [".tflite", ".pte"]
    assert report.passed == (score == 0)
    assert report.to_json()["rows"][0]["instructions"] == 7
    if score:
        assert "(the worst: 0.002), the limit is 0.0002" in report.rows[0].problems[0]


@pytest.mark.emulation
def test_arm64_detects_what_this_machine_detects(exported: Path) -> None:
    once, again = (check.verify_on_arm64(exported) for _ in range(2))
    assert once.passed, [row.problems for row in once.rows]
    assert [Path(row.artifact).suffix for row in once.rows] == [".tflite", ".pte"]
    for row, repeated in zip(once.rows, again.rows, strict=True):
        assert row.parity is not None and row.parity.counted >= 100
        assert repeated.instructions == pytest.approx(row.instructions, rel=1e-3)


@pytest.mark.emulation
@pytest.mark.parametrize("suffix, reason", [(".pte", "ExecuTorch's error"), (".tflite", "model")])
def test_a_broken_file_is_a_crash_with_a_reason(exported: Path, tmp_path, suffix, reason) -> None:
    manifest = Manifest.read(exported)
    frames = [golden.frame for golden in read_golden(exported, manifest.golden)]
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(b"no model" * 100)
    with pytest.raises(CheckError, match=reason):
        find_emulator().detect(broken, frames, ORDER, queries=100)
