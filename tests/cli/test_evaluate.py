"""`evaluate` gives COCO's numbers, and says in one line what it cannot evaluate."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto
from safetensors.torch import save_file

import deimv2
from deimv2.cli.main import main
from deimv2.converters.checkpoint import open_checkpoint
from deimv2.converters.golden import MIN_GAP, selection_gap
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.evaluation.coco import METRICS
from deimv2.model import build_model
from deimv2.model.coco import COCO_LABELS
from deimv2.model.errors import InputError
from deimv2.model.images import load_photo, resize
from deimv2.model.weights import random_state
from deimv2.model.weights.places import DEMO
from deimv2.tests.annotated import Box, detections, write_set
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import write_folder, write_onnx
from deimv2.tests.training.scenes import GARMENTS

NAMES = {3: "cat", 7: "dog"}
# Every photo holds what the tiny artifact finds on every photo.
TRUTH = [
    box
    for photo in range(len(PHOTOGRAPHS))
    for box in (
        Box(photo, 7, (0.1, 0.2, 0.4, 0.4), score=0.9),
        Box(photo, 3, (0.3, 0.3, 0.6, 0.5), score=0.5),
    )
]


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    return write_set(tmp_path, TRUTH, NAMES)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return tiny(tmp_path / "tiny.onnx")


def tiny(path: Path, labels: Sequence[str] | None = ("cat", "dog")) -> Path:
    card = None if labels is None else json.dumps({"labels": list(labels)})
    return write_onnx(path, detections(TRUTH, 0, (3, 7)), card=card)


def line(annotations: Path, *more: object) -> list[object]:
    images = annotations.parent / "images"
    return ["evaluate", *more, "--images", images, "--annotations", annotations]


def numbers(capsys: Capture, annotations: Path, *more: object) -> dict[str, Any]:
    return json.loads(output(capsys, *line(annotations, *more, "--json")))


def text_file(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_evaluate_prints_the_numbers_of_all_and_of_each_class(
    capsys: Capture, annotations: Path, artifact: Path
) -> None:
    text = output(capsys, *line(annotations, artifact))
    rows = [row.split() for row in text.splitlines()]
    assert [row[0] for row in rows[1:13]] == list(METRICS)
    assert rows[1][:2] == ["AP", "1.0000"]
    assert rows[4][:2] == ["AP_small", "-"]
    assert "score above 0.4, those that the apps show: precision 1.0000, recall 1.0000, F1" in text
    assert "F1 1.0000; F1 is highest above" in text
    assert rows[-2:] == [["cat", "5", "1.0000", "1.0000"], ["dog", "5", "1.0000", "1.0000"]]


def test_evaluate_as_json(capsys: Capture, annotations: Path, artifact: Path) -> None:
    capsys.readouterr()
    assert main([str(word) for word in line(annotations, artifact, "--json")]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert "5 photos in " in captured.err
    assert " photos/s" in captured.err
    assert found["photos"] == 5
    assert found["photos_per_second"] == pytest.approx(5 / found["seconds"])
    assert list(found["metrics"]) == list(METRICS)
    assert found["metrics"]["AP"] == pytest.approx(1)
    assert found["metrics"]["AP_small"] is None
    assert [(row["name"], row["category_id"], row["boxes"]) for row in found["classes"]] == [
        ("cat", 3, 5), ("dog", 7, 5),
    ]  # fmt: skip


def test_a_terminal_shows_progress_beside_clean_json(
    capsys: Capture, annotations: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    capsys.readouterr()
    assert main([str(word) for word in line(annotations, artifact, "--json")]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["metrics"]["AP"] == pytest.approx(1)
    assert "5/5" in captured.err
    assert "/s" in captured.err.split("5/5")[1]


def test_long_work_without_a_terminal_says_where_it_stands(
    capsys: Capture, annotations: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deimv2.cli.console.PAUSE", 0.0)
    capsys.readouterr()
    assert main([str(word) for word in line(annotations, artifact)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "photos: 5" in lines
    assert [text.split(",")[0] for text in lines if " of 5," in text] == [
        f"photos: {done} of 5" for done in range(1, 6)
    ]


def test_a_loaded_detector_has_its_options(annotations: Path, artifact: Path) -> None:
    data = {"images": annotations.parent / "images", "annotations": annotations}
    swapped = text_file(annotations.with_name("swapped.txt"), "dog\ncat\n")
    assert deimv2.evaluate(deimv2.load(artifact), **data).ap == pytest.approx(1)
    named = deimv2.evaluate(deimv2.load(artifact, labels=swapped), **data).ap
    assert named == deimv2.evaluate(artifact, labels=swapped, **data).ap == pytest.approx(0)
    with pytest.raises(InputError, match="variant, threads given with a detector that is loaded"):
        deimv2.evaluate(deimv2.load(artifact), variant="x", threads=3, **data)


def test_limit_evaluates_the_first_photos(
    capsys: Capture, annotations: Path, artifact: Path
) -> None:
    (annotations.parent / "images" / PHOTOGRAPHS[-1].name).unlink()
    found = numbers(capsys, annotations, artifact, "--limit", 2)
    assert found["photos"] == 2
    assert [row["boxes"] for row in found["classes"]] == [2, 2]
    assert numbers(capsys, annotations, artifact, "--limit", 4, "--threads", 1)["photos"] == 4
    message = complaint(capsys, *line(annotations, artifact))
    assert "4 of the 5 photos" in message
    assert "1 are missing ('rocket.jpg')" in message


@pytest.mark.parametrize("option", ["--limit", "--threads"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "9" * 20])
def test_counts_are_whole_numbers(
    capsys: Capture, annotations: Path, artifact: Path, option: str, value: str
) -> None:
    message = complaint(capsys, *line(annotations, artifact, f"{option}={value}"))
    assert f"'{value}' is not a count, expected 1 or more" in message


def test_photos_and_annotations_are_asked_for(capsys: Capture, artifact: Path) -> None:
    wanted = "expected --data, or --images and --annotations"
    assert wanted in complaint(capsys, "evaluate", artifact)
    assert wanted in complaint(capsys, "evaluate", artifact, "--images", artifact.parent)


@pytest.mark.parametrize(
    "options", [["--images"], ["--annotations"], ["--images", "--annotations"]]
)
def test_data_goes_without_photos_and_annotations(
    capsys: Capture, tmp_path: Path, artifact: Path, options: list[str]
) -> None:
    given = [part for option in options for part in (option, tmp_path)]
    line = complaint(capsys, "evaluate", artifact, "--data", tmp_path, *given)
    assert "found --data with them; give both, or --data alone" in line


def test_names_in_another_order_are_said_and_matched(
    capsys: Capture, tmp_path: Path, artifact: Path
) -> None:
    swapped = [replace(box, category={3: 7, 7: 3}[box.category]) for box in TRUTH]
    file = write_set(tmp_path / "other", swapped, {3: "dog", 7: "cat"})
    capsys.readouterr()
    assert main([str(word) for word in line(file, artifact, "--json")]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["metrics"]["AP"] == pytest.approx(1)
    assert "in another order than the model's: they are matched by name" in captured.err


def test_a_model_without_names_is_taken_in_the_order_of_ids(
    capsys: Capture, annotations: Path, tmp_path: Path
) -> None:
    path = tiny(tmp_path / "nameless.onnx", None)
    capsys.readouterr()
    assert main([str(word) for word in line(annotations, path)]) == 0
    assert "in the order of their ids; --labels FILE names them" in capsys.readouterr().err
    names = text_file(tmp_path / "names.txt", "cat\ndog\n")
    assert numbers(capsys, annotations, path, "--labels", names)["metrics"]["AP"] > 0.99
    names = text_file(tmp_path / "other.txt", "dog\ncat\n")
    assert numbers(capsys, annotations, path, "--labels", names)["metrics"]["AP"] < 0.5


def test_other_classes_are_refused(capsys: Capture, annotations: Path, tmp_path: Path) -> None:
    three = tiny(tmp_path / "three.onnx", ("cat", "bird", "kite"))
    assert "the model has 3 classes" in complaint(capsys, *line(annotations, three))
    other = tiny(tmp_path / "other.onnx", ("cat", "kite"))
    assert "only the model has 'kite'" in complaint(capsys, *line(annotations, other))
    names = text_file(tmp_path / "names.txt", "cat\n")
    message = complaint(capsys, *line(annotations, other, "--labels", names))
    assert "has 1 class names, expected 2" in message


def test_bad_inputs_are_one_line(
    capsys: Capture, annotations: Path, artifact: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "none.tflite"
    assert "no file at" in complaint(capsys, *line(annotations, missing))
    assert "--variant atto is for" in complaint(
        capsys, *line(annotations, artifact, "--variant", "atto")
    )
    broken = text_file(tmp_path / "broken.json", '{"images": ')
    options = ["--images", tmp_path / "images", "--annotations", broken]
    assert "broken.json' is not JSON" in complaint(capsys, "evaluate", artifact, *options)
    photo = tmp_path / "images" / "cat.jpg"
    photo.write_bytes(photo.read_bytes()[:3000])
    assert "cat.jpg' cannot be read" in complaint(capsys, *line(annotations, artifact, "--json"))


def test_an_artifact_that_its_manifest_does_not_know_is_refused(
    capsys: Capture, annotations: Path, tmp_path: Path
) -> None:
    write_folder(tmp_path / "export")
    path = tiny(tmp_path / "export" / "tiny-0.onnx", ("dog", "cat"))
    assert "the manifest expects" in complaint(capsys, *line(annotations, path))


def test_a_file_that_takes_something_else_is_refused(
    capsys: Capture, annotations: Path, tmp_path: Path
) -> None:
    path = write_onnx(tmp_path / "a.onnx", dtype=TensorProto.FLOAT, shape=(1, 3, 32, 32))
    assert "expected one frame uint8" in complaint(capsys, *line(annotations, path))


def test_a_missing_library_names_its_extra(
    capsys: Capture, annotations: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    message = complaint(capsys, *line(annotations, artifact))
    assert "pip install 'deimv2[train]'" in message


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of the `exported` artifacts."""
    path = tmp_path_factory.mktemp("checkpoint") / "atto.safetensors"
    save_file(random_state(build_model("atto")), path)
    return path


