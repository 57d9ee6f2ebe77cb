"""`deimv2 train` as people type it: from data to weights, stopped, resumed, shared, misused."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from deimv2.cli.main import main
from deimv2.model import build_model
from deimv2.model.errors import InputError
from deimv2.model.weights import class_count, load_weights, read_checkpoint, save_weights
from deimv2.model.weights.places import DEMO
from deimv2.tests.cli.commands import Capture, complaint
from deimv2.tests.cli.trainings import SMALL, STILL, losses, started, stopped, wait_for_steps
from deimv2.tests.training.scenes import few
from deimv2.training.checkpoint import BEST, LAST, read_state
from deimv2.training.run_log import LOG, PLOT, TABLE, read_log


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight scenes to train on, four others to measure AP on."""
    few(tmp_path / "set" / "train", 8)
    few(tmp_path / "set" / "val", 4, start=8)
    return tmp_path / "set"


def train(*arguments: object) -> int:
    fresh = [] if "--resume" in arguments else ["--weights", "none"]
    return main(["train", *fresh, *map(str, arguments)])


def test_a_training_leaves_weights_a_log_and_a_plot(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    assert train("--data", data, "--epochs", 2, "--output", output, "--json", *SMALL) == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert result["weights"] == str(output / BEST) and result["steps"] == 4
    assert "data: 8 photos, " in shown.err and " 8 classes" in shown.err
    assert "images/s" in shown.err and "waiting for data" in shown.err
    told = [line for line in shown.err.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in told] == ["1/2", "2/2"]
    assert all("AP " in line and " best " in line and " lr " in line for line in told)
    assert all(" (backbone " in line for line in told)
    assert f"next: deimv2 export --weights {output / BEST}" in shown.err
    rows = read_log(output)
    steps = [row for row in rows if "loss" in row]
    assert [row["step"] for row in steps] == [1, 2, 3, 4]
    assert all(row["lr"] == pytest.approx(2 * row["lr_backbone"]) for row in steps)
    assert all("AP" in row and "AP50" in row for row in rows if "loss" not in row)
    header, *lines = (output / TABLE).read_text().splitlines()
    assert header.startswith("epoch,step,loss") and "AP50" in header.split(",")
    assert [line.split(",")[:2] for line in lines] == [["1", "2"], ["2", "4"]]
    assert (output / PLOT).read_bytes().startswith(b"\x89PNG")
    load_weights(build_model("atto", 8), output / BEST)


def test_fine_tuning_makes_class_heads_for_the_classes_and_says_so(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "coco.safetensors"
    save_weights(build_model("atto", 80), weights, [str(i) for i in range(80)])
    output = tmp_path / "run"
    given = ["--data", data, "--weights", weights, "--epochs", 1, "--output", output]
    assert train(*given, *SMALL) == 0
    said = capsys.readouterr().err
    assert "its class heads are made for 8 classes, 0 of which it knows by name" in said
    assert class_count(read_checkpoint(output / BEST)) == 8


def test_trained_weights_keep_their_names_into_evaluate(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    assert train("--data", data, "--epochs", 1, "--output", output, *SMALL) == 0
    capsys.readouterr()
    val = data / "val"
    command = ["evaluate", output / BEST, "--images", val, "--json"]
    assert main([*map(str, command), "--annotations", str(val / "annotations.json")]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["classes"]]
    assert names[:3] == ["T-shirt", "trousers", "dress"]


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_training_goes_on_with_the_same_losses(
    data: Path, tmp_path: Path, how: signal.Signals
) -> None:
    """Those of the batches: that weights go on is tested with the loop itself."""
    common = ["--data", data, "--epochs", 4, *SMALL, *STILL, "--evaluate-every", 4]
    folder, whole = tmp_path / "stopped", tmp_path / "whole"
    done = stopped(5, how, "train", "--weights", "none", *common, "--output", folder)
    assert len(losses(folder)) == 5
    if how is signal.SIGINT:
        assert done.returncode == 130
        assert f"continue with: deimv2 train --resume {folder}" in done.stderr
    assert train("--resume", folder, "--workers", 0, "--report-every", 1) == 0
    assert train(*common, "--output", whole) == 0
    assert losses(folder) == pytest.approx(losses(whole), rel=1e-4)
    assert [row["step"] for row in read_log(folder) if "loss" in row] == list(range(1, 9))
    assert len({f"{loss:.3g}" for loss in losses(whole)}) == 8


def test_a_signal_to_all_processes_saves_too(data: Path, tmp_path: Path) -> None:
    """As a terminal or a cluster sends it: the workers of the data get it as well."""
    output = tmp_path / "run"
    command = ["--data", data, "--epochs", 200, *SMALL, "--workers", 1, "--output", output]
    process = started("train", "--weights", "none", *command, "--evaluate-every", 200)
    wait_for_steps(output, 3)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert (output / LAST).exists()


def test_two_processes_train_as_one(data: Path, tmp_path: Path) -> None:
    """Of the same eight photos both give the loss and the gradient of one process.

    One step from trained weights: later ones amplify what rounding changes, by the matching and the
    choice of queries. A process left out, or sums in place of means, change half of the gradient.
    """
    common = ["--data", data, *SMALL, "--batch", 8, "--epochs", 1, "--device", "cpu"]
    common += ["--weights", "demo"]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "deimv2.cli.main", "train", *map(str, common)]
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    done = subprocess.run(
        [sys.executable, *command, "--output", str(shared)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert train(*common, "--output", alone) == 0
    assert losses(shared) == pytest.approx(losses(alone), rel=1e-4)
    assert len(losses(shared)) == 1
    ours, theirs = gradient(shared), gradient(alone)
    assert (ours - theirs).norm() < 0.05 * theirs.norm() > 0


def gradient(folder: Path) -> Tensor:
    """Of a training's only step, as Adam's first moment holds it."""
    state = read_state(folder)["optimizer"]["state"]
    return torch.cat([state[key]["exp_avg"].double().flatten() for key in sorted(state)])


def test_a_corrupt_photo_is_passed_over_and_counted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = sorted((data / "train").glob("*.jpg"))[3]
    photo.write_bytes(photo.read_bytes()[:2000])
    output = tmp_path / "run"
    given = ["--data", data, "--epochs", 2, "--output", output]
    assert train(*given, *SMALL) == 0
    said = capsys.readouterr().err
    assert said.count(f"skipped: '{photo}' cannot be read") == 1
    assert len(losses(output)) == 4


@pytest.mark.parametrize("workers", [0, 1])
def test_a_set_of_corrupt_photos_ends_in_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    for photo in (data / "train").glob("*.jpg"):
        photo.write_bytes(b"no photo")
    given = ["--data", data, "--epochs", 1, "--output", tmp_path / "run", *SMALL]
    assert train(*given, "--workers", workers) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("deimv2: error: 8 photos in a row cannot be used")
    assert "Traceback" not in last


def test_a_corrupt_photo_to_measure_ap_on_is_told_before_the_training(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = sorted((data / "val").glob("*.jpg"))[2]
    photo.write_bytes(photo.read_bytes()[:2000])
    output = tmp_path / "run"
    assert train("--data", data, "--epochs", 1, "--output", output, *SMALL) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"deimv2: error: '{photo}' cannot be read")
    assert not (output / LAST).exists() and losses(output) == []


def spoil(data: Path, change: Any) -> None:
    path = data / "train" / "annotations.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_problems_of_the_data_are_told_before_the_training(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(content: Any) -> None:
        rows = content["annotations"]
        rows[0]["bbox"] = [10, 10, 0, 5]
        rows[1]["bbox"] = [1000, 1000, 20, 20]
        rows[2]["category_id"] = 77
        content["images"].append({"id": 999, "file_name": "gone.jpg"})

    spoil(data, change)
    given = ["--data", data, "--epochs", 1, "--output", tmp_path / "run"]
    assert train(*given, *SMALL) == 0
    said = capsys.readouterr().err
    for line in (
        "data: 1 box without area, left out: ",
        "data: 1 box with less than a pixel in their photos, left out: ",
        "data: 1 box of unknown categories, left out: id 77",
        "data: 1 photo missing, left out: gone.jpg",
    ):
        assert line in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "DATA/.."], "no photos to train on"),
        (["--data", "DATA/none"], "no folder at"),
        ([], "expected --data DIR or --images and --annotations"),
        (["--data", "DATA", "--variant", "huge"], "unknown variant 'huge'"),
        (["--data", "DATA", "--weights", "DATA/none.pth"], "no checkpoint at"),
        (["--data", "DATA", "--image-size", "100"], "multiples of 32"),
        (["--data", "DATA", "--image-size", "96"], "too small for variant 'atto'"),
        (["--data", "DATA", "--lr", "0"], "'0' is not a learning rate, expected more than 0 and"),
        (["--data", "DATA", "--epochs", "0"], "'0' is not a count"),
        (["--data", "DATA", "--device", "toaster"], "expected cpu, cuda or mps"),
        (["--resume", "DATA"], "expected the folder of a training that was stopped"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    given = [argument.replace("DATA", str(data)) for argument in arguments]
    assert train(*given, "--output", tmp_path / "run") == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("deimv2: error: ") and message in last
    assert not (tmp_path / "run" / LAST).exists()


def test_a_training_is_never_written_over(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    given = ["--data", data, "--epochs", 1, "--output", output, *SMALL]
    assert train(*given) == 0
    before = (output / LOG).read_bytes()
    assert train(*given) == 2
    assert f"continue with --resume {output}" in capsys.readouterr().err
    (output / LAST).unlink()  # large, so some delete it
    assert train(*given) == 2
    assert f"'{output / BEST}' is there" in capsys.readouterr().err
    assert (output / LOG).read_bytes() == before


def test_a_disk_without_room_is_told_before_the_training(
    data: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    line = complaint(capsys, "train", "--data", data, "--weights", "demo", "--output", tmp_path)
    assert re.search("5.2 MB are free at .*, expected [0-9.]+ for this training", line)
    assert not (tmp_path / BEST).exists()


@pytest.mark.parametrize("command", ["train", "quantize"])
def test_photos_are_no_place_for_a_training(
    data: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    photos, before = data / "train", sorted(data.rglob("*"))
    given = ["--data", data] if command == "train" else ["--qat", "--calibration", photos]
    arguments = [command, "--weights", "demo", *given, "--output", photos]
    assert main(list(map(str, arguments))) == 2
    assert f"'{photos}' holds the photos to train on" in capsys.readouterr().err
    assert sorted(data.rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "option"),
    [("train", "--weights"), ("train", "--backbone"), ("quantize", "--weights")],
)
def test_the_weights_that_it_starts_from_are_not_written_over(
    data: Path, tmp_path: Path, capsys: Capture, command: str, option: str
) -> None:
    own = tmp_path / "run" / BEST
    own.parent.mkdir()
    shutil.copy(DEMO / "atto.safetensors", own)
    given = ["--data", data] if command == "train" else ["--qat", "--calibration", data / "train"]
    given += [option, own, "--variant", "atto", "--output", own.parent]
    line = complaint(capsys, command, *given)
    assert f"the output '{own}' is the file of {option}" in line
    assert list(own.parent.iterdir()) == [own]


def test_going_on_takes_no_other_options(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    assert train("--data", data, "--epochs", 1, "--output", output, *SMALL) == 0
    assert train("--resume", output, "--epochs", 5, "--lr", 0.1, "--workers", 0) == 2
    assert "--epochs, --lr cannot be given with --resume" in capsys.readouterr().err


def test_without_weights_the_released_ones_are_meant(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: object) -> Path:
        raise InputError("cannot fetch it: no connection")

    monkeypatch.setattr("deimv2.model.weights.places.fetch_checkpoint", fetch)
    given = ["train", "--data", data, "--output", tmp_path / "run", *SMALL]
    line = complaint(capsys, *given)
    assert "no connection" in line and "--weights none (the paper's 500 epochs" in line
    assert not (tmp_path / "run").exists()
    weights = tmp_path / "coco.safetensors"
    save_weights(build_model("atto", 80), weights, [str(i) for i in range(80)])
    monkeypatch.setattr("deimv2.model.weights.places.fetch_checkpoint", lambda _: weights)
    assert main([*map(str, given), "--epochs", "1"]) == 0
    assert "its class heads are made for 8 classes" in capsys.readouterr().err


def test_boxes_that_the_recipe_drops_are_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = data / "train" / "annotations.json"
    content = json.loads(file.read_text())
    for row in content["annotations"]:
        row["bbox"][2:] = [20, 14]
    content["annotations"][0]["bbox"] = [0, 0, 200, 200]
    file.write_text(json.dumps(content))
    given = ["--data", data, "--output", tmp_path / "run", "--epochs", 1, *SMALL]
    count = len(content["annotations"])
    assert train(*given) == 0
    said = capsys.readouterr().err
    assert f"{count - 1} of {count} boxes have a side below 12 pixels at the input size" in said
    content["annotations"] = content["annotations"][1:]
    file.write_text(json.dumps(content))
    given[3] = tmp_path / "other"
    assert train(*given) == 2
    assert f"{count - 1} of {count - 1} boxes have a side below 12" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_val_part_without_some_classes_is_measured_on_the_others(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = data / "val" / "annotations.json"
    content = json.loads(file.read_text())
    kept = content["annotations"][0]["category_id"]
    content["categories"] = [row for row in content["categories"] if row["id"] == kept]
    content["annotations"] = [r for r in content["annotations"] if r["category_id"] == kept]
    file.write_text(json.dumps(content))
    given = ["--data", data, "--epochs", 1, *SMALL]
    assert train(*given, "--output", tmp_path / "run") == 0
    assert "lacks 7 classes of 8: AP is the mean of the others" in capsys.readouterr().err
    content["categories"][0]["name"] += " "
    file.write_text(json.dumps(content))
    assert train(*given, "--output", tmp_path / "other") == 2
    line = capsys.readouterr().err
    assert "which AP is to be measured on, has the classes" in line and "trained on" in line


def test_test_stands_in_for_val_and_is_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "val").rename(data / "test")
    assert train("--data", data, "--epochs", 1, *SMALL, "--output", tmp_path / "run") == 0
    said = capsys.readouterr().err
    assert f"data: no 'val' part in '{data}': AP is measured on 'test', by which" in said
    assert "AP" in read_log(tmp_path / "run")[-1]


def test_patience_ends_a_training_that_gets_no_better(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a learning rate of next to nothing, no epoch is better than the first."""
    output = tmp_path / "run"
    given = ["--data", data, "--epochs", 9, "--patience", 2, "--lr", 1e-12, *SMALL]
    assert train(*given, "--weights", "demo", "--output", output) == 0
    said = capsys.readouterr().err
    epochs = [row["epoch"] for row in read_log(output) if "AP" in row]
    assert "no better AP for 2 epochs: stopped" in said
    assert 3 <= len(epochs) < 9
    rows = [row["AP"] for row in read_log(output) if "AP" in row]
    assert max(rows[:-2]) >= max(rows[-2:])
