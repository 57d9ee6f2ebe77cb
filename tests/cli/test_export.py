"""An export holds its promises: the same bytes, checked files, a manifest of what passed."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deimv2.api.exporting import ExportOptions, float_reference
from deimv2.cli.main import main
from deimv2.converters.artifact import open_model
from deimv2.converters.manifest import NAME, Manifest
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.converters.precision import PRECISIONS
from deimv2.model import build_model
from deimv2.model.errors import InputError
from deimv2.model.weights import save_weights
from deimv2.model.weights.sources import load, state_sha256
from deimv2.tests.cli.commands import Capture, output
from deimv2.tests.cli.exports import copy_from, hashes, start, use
from deimv2.tests.training.scenes import few

NAMES = ["cup", "plate", "fork"]
DEMO = ("--weights", "demo")  # as those of the shared export
RANDOM = ("--weights", "random")


@pytest.fixture
def quick(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions take the artifacts of the shared export."""
    use(monkeypatch, copy_from(exported))


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("names") / "names.txt"
    path.write_text("\n".join(NAMES) + "\n")
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, names: Path) -> Path:
    """A real export of three classes for frames of 256x320."""
    folder = tmp_path_factory.mktemp("small")
    arguments = [*RANDOM, "--format", "onnx", "--image-size", "256x320", "--labels", names]
    assert main(["export", *map(str, arguments), "--output", str(folder)]) == 0
    return folder


def listed(folder: Path) -> list[str]:
    return [file.format for file in Manifest.read(folder).files]


@pytest.mark.long
def test_the_same_command_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    """In another process, with another order of hashes. Takes minutes: it is a real export."""
    arguments = ("export", "--variant", "atto", *DEMO, "--format", *listed(exported))
    process = start(*arguments, "--no-verify", "--output", tmp_path, PYTHONHASHSEED="7")
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    printed = {line for line in (tmp_path / "export.log").read_text().splitlines() if line.strip()}
    assert printed and not printed & set(errors.splitlines())  # by the toolchains
    made = replace(Manifest.read(tmp_path), parity=Manifest.read(exported).parity)
    made.write(tmp_path / NAME)
    found, expected = hashes(tmp_path), hashes(exported)
    assert [name for name in expected if found.get(name) != expected[name]] == []
    assert found.keys() == expected.keys()


def test_frames_need_not_be_square(small: Path) -> None:
    manifest = Manifest.read(small)
    assert manifest.input.size == (256, 320)
    (path,) = small.glob("*.onnx")
    assert open_model(path).size == (256, 320)
    assert main(["verify", str(small)]) == 0