@pytest.fixture(scope="module")
def own_set(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Annotations that untrained weights find: every other one of the ten best boxes of a pixel or
    more on each photo. Photos on which the choice of queries is a tie are left out: there no two
    programs agree.
    """
    runner = open_checkpoint(checkpoint)
    boxes, clear = [], []
    for photo, path in enumerate(PHOTOGRAPHS):
        frame = resize(load_photo(path), runner.size)
        if selection_gap(runner.net, frame) < MIN_GAP:
            continue
        clear.append(path.name)
        found = runner.detect(frame)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        for row in np.flatnonzero((sides > 1 / 320).all(axis=1))[:10:2]:
            x, y, w, h = [*found.boxes[row, :2].tolist(), *sides[row].tolist()]
            boxes.append(Box(photo, int(found.labels[row]) + 1, (x, y, w, h)))
    names = {i + 1: name for i, name in enumerate(COCO_LABELS)}
    file = write_set(tmp_path_factory.mktemp("own"), boxes, names)
    content = json.loads(file.read_bytes())
    content["images"] = [row for row in content["images"] if row["file_name"] in clear]
    return text_file(file, json.dumps(content))


def test_a_checkpoint_rounds_where_asked(capsys: Capture) -> None:
    data = ("--images", GARMENTS, "--annotations", GARMENTS / "annotations.json", "--limit", 8)
    command = ("evaluate", DEMO / "atto-int8.safetensors", *data, "--json", "--precision")
    exact, rounded = (
        json.loads(output(capsys, *command, precision))["metrics"] for precision in ("fp32", "int8")
    )
    assert exact != rounded and rounded["AP"] == pytest.approx(exact["AP"], abs=0.05)


def test_what_cannot_round_says_why(
    capsys: Capture, exported: Path, checkpoint: Path, own_set: Path
) -> None:
    (artifact,) = exported.glob("*.tflite")
    data = ("--images", PHOTOGRAPHS[0].parent, "--annotations", own_set, "--precision", "int8")
    assert "carries no int8 ranges" in complaint(capsys, "evaluate", checkpoint, *data)
    assert "--precision is for checkpoints" in complaint(capsys, "evaluate", artifact, *data)


def test_a_checkpoint_without_names_is_cocos_where_the_annotations_are(
    capsys: Capture, checkpoint: Path, own_set: Path, tmp_path: Path
) -> None:
    expected = numbers(capsys, own_set, checkpoint)["metrics"]["AP"]
    content = json.loads(own_set.read_bytes())
    for row in content["categories"]:
        row["id"] = 81 - row["id"]
    for row in content["annotations"]:
        row["category_id"] = 81 - row["category_id"]
    reverse = text_file(tmp_path / "reverse.json", json.dumps(content))
    options = ["--images", own_set.parent / "images", "--annotations", reverse, "--json"]
    found = json.loads(output(capsys, "evaluate", checkpoint, *options))
    assert found["metrics"]["AP"] == pytest.approx(expected)


def test_a_model_is_named_as_load_names_it(
    capsys: Capture,
    checkpoint: Path,
    own_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = numbers(capsys, own_set, checkpoint, "--limit", 1)["metrics"]
    (tmp_path / "model.safetensors").write_bytes(checkpoint.read_bytes())
    for name in ("fetch", "fetch_repository"):
        monkeypatch.setattr(f"deimv2.api.detector.{name}", lambda *_: checkpoint)
    for model in (tmp_path, "atto", "hf://owner/name", "owner/name"):
        assert numbers(capsys, own_set, model, "--limit", 1)["metrics"] == expected


def test_some_of_cocos_classes_match_by_name(
    capsys: Capture, checkpoint: Path, annotations: Path
) -> None:
    """In the annotations they have other numbers than in a checkpoint without names."""
    command = line(annotations, checkpoint)
    assert main([str(part) for part in command]) == 0
    assert "of the model's 80 classes: they are matched by name" in capsys.readouterr().err


def test_a_checkpoint_of_other_classes_or_another_variant_is_refused(
    capsys: Capture, checkpoint: Path, annotations: Path, own_set: Path
) -> None:
    content = json.loads(annotations.read_bytes())
    content["categories"][0]["name"] = "coat"
    other = text_file(annotations.with_name("other.json"), json.dumps(content))
    assert "the model has 80 classes" in complaint(capsys, *line(other, checkpoint))
    message = complaint(capsys, *line(own_set, checkpoint, "--variant", "femto"))
    assert "these are weights of variant 'atto'" in message


def test_threads_of_a_checkpoint_are_pytorchs(
    capsys: Capture, checkpoint: Path, own_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []  # not really set: it would hold for the other tests too
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    assert numbers(capsys, own_set, checkpoint, "--threads", 2, "--limit", 1)["photos"] == 1
    assert asked == [2]
    assert np.isfinite(numbers(capsys, own_set, checkpoint, "--limit", 1)["seconds"])


def test_only_what_a_manifest_lists_is_recorded(
    annotations: Path, artifact: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert "no manifest.json in" in complaint(capsys, *line(annotations, artifact, "--record"))
    write_folder(tmp_path / "export")
    other = artifact.rename(tmp_path / "export" / "other.onnx")
    said = complaint(capsys, *line(annotations, other, "--record"))
    assert f"the manifest beside '{other}' does not list it" in said
