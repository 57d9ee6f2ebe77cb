"""What a GPU was seen to do goes into the manifest, and what apps are to try follows from it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deimv2.converters.format import GPU, GPU_FLOAT32
from deimv2.converters.manifest import NAME, Manifest
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import write_folder
from deimv2.verification.gpu import record_on_gpu
from deimv2.verification.verify import Report, Row, verify_folder


def trials(folder: Path, *problems: str) -> Report:
    """As if the first file had run on a GPU; problems: with its own arithmetic."""
    row = verify_folder(folder).rows[0]
    name = row.artifact
    full = replace(row, artifact=f"{name} {GPU_FLOAT32}")
    return Report(str(folder), (full, replace(row, artifact=f"{name} {GPU}", problems=problems)))


def test_a_file_that_passed_is_for_the_gpu_first(tmp_path: Path) -> None:
    write_folder(tmp_path)
    record_on_gpu(tmp_path, trials(tmp_path))
    manifest = Manifest.read(tmp_path)
    assert [file.accelerators for file in manifest.files] == [("gpu", "cpu"), None]
    assert manifest.measured is not None
    recorded = manifest.measured["tiny-0.onnx"]["gpu"]
    assert set(manifest.measured) == {"tiny-0.onnx"} and set(recorded) == {"float32", "default"}
    assert recorded["default"]["passed"] and recorded["default"]["measured"]["matched"] == 6


def test_a_file_that_failed_is_for_the_cpu_alone(tmp_path: Path) -> None:
    write_folder(tmp_path)
    record_on_gpu(tmp_path, trials(tmp_path))
    record_on_gpu(tmp_path, trials(tmp_path, "it ended the GPU's process"))
    manifest = Manifest.read(tmp_path)
    assert manifest.files[0].accelerators == ("cpu",)
    assert manifest.measured is not None
    default = manifest.measured["tiny-0.onnx"]["gpu"]["default"]
    assert not default["passed"] and default["problems"] == ["it ended the GPU's process"]


def test_one_that_did_not_run_has_no_numbers(tmp_path: Path) -> None:
    write_folder(tmp_path)
    rows = [Row(f"tiny-0.onnx {device}", "x", ("no",)) for device in (GPU_FLOAT32, GPU)]
    record_on_gpu(tmp_path, Report(str(tmp_path), tuple(rows)))
    manifest = Manifest.read(tmp_path)
    assert manifest.measured is not None and manifest.files[0].accelerators == ("cpu",)
    assert set(manifest.measured["tiny-0.onnx"]["gpu"]["float32"]) == {"passed", "problems"}


def test_a_manifest_of_the_first_schema_is_read_and_raised(tmp_path: Path) -> None:
    write_folder(tmp_path)
    path = tmp_path / NAME
    content = json.loads(path.read_text()) | {"schema_version": 1}
    path.write_text(json.dumps(content))
    assert Manifest.read(tmp_path).schema_version == 1
    record_on_gpu(tmp_path, trials(tmp_path))
    assert Manifest.read(tmp_path).schema_version == 2


def test_there_is_nothing_to_record_of_this_machine(capsys: Capture, tmp_path: Path) -> None:
    write_folder(tmp_path)
    assert "--record is for --device arm64 and gpu" in complaint(
        capsys, "verify", tmp_path, "--record"
    )
    text = " ".join(output(capsys, "verify", "--help").split())
    assert "--record with --device: store the result" in text


@pytest.mark.gpu
def test_a_gpu_run_is_recorded(exported: Path, tmp_path: Path) -> None:
    import shutil

    from deimv2.api.verifying import verify

    folder = shutil.copytree(exported, tmp_path / "demo")
    assert verify(folder, device="gpu", record=True).passed
    by_format = {file.format: file.accelerators for file in Manifest.read(folder).files}
    assert by_format["tflite"] == ("gpu", "cpu") and by_format["pte"] is None