def test_class_names_are_in_the_manifest_and_in_the_artifact(capsys: Capture, small: Path) -> None:
    assert Manifest.read(small).labels == tuple(NAMES)
    (path,) = small.glob("*.onnx")
    assert open_model(path).labels == NAMES
    arguments = (path, PHOTOGRAPHS[0], "--threshold", 0, "--json")
    (row,) = json.loads(output(capsys, "predict", *arguments))
    assert len(row["detections"]) == 100
    assert {found["name"] for found in row["detections"]} <= set(NAMES)
    assert all(found["name"] == NAMES[found["label"]] for found in row["detections"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tflite", "mlpackage", "pte"])
def test_class_names_are_in_every_kind_of_artifact(tmp_path: Path, names: Path, kind: str) -> None:
    arguments = [*RANDOM, "--format", kind, "--labels", str(names), "--output", str(tmp_path)]
    assert main(["export", *arguments]) == 0
    assert main(["verify", str(tmp_path)]) == 0  # compares the names inside with the manifest's
    (path,) = tmp_path.glob(f"*.{kind}")
    assert open_model(path).labels == NAMES


@pytest.mark.long
def test_half_precision_is_kept_with_its_numbers(tmp_path: Path) -> None:
    """In a process of its own: its standard output holds the JSON alone while toolchains print."""
    kinds = ("tflite",)
    given = ("--weights", "demo", "--precision", "fp16", "--format", *kinds, "--output", tmp_path)
    process = start("export", *given, "--json")
    printed, errors = process.communicate()
    report = json.loads(printed)
    assert process.returncode == 0 and report["passed"], errors
    assert listed(tmp_path) == [file["format"] for file in report["files"]] == list(kinds)
    for row in report["rows"]:
        measured, limits = row["measured"], row["limits"]
        assert limits == asdict(PRECISIONS["fp16"].limits)
        assert measured["counted"] >= 50  # of the scenes that come with the demo weights
        assert 0 < measured["score"]["p50"] <= measured["score"]["p90"] <= limits["score"]
        assert 0 < measured["box_px"]["p50"] <= measured["box_px"]["p90"] <= limits["box_px"]


def test_what_has_nothing_to_detect_proves_nothing(
    capsys: Capture, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On empty photographs: the file is refused, and left to look at."""

    def convert(net: Any, card: Any, path: Path, *_: Any) -> None:
        single = (exported / "deimv2-atto-fp32.tflite").read_bytes()
        path.write_bytes(single.replace(b'"precision":"fp32"', b'"precision":"fp16"'))  # its card

    use(monkeypatch, convert, "tflite")
    for grey in (90, 120, 150):
        (tmp_path / "grey").mkdir(exist_ok=True)
        Image.new("RGB", (320, 320), (grey, grey, grey)).save(tmp_path / "grey" / f"{grey}.png")
    given = ("--precision", "fp16", "--format", "tflite", "--photos", tmp_path / "grey")
    assert main([str(each) for each in ("export", *given, "--output", tmp_path)]) == 1
    told = capsys.readouterr().err
    assert re.search("only [0-4] detections above 0.3 to compare, expected 5 or more", told)
    left = tmp_path / "deimv2-atto-fp16.rejected.tflite"
    assert open_model(left).size == (320, 320)
    assert not (tmp_path / "manifest.json").exists()


def test_own_photos_are_what_it_is_checked_on(capsys: Capture, quick: None, tmp_path: Path) -> None:
    """As many as have 200 detections together, from all of the folder: 6 each on average."""
    few(photos := tmp_path / "photos", 60)
    given = ("--format", "onnx", "--photos", photos, "--no-verify", "--output", tmp_path / "out")
    output(capsys, "export", "--weights", "demo", *given)
    names = {Path(each.image).stem for each in Manifest.read(tmp_path / "out").golden}
    assert 25 <= len(names) <= 32 and max(names) > "000050"
    assert all((photos / f"{name}.jpg").is_file() for name in names)


def test_json_alone_is_on_standard_output(capsys: Capture, quick: None, tmp_path: Path) -> None:
    report = json.loads(
        output(capsys, "export", *DEMO, "--format", "onnx", "--output", tmp_path, "--json")
    )
    assert report["passed"] is True
    assert [row["artifact"] for row in report["rows"]] == ["deimv2-atto-fp32.onnx"]
    assert report["rows"][0]["measured"]["matched_share"] == 1
    assert report["rows"][0]["verdict"] == "pass"
    assert report["files"][0]["sha256"] == Manifest.read(tmp_path).files[0].sha256


def test_a_format_named_twice_is_made_once(capsys: Capture, quick: None, tmp_path: Path) -> None:
    arguments = (*DEMO, "--format", "onnx", "pte", "onnx", "--output", tmp_path)
    assert output(capsys, "export", *arguments).count("deimv2-atto-fp32.onnx") == 1
    assert listed(tmp_path) == ["onnx", "pte"]


def test_artifacts_need_not_be_run(
    capsys: Capture, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object) -> None:
        raise AssertionError("it was run")

    monkeypatch.setattr("deimv2.verification.verify.open_model", run)
    arguments = ("export", *DEMO, "--format", "onnx", "--output", tmp_path, "--no-verify")
    *_, row = output(capsys, *arguments).splitlines()
    assert "its structure" in row and row.rstrip().endswith("not run")
    (found,) = json.loads(output(capsys, *arguments, "--json"))["rows"]
    assert (found["verdict"], found["passed"]) == ("not run", True)
    manifest = Manifest.read(tmp_path)
    assert manifest.parity == {} and manifest.unverified == ["deimv2-atto-fp32.onnx"]


def test_the_same_model_in_another_format_joins_the_first(
    capsys: Capture, quick: None, tmp_path: Path
) -> None:
    for kind in ("tflite", "onnx", "mlpackage", "onnx"):
        assert main(["export", *DEMO, "--format", kind, "--output", str(tmp_path)]) == 0
        assert "holds an export of another" not in capsys.readouterr().err
    assert sorted(listed(tmp_path)) == ["mlpackage", "onnx", "tflite"]
    kinds = {name.rpartition(".")[2] for name in Manifest.read(tmp_path).parity}
    assert kinds == {"mlpackage", "onnx", "tflite"}
    assert main(["verify", str(tmp_path)]) == 0


def test_translations_are_in_the_manifest_and_stay_with_the_model(
    capsys: Capture, quick: None, exported: Path, tmp_path: Path
) -> None:
    count = len(Manifest.read(exported).labels)
    files = {tag: tmp_path / f"{tag}.txt" for tag in ("fr", "de")}
    for tag, file in files.items():
        file.write_text("".join(f"{tag} {i}\n" for i in range(count)))
    given = (f"{tag}={file}" for tag, file in files.items())
    arguments = (*DEMO, "--no-verify", "--output", tmp_path / "out")
    output(capsys, "export", *arguments, "--format", "tflite", "--translations", *given)
    expected = {tag: tuple(f"{tag} {i}" for i in range(count)) for tag in ("de", "fr")}
    assert Manifest.read(tmp_path / "out").translations == expected
    output(capsys, "export", *arguments, "--format", "onnx")  # joins the first
    manifest = Manifest.read(tmp_path / "out")
    assert len(manifest.files) == 2 and manifest.translations == expected
    assert manifest.labels == Manifest.read(exported).labels
    shutil.rmtree(tmp_path / "out")
    output(capsys, "export", *arguments, "--format", "onnx")
    assert Manifest.read(tmp_path / "out").translations is None


def test_an_earlier_artifact_that_was_damaged_is_not_listed_again(
    capsys: Capture, quick: None, tmp_path: Path
) -> None:
    output(capsys, "export", *DEMO, "--format", "tflite", "--output", tmp_path)
    (tmp_path / "deimv2-atto-fp32.tflite").write_bytes(b"damaged")
    output(capsys, "export", *DEMO, "--format", "onnx", "--output", tmp_path)
    assert listed(tmp_path) == ["onnx"]


def test_another_model_takes_the_folder_over(
    capsys: Capture, exported: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "both"
    shutil.copytree(exported, folder)
    use(monkeypatch, copy_from(small))
    arguments = [*RANDOM, "--format", "onnx", "--image-size", "256x320", "--output", str(folder)]
    names = tmp_path / "names.txt"
    names.write_text("\n".join(NAMES))
    assert main(["export", *arguments, "--labels", str(names)]) == 0
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if "left by other exports" in line]
    (told,) = [line for line in lines if "holds an export of another model or precision" in line]
    assert lines.index(told) < next(i for i, each in enumerate(lines) if "peak memory" in each)
    assert "deimv2-atto-fp32.tflite" in told
    for kind in ("mlpackage", "pte", "tflite"):
        assert f"deimv2-atto-fp32.{kind}" in line
    assert ".onnx" not in line
    assert Manifest.read(folder).labels == tuple(NAMES)
    assert listed(folder) == ["onnx"]
    assert main(["verify", str(folder)]) == 0
    assert (folder / "deimv2-atto-fp32.tflite").exists()


def test_a_broken_manifest_is_replaced(capsys: Capture, quick: None, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema_version": 2, "variant": ')
    output(capsys, "export", *DEMO, "--format", "onnx", "--output", tmp_path)
    assert listed(tmp_path) == ["onnx"]


def test_int8_is_compared_with_the_float_weights_that_are_named(tmp_path: Path) -> None:
    """Also where the weights were not quantized."""
    loaded = load("atto", "demo", None, None)
    net = build_model("atto", len(loaded.labels))
    save_weights(net, tmp_path / "named.safetensors", loaded.labels)
    save_weights(build_model("atto", len(NAMES)), tmp_path / "fewer.safetensors", NAMES)
    options = ExportOptions(precision="int8")
    for given, expected in ((None, loaded.net), (tmp_path / "named.safetensors", net)):
        found = float_reference(replace(options, float_weights=given), "demo", loaded)
        assert found is not None
        assert state_sha256(found.state_dict()) == state_sha256(expected.state_dict())
    options = replace(options, float_weights=tmp_path / "fewer.safetensors")
    with pytest.raises(InputError, match=f"has 3 classes, expected {len(loaded.labels)}"):
        float_reference(options, "demo", loaded)
