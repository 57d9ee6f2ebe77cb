"""A training that is stopped says what it did, and goes on from wherever its data lie by then."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import deimv2
from deimv2.tests.training.scenes import few

SMALL = {"weights": "demo", "batch": 2, "image_size": 160, "workers": 0, "device": "cpu"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    few(tmp_path / "set" / "train", 4)
    few(tmp_path / "set" / "val", 2, start=8)
    return tmp_path / "set"


def stopped(data: Path, **options: Any) -> tuple[deimv2.Training, float]:
    """After the first step of the second epoch, and the AP of the first."""
    rows: list[dict[str, Any]] = []

    def stop(row: dict[str, Any]) -> None:
        rows.append(row)
        os.kill(os.getpid(), signal.SIGINT)

    return deimv2.train(data=data, epochs=3, on_epoch=stop, **SMALL, **options), rows[0]["AP"]


def test_a_stopped_training_gives_the_best_so_far_and_the_steps_done(data: Path) -> None:
    made, ap = stopped(data, output=data / "run")
    assert (made.finished, made.steps, made.ap) == (False, 3, ap)
    assert made.to_json() == {
        "weights": str(made.weights), "AP": ap, "steps": 3, "finished": False,
    }  # fmt: skip


def test_it_goes_on_from_another_folder_and_with_data_that_were_moved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stopped(Path(data.name), output="run")
    monkeypatch.chdir(data)
    run = tmp_path / "run"
    given = {"resume": run, "workers": 0, "on_epoch": enough}
    with pytest.raises(KeyError):
        deimv2.train(**given)
    few(tmp_path / "other" / "train", 2)
    data.rename(tmp_path / "moved")
    line = f"no '{data}', expected what the training in '{run}' was .* new place with --data"
    with pytest.raises(deimv2.InputError, match=line):
        deimv2.train(**given)
    with pytest.raises(deimv2.InputError, match=r"have 2 photos to train on.* expected 4 photos"):
        deimv2.train(**given, data=tmp_path / "other")
    few(tmp_path / "fewer" / "train", 4)
    few(tmp_path / "fewer" / "val", 1, start=8)
    with pytest.raises(deimv2.InputError, match=r"on, 1 to measure AP .* on, 2 to measure AP"):
        deimv2.train(**given, data=tmp_path / "fewer")
    assert deimv2.train(resume=run, workers=0, data=tmp_path / "moved").steps == 6


def test_photos_and_annotations_are_named_in_place_of_the_folder_that_it_started_with(
    data: Path, tmp_path: Path
) -> None:
    stopped(data, output=tmp_path / "run")
    data.rename(data := tmp_path / "moved")
    given = {"resume": tmp_path / "run", "images": data / "train", "workers": 0}
    given["annotations"] = data / "train" / "annotations.json"
    with pytest.raises(deimv2.InputError, match=r"none to measure AP on .* 2 to measure AP on"):
        deimv2.train(**given)
    val = {"val_images": data / "val", "val_annotations": data / "val" / "annotations.json"}
    assert deimv2.train(**given, **val).steps == 6


def enough(_: object) -> None:
    raise KeyError("enough")
