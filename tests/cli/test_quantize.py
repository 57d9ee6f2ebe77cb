"""`deimv2 quantize` as people type it: ranges from photos, training with them, complaints."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from deimv2.api.calibration import find_ranges
from deimv2.api.quantizing import quantize
from deimv2.api.recipe import FEW_BATCH
from deimv2.api.rounding import EPOCHS, LR
from deimv2.cli.main import main
from deimv2.model import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos
from deimv2.model.weights import read_checkpoint, read_metadata, save_weights
from deimv2.model.weights.places import DEMO
from deimv2.model.weights.sources import load
from deimv2.quantization.calibration import Calibration
from deimv2.quantization.rounding import MIN_WEIGHTS, weight_scales
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.cli.trainings import SMALL, STILL, losses, stopped
from deimv2.tests.training.scenes import GARMENTS, few
from deimv2.training.checkpoint import BEST, read_state
from deimv2.training.data.synthetic import CLASSES
from deimv2.training.run_log import read_log

PHOTOS = ["--calibration-photos", "8"]
TRAINS = "without --qat, expected options of calibration alone; add --qat"
TWO_PLACES = "beside --calibration without --qat, expected photos from one place"
TAUGHT, ANNOTATED = {"scores", "tokens", "boxes", "maps"}, {"mal", "l1", "giou"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "float.safetensors"
    save_weights(build_model("atto", 8, 160), path, tuple(CLASSES))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    few(folder / "train", 8)
    few(folder / "val", 4, start=8)
    return folder


@pytest.fixture(scope="module")
def trained(weights: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of training with rounding, at a rate at which all that learns moves."""
    run = tmp_path_factory.mktemp("runs") / "run"
    given = ["--qat", "--weights", weights, "--data", data, "--epochs", 2, "--output", run]
    given += ["--lr", "0.01", *PHOTOS, *SMALL]
    assert main([str(a) for a in ("quantize", *given)]) == 0
    return run


def test_the_checkpoint_gets_ranges_and_weights_as_files_store_them(
    weights: Path, tmp_path: Path, capsys: Capture
) -> None:
    to = tmp_path / "new" / "int8.safetensors"
    given = ["--weights", weights, "--calibration", GARMENTS, *PHOTOS, "--output", to]
    assert main([str(a) for a in ("quantize", *given, "--json")]) == 0
    printed = capsys.readouterr()
    assert "warning: ranges from 8 photos, expected a hundred or so" in printed.err
    assert "has int8 ranges" not in printed.err
    about = load("atto", str(to), None, None).about
    assert (about.in_float, about.photos) == (weights.resolve(), GARMENTS.resolve())
    shown = json.loads(printed.out)
    ranges = read_metadata(to).ranges
    assert ranges is not None and len(ranges) > 50
    assert shown == {"weights": str(to), "ranges": {k: list(v) for k, v in ranges.items()}}
    before, after = read_checkpoint(weights), read_checkpoint(to)
    assert before.keys() == after.keys()
    decoder = [key for key in before if key.startswith("decoder.")]
    assert decoder and all(same_but_rounded(before[key], after[key]) for key in decoder)
    assert not any(torch.equal(before[key], after[key]) for key in decoder if "value" in key)
    assert read_metadata(to).labels == list(CLASSES) and read_metadata(to).image_size == (160, 160)


