"""`evaluate FOLDER` measures every artifact of an export, or none."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from deimv2.converters.manifest import Manifest
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model.files import sha256_of
from deimv2.tests.annotated import Box, write_set
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import write_folder


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    return write_set(tmp_path, [Box(0, 2, (0.1, 0.2, 0.4, 0.4))], {1: "cat", 2: "dog"})


def command(annotations: Path, *more: object) -> list[object]:
    images = annotations.parent / "images"
    return ["evaluate", *more, "--images", images, "--annotations", annotations]


def test_a_folder_is_measured_and_its_manifest_records_it(
    annotations: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "export"
    files = write_folder(folder).files
    results = json.loads(output(capsys, *command(annotations, folder, "--record", "--json")))
    assert [result["model"] for result in results] == [str(folder / file.name) for file in files]
    assert Manifest.read(folder).measured == {
        file.name: {
            "ap": {
                "AP": result["metrics"]["AP"],
                "AP50": result["metrics"]["AP50"],
                "photos": len(PHOTOGRAPHS),
                "annotations_sha256": sha256_of(annotations),
            }
        }
        for file, result in zip(files, results, strict=True)
    }
    pipe, end = os.pipe()
    os.write(end, b"cat\ndog\n")
    os.close(end)
    given = ["--labels", f"/dev/fd/{pipe}", "--json"]
    again = json.loads(output(capsys, *command(annotations, folder, *given)))
    assert [each["metrics"] for each in again] == [each["metrics"] for each in results]
    replace(Manifest.read(folder), score_threshold=0.3).write(folder / "manifest.json")
    table = output(capsys, *command(annotations, folder)).splitlines()
    assert table[0].split() == ["metric", *(file.name for file in files), "over"]
    assert f"{files[1].name}: at IoU 0.50, counting detections that score above 0.3, " in table[-1]


def test_what_does_not_open_is_told_before_anything_is_measured(
    annotations: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("deimv2.api.evaluating.measured")
    write_folder(folder := tmp_path / "export")
    (folder / "tiny-1.onnx").write_bytes(b"damaged")
    line = complaint(capsys, *command(annotations, folder))
    assert "tiny-1.onnx' has SHA-256" in line
