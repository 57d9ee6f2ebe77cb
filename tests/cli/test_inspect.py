"""`deimv2 inspect` as people type it: tables, JSON, the two gates, complaints."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from deimv2.cli.main import main
from deimv2.converters.manifest import Manifest
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import write_folder, write_onnx


@pytest.fixture
def tflite(exported: Path) -> Path:
    (path,) = exported.glob("*.tflite")
    return path


def test_it_prints_tables(tflite: Path, capsys: Capture) -> None:
    shown = output(capsys, "inspect", tflite)
    assert "image uint8 [1, 320, 320, 3]" in shown
    for part in ("CONV_2D", "XNNPACK", "TOPK_V2", "none of its kind is taken", "metadata", "graph"):
        assert part in shown


def test_json_holds_everything(tflite: Path, capsys: Capture) -> None:
    shown = json.loads(output(capsys, "inspect", tflite, "--json"))
    assert shown["artifact"] == tflite.name
    assert shown["card"]["precision"] == "fp32"
    assert sum(op["macs"] for op in shown["operations"]) == shown["macs"] > 0
    assert [delegate["name"] for delegate in shown["delegates"]] == ["XNNPACK"]
    assert all(row["reason"] for row in shown["delegates"][0]["outside"])


def test_what_was_never_run_is_named(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = Manifest.read(exported)
    name = "deimv2-atto-fp32.onnx"
    for folder in ("exported", "unverified"):
        shutil.copytree(exported, tmp_path / folder)
    replace(manifest, parity={}).write(tmp_path / "unverified" / "manifest.json")
    for folder, told in (("exported", False), ("unverified", True)):
        assert main(["inspect", str(tmp_path / folder / name), "--json"]) == 0
        assert (
            f"not verified: {name} (exported with --no-verify); run" in capsys.readouterr().err
        ) == told


def gated(capsys: Capture, *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["inspect", *map(str, arguments)])
    captured = capsys.readouterr()
    assert captured.out
    return code, captured.err.splitlines()[-1]


def test_gates(tflite: Path, capsys: Capture) -> None:
    assert gated(capsys, tflite, "--require-delegated", "0.98")[0] == 0
    code, line = gated(capsys, tflite, "--require-integer", "0.9")
    assert code == 1
    assert "error: 0.0000 of the 376.25 M MACs of" in line
    assert "are in integer kernels, expected at least 0.9" in line


def test_what_is_not_delegated_fails(exported: Path, capsys: Capture) -> None:
    (path,) = exported.glob("*.mlpackage")
    code, line = gated(capsys, path, "--require-delegated", "0.5")
    assert code == 1
    assert "Neural Engine takes 0.0000 of the" in line and "expected at least 0.5" in line


def test_bad_usage(tmp_path: Path, capsys: Capture) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    given = ("inspect", path, "--require-delegated")
    assert "knows no delegate" in complaint(capsys, *given, "0.5")
    assert "'2' is not a share, expected 0 to 1" in complaint(capsys, *given, "2")
    assert "no artifact at" in complaint(capsys, "inspect", tmp_path / "b.pte")
    write_folder(tmp_path / "export")
    line = complaint(capsys, "inspect", tmp_path / "export")
    assert "export' is an export, expected one of its files: tiny-0.onnx, tiny-1.onnx" in line
    path.write_bytes(b"rubbish")
    assert "is no whole .onnx file" in complaint(capsys, "inspect", path)