def test_data_alone_will_do(
    weights: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their photos to train on."""
    seen: list[Path] = []

    def noted(net: DEIMv2, photos: Sequence[Path], *given: Any) -> Calibration:
        seen.extend(photos)
        return find_ranges(net, photos, *given)

    monkeypatch.setattr("deimv2.api.quantizing.find_ranges", noted)
    to = tmp_path / "int8.safetensors"
    assert (
        main(
            [
                *map(str, ("quantize", "--weights", weights, "--data", data, *PHOTOS)),
                "--output",
                str(to),
            ]
        )
        == 0
    )
    assert sorted(seen) == find_photos(data / "train")
    about = load("atto", str(to), None, None, ranges=True).about
    assert about.ranges and about.photos == (data / "train").resolve()


def test_training_while_rounding_leaves_a_checkpoint_like_any_other(
    trained: Path, weights: Path, data: Path, capsys: Capture
) -> None:
    learnt = [row.keys() & (TAUGHT | ANNOTATED) for row in read_log(trained) if "loss" in row]
    assert learnt == [TAUGHT] * 4  # annotations are to measure by
    assert len(losses(trained)) == 4
    assert read_checkpoint(trained / BEST).keys() == read_checkpoint(weights).keys()
    images, annotations = data / "val", data / "val" / "annotations.json"
    command = (
        "evaluate",
        trained / BEST,
        "--images",
        images,
        "--annotations",
        annotations,
        "--json",
    )
    assert "AP" in json.loads(output(capsys, *command))["metrics"]


def test_what_is_kept_is_never_worse_than_the_start(
    data: Path, tmp_path: Path, capsys: Capture
) -> None:
    """At a rate that ruins it: AP is measured before the first step, and that is what stays."""
    start, run = tmp_path / "start.safetensors", tmp_path / "run"
    given = ["--weights", "demo", "--calibration", data / "train", *PHOTOS, "--output", start]
    assert main([str(a) for a in ("quantize", *given)]) == 0
    given = ["--qat", "--weights", start, "--data", data, "--epochs", 1, "--output", run]
    capsys.readouterr()
    assert main([str(a) for a in ("quantize", *given, "--lr", "0.5", *SMALL)]) == 0
    told = capsys.readouterr().err
    assert re.search(
        "^training with rounding: 1 epoch, . steps? of . photos at 160x160 pixels", told, re.M
    )
    assert re.search(r"^float32: AP 0\.\d{4}; of the weights that round", told, re.M)
    assert re.search(r"^before the first step: AP 0\.\d+, AP50 0\.\d+, agreement 0\.\d", told, re.M)
    assert "best 0." in told and "before the first step" in told.split("epoch 1/1")[1]
    assert "no epoch was better than what it started from, which is kept" in told
    before, after = read_checkpoint(start), read_checkpoint(run / BEST)
    assert all(torch.equal(before[key], after[key]) for key in before if "decoder" not in key)
    assert all(same_but_rounded(before[key], after[key]) for key in before)
    assert read_metadata(run / BEST).ranges == read_metadata(start).ranges


def same_but_rounded(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Large weights that compute in float are put on the steps in which the files store them."""
    if before.numel() < MIN_WEIGHTS or torch.equal(before, after):
        return torch.equal(before, after)
    scales = weight_scales(before)
    steps = after.flatten(1) / scales[:, None]
    return torch.equal(scales, weight_scales(after)) and bool(
        (steps - steps.round()).abs().max() < 1e-3
    )


@pytest.mark.long
def test_blocks_stay_in_float_down_to_a_share(
    weights: Path, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    """In training, too, which goes on from them."""
    to, run = tmp_path / "int8.safetensors", tmp_path / "run"
    given = ["--weights", weights, "--calibration", GARMENTS, *PHOTOS, "--output", to]
    assert main([str(a) for a in ("quantize", *given, "--int8-share", 0.79)]) == 0  # of 0.815
    about = read_metadata(to)
    assert (
        about.float_blocks
        and f"in float: {', '.join(about.float_blocks)}" in capsys.readouterr().err
    )
    given = ["--qat", "--weights", to, "--data", data, "--epochs", 1, "--output", run, *SMALL]
    assert main([str(a) for a in ("quantize", *given)]) == 0
    trained = read_metadata(run / BEST)
    assert (trained.ranges, trained.float_blocks) == (about.ranges, about.float_blocks)
    given[-len(SMALL) - 1] = tmp_path / "again"
    line = complaint(capsys, "quantize", *given, "--int8-share", 0.9)
    assert "says already what is in int8, so --int8-share chooses nothing" in line


def test_only_what_rounds_learns(trained: Path, weights: Path, data: Path) -> None:
    learnt = read_state(trained)["model"]
    before = read_checkpoint(weights)
    moved = {key for key in before if key in learnt and not torch.equal(before[key], learnt[key])}
    assert any(key.startswith("backbone.") for key in moved)
    decoder = [key for key in before if key.startswith("decoder.") and key in learnt]
    assert decoder and all(same_but_rounded(before[key], learnt[key]) for key in decoder)
    loaded = load("atto", str(trained / BEST), None, None)
    assert loaded.about.ranges is not None
    assert loaded.about.photos == (data / "val").resolve()


@pytest.mark.long
def test_photos_alone_will_do(data: Path, tmp_path: Path, capsys: Capture) -> None:
    """The float network is all that is learnt from; AP is measured by what it detects."""
    few(photos := tmp_path / "photos", 20)
    (photos / "annotations.json").unlink()
    run = tmp_path / "run"
    given = ["--qat", "--weights", "demo", "--calibration", photos, "--epochs", 1, "--output", run]
    assert main([str(a) for a in ("quantize", *given, *PHOTOS, *SMALL[:4])]) == 0
    told = capsys.readouterr().err
    assert "AP is that of float32's detections above 0.3, on a fifth of the photos" in told
    parts = {name: json.loads((run / f"{name}.json").read_text()) for name in ("train", "val")}
    assert [len(part["images"]) for part in parts.values()] == [16, 4]
    assert all(len(part["annotations"]) >= len(part["images"]) for part in parts.values())
    start = re.search(r"before the first step: AP (0\.\d+)", told)
    assert start is not None and float(start.group(1)) > 0.5  # int8 detects what float32 does
    assert read_metadata(run / BEST).ranges is not None


@pytest.mark.long
@pytest.mark.usefixtures("all_candidates")
def test_stopped_and_resumed_it_goes_on_with_the_same_ranges(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    given = ["--weights", weights, "--data", data, "--epochs", 3, *PHOTOS, *SMALL, *STILL]
    common = ["quantize", "--qat", *given, "--threads", 1, "--evaluate-every", 3]
    folder, whole = tmp_path / "stopped", tmp_path / "whole"
    assert stopped(4, signal.SIGINT, *common, "--output", folder).returncode == 130
    assert len(losses(folder)) == 4
    again = ["quantize", "--qat", "--resume", folder, "--workers", 0, "--threads", 1]
    assert main([str(a) for a in (*again, "--report-every", 1)]) == 0
    assert main([str(a) for a in (*common, "--output", whole)]) == 0
    assert losses(folder) == pytest.approx(losses(whole), rel=1e-3) and len(losses(whole)) == 6
    assert len(set(losses(whole))) == 6
    ours, theirs = (read_checkpoint(each / BEST) for each in (folder, whole))
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-4, atol=1e-4)
    assert read_metadata(folder / BEST).ranges == read_metadata(whole / BEST).ranges


@pytest.mark.slow
def test_two_processes_agree_on_the_ranges(data: Path, tmp_path: Path) -> None:
    """Found by one, told to the other. Of the losses the first is compared: each step amplifies the
    order of sums by rounding and matching."""
    given = ["--weights", "demo", "--data", data, "--epochs", 1, *PHOTOS, *SMALL, "--device", "cpu"]
    runs = {count: tmp_path / str(count) for count in (1, 2)}
    for count, folder in runs.items():
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
        command = [*launch, "-m", "deimv2.cli.main", "quantize", "--qat", *map(str, given)]
        command += ["--output", str(folder)]
        done = subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
    alone, shared = (losses(folder) for folder in runs.values())
    assert shared[0] == pytest.approx(alone[0], rel=0.01) and len(shared) == len(alone) == 2
    theirs, ours = (read_metadata(folder / BEST).ranges for folder in runs.values())
    assert theirs is not None and theirs == ours


def test_without_photos_it_says_what_is_missing(weights: Path, capsys: Capture) -> None:
    line = complaint(capsys, "quantize", "--weights", weights)
    assert "carries no int8 ranges" in line and "--calibration DIR" in line


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["--epochs", 3], f"--epochs {TRAINS}"),
        (["--lr", 0.1, "--compile", "--seed", 2], f"--lr, --seed, --compile {TRAINS}"),
        (["--val-images", "a", "--patience", 1], f"--val-images, --patience {TRAINS}"),
        (["--data", "set"], f"--data {TWO_PLACES}"),
        (["--images", "a", "--annotations", "b"], f"--images, --annotations {TWO_PLACES}"),
    ],
)
def test_options_of_a_training_want_one(
    tmp_path: Path, capsys: Capture, given: list[object], named: str
) -> None:
    to = tmp_path / "q.safetensors"
    line = complaint(capsys, "quantize", "--calibration", GARMENTS, *given, "--output", to)
    assert named in line
    assert list(tmp_path.iterdir()) == []


