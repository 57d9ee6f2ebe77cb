"""`predict` takes photos of every kind, and says in one line what it cannot take."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from deimv2.cli.main import main
from deimv2.cli.predict import drawing_paths
from deimv2.converters import PRECISIONS
from deimv2.converters.golden import read_golden
from deimv2.converters.manifest import Manifest
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model import build_model
from deimv2.model.coco import COCO_LABELS
from deimv2.model.detections import Detections
from deimv2.model.weights import random_state
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import found, write_folder, write_onnx
from deimv2.verification.parity import compare


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as photo:
        return photo.size


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "tiny.onnx")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (200, 100), (90, 90, 90)).save(path)
    return path


def text_file(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_predict_prints_and_draws(
    capsys: Capture, artifact: Path, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "drawn" / "here"
    text = output(capsys, "predict", artifact, photo, "--output", folder)
    assert f"photo.png: 2 detections, drawn in {folder}" in text
    assert "dog 0.90  x 20 to 100, y 20 to 60" in text
    assert [path.name for path in folder.iterdir()] == ["photo-detected.jpg"]
    drawn = np.asarray(Image.open(folder / "photo-detected.jpg"))
    assert drawn.shape == (100, 200, 3)
    assert drawn.std() > 0


def test_drawings_whose_names_differ_only_in_case_have_names_of_their_own(tmp_path: Path) -> None:
    """They would be one on macOS."""
    paths = drawing_paths([Path("IMG.jpg"), Path("img.png")], tmp_path)
    assert paths == [tmp_path / "IMG-detected.jpg", tmp_path / "img-2-detected.jpg"]


def test_predict_as_json(capsys: Capture, artifact: Path, photo: Path) -> None:
    (row,) = json.loads(output(capsys, "predict", artifact, photo, "--threshold", 0.4, "--json"))
    assert (row["width"], row["height"], row["drawing"]) == (200, 100, None)
    assert [d["name"] for d in row["detections"]] == ["dog", "cat"]
    assert row["detections"][0]["score"] == pytest.approx(0.9)
    assert row["detections"][0]["box"] == pytest.approx([0.1, 0.2, 0.5, 0.6])


def test_photos_of_the_same_name_are_drawn_apart(
    capsys: Capture, artifact: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        Image.new("RGB", (40, 40)).save(folder / "x.jpg")
    output(capsys, "predict", artifact, *folders, "--output", folders[0])
    names = ["x-2-detected.jpg", "x-3-detected.jpg", "x-detected.jpg", "x.jpg"]
    assert sorted(path.name for path in folders[0].iterdir()) == names
    output(capsys, "predict", artifact, *folders[0].iterdir(), "--output", folders[0])
    assert len(list(folders[0].iterdir())) == 8


def test_drawings_of_long_names_have_shorter_ones(
    capsys: Capture, artifact: Path, tmp_path: Path
) -> None:
    """Of the most bytes that a name may have, and not the most letters."""
    (photos := tmp_path / "photos").mkdir()
    for name in ("a" * 251, "a" * 250 + "b", "ä" * 125):
        Image.new("RGB", (40, 40)).save(photos / f"{name}.jpg")
    output(capsys, "predict", artifact, photos, "--output", tmp_path / "drawn")
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert [len(name) for name in names] == [200 + 15, 200 + 13, 100 + 13]


SAVED: dict[str, Callable[[Path], object]] = {
    "one-pixel.png": lambda path: Image.new("RGB", (1, 1)).save(path),
    "long.png": lambda path: Image.new("RGB", (8000, 10)).save(path),
    "cmyk.jpg": lambda path: Image.new("CMYK", (30, 20)).save(path),
    "sixteen-bit.png": lambda path: Image.fromarray(np.full((9, 9), 999, np.uint16)).save(path),
    "grey.jpg": lambda path: Image.new("L", (30, 20)).save(path),
    "rgba.png": lambda path: Image.new("RGBA", (30, 20), (1, 2, 3, 4)).save(path),
    "palette.png": lambda path: Image.new("P", (30, 20)).save(path),
}


def test_drawings_beside_the_photos_of_a_folder_are_told(
    tmp_path: Path, photo: Path, artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, told in ((tmp_path, True), (photo, False)):
        assert main(["predict", str(artifact), str(place), "--output", str(tmp_path)]) == 0
        note = f"'{tmp_path}' is the folder of the photos: what is drawn lies beside them"
        assert (note in capsys.readouterr().err) == told


@pytest.mark.parametrize("name", SAVED)
def test_photos_of_every_kind_are_drawn(
    capsys: Capture, artifact: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    SAVED[name](path)
    output(capsys, "predict", artifact, path, "--output", tmp_path / "drawn")
    (drawn,) = (tmp_path / "drawn").iterdir()
    assert size(drawn) == size(path)


def test_a_photo_is_drawn_upright(capsys: Capture, artifact: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    output(capsys, "predict", artifact, tmp_path / "turned.jpg", "--output", tmp_path / "drawn")
    assert size(tmp_path / "drawn" / "turned-detected.jpg") == (20, 30)


def test_a_bad_photo_is_one_line_and_leaves_no_drawing(
    capsys: Capture, artifact: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("not a photo")
    line = complaint(capsys, "predict", artifact, text, "--output", tmp_path / "drawn")
    assert "text.jpg' is of no kind that is read" in line
    assert list((tmp_path / "drawn").iterdir()) == []
    assert "no photo at" in complaint(capsys, "predict", artifact, tmp_path / "none.jpg")
    (tmp_path / "empty").mkdir()
    assert "no photos in" in complaint(capsys, "predict", artifact, tmp_path / "empty")


def test_a_place_that_cannot_be_written_is_one_line(
    capsys: Capture, artifact: Path, photo: Path
) -> None:
    for place in (photo, photo / "below", "/proc/deimv2"):
        line = complaint(capsys, "predict", artifact, photo, "--output", place)
        assert f"cannot make the folder '{place}'" in line


def test_a_full_disk_leaves_nothing_partial(
    capsys: Capture, artifact: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "drawn")

    monkeypatch.setattr("os.replace", full)
    line = complaint(capsys, "predict", artifact, photo, "--output", tmp_path / "drawn")
    assert "No space left on device" in line
    assert list((tmp_path / "drawn").iterdir()) == []


def test_a_disk_that_fills_loses_nothing_that_was_found(
    capsys: Capture, artifact: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = os.replace

    def full(source: str, target: Path) -> None:
        if Path(target).name.startswith("second"):
            raise OSError(28, "No space left on device")
        move(source, target)

    monkeypatch.setattr("os.replace", full)
    second = shutil.copy(photo, tmp_path / f"second{photo.suffix}")
    drawn = tmp_path / "drawn"
    given = ["predict", artifact, photo, second, "--json", "--output", drawn]
    assert main(list(map(str, given))) == 2
    out, err = capsys.readouterr()
    assert [row["image"] for row in json.loads(out)] == [str(photo)]
    assert f"'{drawn / 'second-detected.jpg'}': No space left on device" in err


def test_broken_models_are_one_line(capsys: Capture, photo: Path, tmp_path: Path) -> None:
    for suffix in ("tflite", "pte", "onnx", "safetensors", "pth"):
        path = tmp_path / f"model.{suffix}"
        path.write_text("no model")
        assert f"model.{suffix}' is no" in complaint(capsys, "predict", path, photo)
    assert "ends in '.txt'" in complaint(
        capsys, "predict", text_file(tmp_path / "a.txt", "a"), photo
    )
    assert "no file at" in complaint(capsys, "predict", tmp_path / "none.tflite", photo)
    assert "no file at" in complaint(capsys, "predict", tmp_path / "a.mlpackage", photo)


def test_an_artifact_that_its_manifest_does_not_know_is_refused(
    capsys: Capture, photo: Path, tmp_path: Path
) -> None:
    write_folder(tmp_path / "export")
    write_onnx(tmp_path / "export" / "tiny-0.onnx", found(0.1))
    line = complaint(capsys, "predict", tmp_path / "export" / "tiny-0.onnx", photo)
    assert "the manifest expects" in line


def test_what_was_chosen_in_a_checkpoint_is_told(
    capsys: Capture, photo: Path, tmp_path: Path
) -> None:
    state = {f"module.{key}": value for key, value in random_state(build_model("atto")).items()}
    torch.save({"ema": {"module": state}, "model": state}, path := tmp_path / "ddp.pth")
    assert main(["predict", str(path), str(photo)]) == 0
    line = f"weights in '{path}': weights under 'ema', prefix 'module.'"
    assert line in capsys.readouterr().err


def test_a_checkpoint_predicts_under_cocos_names(
    capsys: Capture, photo: Path, tmp_path: Path
) -> None:
    net = build_model("atto")
    path = tmp_path / "model.safetensors"
    save_file(random_state(net), path)
    (row,) = json.loads(output(capsys, "predict", path, photo, "--threshold", 0, "--json"))
    assert len(row["detections"]) == 100
    assert {d["name"] for d in row["detections"]} <= set(COCO_LABELS)
    line = complaint(capsys, "predict", path, photo, "--variant", "femto")
    assert "these are weights of variant 'atto'" in line
    assert "unknown variant 'huge'" in complaint(
        capsys, "predict", path, photo, "--variant", "huge"
    )
    if not torch.cuda.is_available():
        line = complaint(capsys, "predict", path, photo, "--device", "cuda")
        assert "device 'cuda' cannot be used" in line and "leave --device out" in line


def test_a_model_is_named_as_load_names_it(
    capsys: Capture, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    save_file(random_state(build_model("atto")), path)
    for name in ("fetch", "fetch_repository"):
        monkeypatch.setattr(f"deimv2.api.detector.{name}", lambda *_: path)
    for model in (tmp_path, "atto", "hf://owner/name"):
        (row,) = json.loads(output(capsys, "predict", model, photo, "--threshold", 0, "--json"))
        assert len(row["detections"]) == 100
    assert f"no photos after '{tmp_path}'" in complaint(capsys, "predict", tmp_path)


def test_a_checkpoint_of_other_classes_wants_names(
    capsys: Capture, photo: Path, tmp_path: Path
) -> None:
    net = build_model("atto", num_classes=2)
    path = tmp_path / "model.safetensors"
    save_file(random_state(net), path)
    assert "add --labels FILE" in complaint(capsys, "predict", path, photo)
    names = text_file(tmp_path / "names.txt", "cup\nplate\n")
    output(capsys, "predict", path, photo, "--labels", names)
    three = text_file(tmp_path / "three.txt", "cup\nplate\nfork\n")
    line = complaint(capsys, "predict", path, photo, "--labels", three)
    assert "has 3 class names, expected 2" in line


def test_a_variant_is_for_checkpoints(capsys: Capture, artifact: Path, photo: Path) -> None:
    line = complaint(capsys, "predict", artifact, photo, "--variant", "atto")
    assert "--variant atto is for checkpoints" in line


def test_a_label_without_a_name_is_one_line(capsys: Capture, photo: Path, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", card='{"labels": ["cat"]}')
    assert "label 1 has no name" in complaint(capsys, "predict", path, photo, "--json")


@pytest.mark.parametrize("kind", ["tflite", "pte", "onnx"])
def test_exported_artifacts_predict(
    capsys: Capture, exported: Path, photo: Path, kind: str
) -> None:
    """On a golden photograph, what the golden file says."""
    (path,) = exported.glob(f"*.{kind}")
    manifest = Manifest.read(exported)
    golden, *_ = read_golden(exported, manifest.golden)
    png = exported / manifest.golden[0].image
    (row,) = json.loads(output(capsys, "predict", path, png, "--threshold", 0, "--json"))
    found = Detections.from_json(row["detections"])
    limits = PRECISIONS["fp32"].limits
    parity = compare(golden.reference, found, manifest.input.size, limits, golden.candidates)
    assert parity.passed(limits), parity.failures(limits)
    assert row["detections"][0]["name"] == manifest.labels[row["detections"][0]["label"]]


def test_one_broken_photo_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.jpg", "c.jpg"):
        shutil.copy(PHOTOGRAPHS[0], tmp_path / name)
    (tmp_path / "b.jpg").write_bytes(b"no photo")
    assert main(["predict", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert f"skipped: '{tmp_path / 'b.jpg'}'" in shown.err
    assert "1 of 3 files could not be read" in shown.err
    assert f"{tmp_path / 'a.jpg'}: " in shown.out and f"{tmp_path / 'c.jpg'}: " in shown.out
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize("name", ["photos.v1i.coco", "photos.tflite.old", "plain"])
def test_a_folder_with_any_name_is_one_of_photos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).mkdir()
    shutil.copy(PHOTOGRAPHS[0], tmp_path / name / "a.jfif")
    assert main(["predict", str(tmp_path / name)]) == 0
    assert "a.jfif: " in capsys.readouterr().out


def test_the_folder_of_an_export_or_a_training_is_none_of_photos(
    capsys: Capture, photo: Path, tmp_path: Path
) -> None:
    write_folder(tmp_path / "export")
    line = complaint(capsys, "predict", tmp_path / "export", photo)
    assert "export' is an export, expected one of its files: tiny-0.onnx, tiny-1.onnx" in line
    run = tmp_path / "run"
    run.mkdir()
    for name in ("last.pt", "best.safetensors"):
        (run / name).touch()
        line = complaint(capsys, "predict", run, photo)
        assert f"'{run}' is a training, expected its weights: {run}/best.safetensors" in line


def test_a_file_of_neither_kind_says_for_what_it_was_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.heif2").write_bytes(b"x")
    assert main(["predict", str(tmp_path / "photo.heif2")]) == 2
    assert "was taken for the model, as photos end in one of .avif" in capsys.readouterr().err


def test_one_label_keeps_the_best_of_a_box() -> None:
    box, other = [0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.6]
    found = Detections(
        np.array([box, other, box], np.float32),
        np.array([0.9, 0.8, 0.7], np.float32),
        np.array([3, 3, 5], np.int32),
    )
    kept = found.one_label()
    assert kept.scores.tolist() == pytest.approx([0.9, 0.8]) and kept.labels.tolist() == [3, 3]
    assert len(found.best(0).one_label()) == 0
