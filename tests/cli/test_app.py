"""`deimv2 app` copies what a phone runs and checks it first."""

import json
import shutil
from pathlib import Path

import pytest

from deimv2.api.apps import PLATFORMS, ROOT, formats_of, sample_assets
from deimv2.converters.manifest import Manifest, check_golden, file_problem
from deimv2.model.errors import InputError
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import write_folder
from deimv2.tests.vectors.__main__ import FOLDER

GOOD = FOLDER / "folder"


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_bundle_holds_what_the_platform_runs_and_no_more(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    target = tmp_path / "app" / "deimv2"
    said = json.loads(output(capsys, "app", platform, GOOD, "--output", target, "--json"))
    manifest = Manifest.read(target)
    assert {file.format for file in manifest.files} == set(formats_of(platform))
    assert said == {"folder": str(target), "files": [file.name for file in manifest.files]}
    assert all(not file_problem(target, file.name, file.sha256) for file in manifest.files)
    check_golden(target, manifest.golden)
    listed = {"manifest.json", "golden", *said["files"]}
    assert {path.name for path in target.iterdir()} == listed
    assert set(manifest.parity) <= set(said["files"])
    assert [path.name for path in target.parent.iterdir()] == ["deimv2"]


def test_a_second_export_takes_the_place_of_the_first(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    target = tmp_path / "deimv2"
    for _ in range(2):
        output(capsys, "app", platform, GOOD, "--output", target)
        (target / "left over").touch()
    assert "golden photographs" in output(capsys, "app", platform, GOOD, "--output", target)
    assert not (target / "left over").exists()


def test_a_damaged_file_is_refused_and_nothing_changes(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    target = tmp_path / "deimv2"
    output(capsys, "app", platform, GOOD, "--output", target)
    broken = tmp_path / "broken"
    shutil.copytree(GOOD, broken)
    (broken / "tiny.pte").write_text("truncated")
    said = complaint(capsys, "app", platform, broken, "--output", target, code=1)
    assert "tiny.pte' has SHA-256" in said
    assert Manifest.read(target).files


def test_a_folder_without_artifacts_for_it_is_refused(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    write_folder(tmp_path / "onnx")
    said = complaint(capsys, "app", platform, tmp_path / "onnx", "--output", tmp_path / "new")
    assert "holds tiny-0.onnx, tiny-1.onnx, expected one of" in said
    assert "export with --format" in said


def test_a_folder_of_something_else_is_not_replaced(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    (tmp_path / "precious").mkdir()
    said = complaint(capsys, "app", platform, GOOD, "--output", tmp_path / "precious")
    assert "is no folder with artifacts" in said


def test_the_sample_app_is_in_the_repository(
    platform: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert ROOT in sample_assets(PLATFORMS[platform]).parents
    monkeypatch.setattr("deimv2.api.apps.ROOT", tmp_path)
    with pytest.raises(InputError, match="expected a clone of the repository"):
        sample_assets(PLATFORMS[platform])