def test_options_without_effect_on_a_training_are_refused(data: Path, capsys: Capture) -> None:
    given = ["quantize", "--qat", "--data", data]
    assert "'names' with --qat on annotated" in complaint(capsys, *given, "--labels", "names")
    assert "unrecognized arguments: --no-amp" in complaint(capsys, *given, "--no-amp")
    with pytest.raises(InputError, match="--no-amp with --qat, which computes in float32 always"):
        quantize(qat=True, data=data, amp=False)


def test_weights_of_other_classes_are_not_trained(
    data: Path, tmp_path: Path, capsys: Capture
) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(build_model("atto", 3, 160), other, list("abc"))
    given = ["--qat", "--weights", other, "--data", data, "--output", tmp_path / "run"]
    line = complaint(capsys, "quantize", *given, *SMALL)
    assert "is of other classes than the 8 of these data" in line


def test_int8_without_ranges_names_both_ways_to_get_them(
    weights: Path, tmp_path: Path, capsys: Capture
) -> None:
    given = ["--precision", "int8", "--weights", weights, "--output", tmp_path / "out"]
    line = complaint(capsys, "export", *given)
    assert "--calibration DIR" in line and "deimv2 quantize" in line
    assert not (tmp_path / "out").exists()


def test_scenes_are_the_photos_of_the_demo_weights(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deimv2.api.synthetic.GARMENTS", GARMENTS / "none")
    line = complaint(capsys, "quantize", *PHOTOS, "--output", tmp_path / "q.safetensors")
    assert "none" in line and "or name your photos with --calibration DIR" in line


def test_the_weights_that_it_reads_are_not_written_over(
    weights: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Nor those in float that they come from."""
    own, made = (tmp_path / f"{name}.safetensors" for name in ("own", "made"))
    shutil.copy(weights, own)
    about = load("atto", str(own), None, None)
    save_weights(about.net, made, about.labels, ranges={}, in_float=own)
    before = own.read_bytes(), made.read_bytes()
    for source, to in ((own, own), (made, made), (made, own)):
        given = ["--weights", source, "--calibration", GARMENTS, "--output", to]
        line = complaint(capsys, "quantize", *given)
        assert f"the output '{to}' is the file of --weights" in line
    assert (own.read_bytes(), made.read_bytes()) == before


def test_the_output_is_a_file_of_weights_in_a_folder_that_can_be_made(
    weights: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("deimv2.api.quantizing.find_ranges")
    (tmp_path / "file").touch()
    given = ["quantize", "--weights", weights, "--calibration", GARMENTS, "--output"]
    line = complaint(capsys, *given, tmp_path / "q.pth")
    assert "q.pth' ends in '.pth', expected .safetensors; rename it" in line
    line = complaint(capsys, *given, tmp_path / "file" / "q.safetensors")
    assert f"as '{tmp_path / 'file'}' takes no files" in line
    monkeypatch.setattr("os.access", lambda *_: False)  # as where a disk is read-only
    line = complaint(capsys, *given, tmp_path / "new" / "q.safetensors")
    assert f"as '{tmp_path}' takes no files" in line


@pytest.mark.long
def test_int8_weights_alone_make_small_files_that_detect_the_same(tmp_path: Path) -> None:
    assert main(["export", "--precision", "int8-weight", "--output", str(tmp_path)]) == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())  # of those within the limits
    names = [f"deimv2-atto-int8-weight.{kind}" for kind in ("tflite", "mlpackage")]
    assert [file["name"] for file in manifest["files"]] == names
    assert all(file["size"] < 1_300_000 for file in manifest["files"])  # of 2.3 million in float32


def test_the_checkpoint_names_the_weights_that_int8_is_to_keep_up_with(
    weights: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Also one that was quantized, and trained, again, of which it is said that this loses."""
    weights = Path(shutil.copy(weights, tmp_path / "float.safetensors"))
    once, twice = tmp_path / "once.safetensors", tmp_path / "twice.safetensors"
    loaded = load("atto", str(weights), None, None)
    ranges = {"image": (0.0, 1.0)}
    save_weights(loaded.net, once, loaded.labels, ranges=ranges, in_float=weights)
    given = ["--weights", once, "--calibration", GARMENTS, *PHOTOS, "--output", twice]
    assert main([str(a) for a in ("quantize", *given)]) == 0
    said = capsys.readouterr().err
    assert f"'{once}' has int8 ranges" in said and f"'{weights.resolve()}'" in said
    assert load("atto", str(twice), None, None).about.in_float == weights.resolve()
    weights.unlink()
    assert load("atto", str(twice), None, None).about.in_float is None
    assert load("atto", "demo", None, None, ranges=True).about.in_float == DEMO / "atto.safetensors"
    assert load("atto", "demo", None, None).about.in_float is None


def test_a_share_is_between_0_and_1(tmp_path: Path, capsys: Capture) -> None:
    given = ["--calibration", GARMENTS, "--int8-share", "1.2", "--output", tmp_path / "q"]
    assert "'1.2'" in complaint(capsys, "quantize", *given)


def test_the_help_names_what_runs(capsys: Capture) -> None:
    assert main(["quantize", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for option, value in (("--epochs N", EPOCHS), ("--batch N", FEW_BATCH), ("--lr X", LR)):
        described = re.search(rf" {option} ((?!--).)*?default: ([\d.e-]+)", said)
        assert described is not None and float(described.group(2)) == value
