"""`verify` passes what detects the same, and says what is wrong with all else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from deimv2.converters.manifest import Input, Manifest, describe
from deimv2.converters.precision import PRECISIONS
from deimv2.emulation import check
from deimv2.emulation.check import verify_on_arm64
from deimv2.emulation.emulator import Emulator
from deimv2.model.errors import CheckError, InputError
from deimv2.tests.conftest import FORMATS
from deimv2.tests.tiny import write_folder, write_onnx
from deimv2.verification.gpu import verify_on_gpu
from deimv2.verification.verify import Report, verify_folder


def photos(folder: Path) -> Path:
    folder.mkdir()
    for i in range(2):
        Image.new("RGB", (50, 40 + i)).save(folder / f"{i}.jpg")
    return folder


def test_an_equal_artifact_passes(tmp_path: Path) -> None:
    write_folder(tmp_path)
    report = verify_folder(tmp_path)
    parity = report.rows[0].parity
    assert parity is not None
    assert (parity.matched, parity.counted, parity.box_px.worst) == (6, 6, 0)
    assert report.passed
    assert [row.artifact for row in report.rows] == ["tiny-0.onnx", "tiny-1.onnx"]
    assert report.rows[0].against == "the float32 model, 3 golden photographs"


def test_a_wrong_score_fails_with_its_number_and_limit(tmp_path: Path) -> None:
    write_folder(tmp_path, scores=(0.9, 0.8))
    report = verify_folder(tmp_path)
    assert not report.passed
    good, bad = report.to_json()["rows"]
    assert (good["passed"], good["measured"]["score"]["worst"]) == (True, 0)
    assert bad["measured"]["score"]["worst"] == pytest.approx(0.1)
    assert bad["limits"]["score"] == 1e-4
    assert "the limit is 0.0001" in " ".join(bad["problems"])


def test_a_replaced_artifact_fails_by_its_hash_and_is_not_run(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    (tmp_path / "tiny-0.onnx").write_bytes(b"another file")
    (tmp_path / "tiny-1.onnx").unlink()
    first, second = verify_folder(tmp_path).rows
    assert first.parity is second.parity is None
    assert manifest.files[0].sha256 in first.problems[0]
    assert "is missing" in second.problems[0]


def test_another_size_than_the_manifest_says_fails(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    first = manifest.files[0]
    wrong = replace(first, size=first.size + 1)
    replace(manifest, files=(wrong, *manifest.files[1:])).write(tmp_path / "manifest.json")
    (row,) = [row for row in verify_folder(tmp_path).rows if row.problems]
    assert f"has {first.size} bytes, the manifest says {wrong.size}" in row.problems[0]


def test_a_changed_golden_file_fails(tmp_path: Path) -> None:
    write_folder(tmp_path)
    path = tmp_path / "golden" / "b.json"
    path.write_text(path.read_text().replace("0.5", "0.6"))
    with pytest.raises(CheckError, match=r"golden/b\.json' has SHA-256"):
        verify_folder(tmp_path)


def test_a_broken_artifact_with_the_right_hash_fails(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    (tmp_path / "tiny-0.onnx").write_bytes(b"no model")
    (tmp_path / "tiny-1.onnx").unlink()
    write_onnx(tmp_path / "tiny-1.onnx", shape=(1, 32, 32, 3))
    files = tuple(describe(tmp_path / file.name) for file in manifest.files)
    replace(manifest, files=files).write(tmp_path / "manifest.json")
    first, second = verify_folder(tmp_path).rows
    assert "no whole .onnx file" in first.problems[0]
    assert "takes frames of 32x32, expected 32x64" in second.problems[0]


def test_other_labels_inside_than_in_the_manifest_fail(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    replace(manifest, labels=("dog", "cat")).write(tmp_path / "manifest.json")
    assert "the labels inside are not" in verify_folder(tmp_path).rows[0].problems[0]


@pytest.mark.parametrize(
    ("name", "value"), [("variant", "pico"), ("precision", "int8"), ("precision", "fp16")]
)
def test_a_manifest_that_calls_a_file_another_model_fails(
    tmp_path: Path, name: str, value: str
) -> None:
    """By the limits of int8, much would pass."""
    manifest = write_folder(tmp_path, scores=(0.9,))
    card = {"labels": ["cat", "dog"], "variant": "atto", "precision": "fp32"}
    path = write_onnx(tmp_path / "tiny-0.onnx", card=json.dumps(card))
    manifest = replace(manifest, files=(describe(path),))
    manifest.write(tmp_path / "manifest.json")
    assert verify_folder(tmp_path).passed
    replace(manifest, **{name: value}).write(tmp_path / "manifest.json")
    (row,) = verify_folder(tmp_path).rows
    said = f"says that its {name} is {card[name]}, expected {value} as in the manifest"
    assert said in row.problems[0] and row.parity is None


@pytest.mark.parametrize("verify", [verify_folder, verify_on_gpu, verify_on_arm64])
def test_a_file_of_another_format_than_its_name_says_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verify: Callable[[Path], Report]
) -> None:
    monkeypatch.setattr(check, "find_emulator", lambda: Emulator(tmp_path))
    manifest = write_folder(tmp_path, scores=(0.9,))
    wrong = replace(manifest.files[0], format="tflite")
    replace(manifest, files=(wrong,)).write(tmp_path / "manifest.json")
    (row,) = verify(tmp_path).rows
    assert row.problems == (
        "the manifest says that it is tflite, expected a name in .tflite; export again",
    )


def test_own_photographs_show_agreement_only(tmp_path: Path) -> None:
    write_folder(tmp_path / "export", scores=(0.9, 0.9, 0.90009))
    report = verify_folder(tmp_path / "export", photos(tmp_path / "photos"))
    agreement = report.rows[3:]
    assert [row.artifact for row in agreement] == ["tiny-1.onnx", "tiny-2.onnx"]
    assert {row.against for row in agreement} == {"tiny-0.onnx, 2 own photographs"}
    assert report.passed
    assert agreement[1].limits is not None
    assert agreement[1].limits.score == 2 * PRECISIONS["fp32"].limits.score


def test_one_artifact_agrees_with_nothing(tmp_path: Path) -> None:
    write_folder(tmp_path / "export", scores=(0.9,))
    with pytest.raises(InputError, match=r"1 whole artifact in .* expected 2 or more"):
        verify_folder(tmp_path / "export", photos(tmp_path / "photos"))


def test_a_precision_without_limits_is_refused(tmp_path: Path, monkeypatch) -> None:
    write_folder(tmp_path)
    others = {name: each for name, each in PRECISIONS.items() if name != "fp32"}
    monkeypatch.setattr("deimv2.converters.precision.PRECISIONS", others)
    with pytest.raises(InputError, match="unknown precision 'fp32'"):
        verify_folder(tmp_path)


def test_an_input_size_other_than_the_manifests_is_named(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    replace(manifest, input=Input((64, 64))).write(tmp_path / "manifest.json")
    assert "takes frames of 32x64, expected 64x64" in verify_folder(tmp_path).rows[0].problems[0]


def test_an_export_passes(exported: Path) -> None:
    """With the very numbers that the export wrote into the manifest; but PyTorch, which executes an
    `.mlpackage`, sums in another order where it has another number of threads."""
    report = verify_folder(exported)
    assert report.passed, [row.problems for row in report.rows]
    found = {row.artifact: row.to_json()["measured"] for row in report.rows}
    recorded = {name: e["measured"] for name, e in Manifest.read(exported).parity.items()}
    (package,) = (name for name in recorded if name.endswith(".mlpackage"))
    executed, before = found.pop(package), recorded.pop(package)
    assert all(executed[count] == before[count] for count in ("counted", "matched"))
    assert found == recorded
    assert {Path(row.artifact).suffix for row in report.rows} == {f".{each}" for each in FORMATS}
    assert Manifest.read(exported).golden[0].source.startswith("validation scene 074: garments")


@pytest.mark.long
def test_the_artifacts_of_an_export_agree_on_own_photographs(
    exported: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.linear_gradient("L").save(folder / "gradient.png")
    report = verify_folder(exported, folder)
    assert len(report.rows) == 9  # five against the float32 model, four against the first
    assert report.passed, [row.problems for row in report.rows]
