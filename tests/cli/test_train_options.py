"""The options of a training: which may be given to go on with it, and what is looked at first."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import deimv2
from deimv2.api.closing import to_continue, to_export
from deimv2.api.data import part_to_measure, read_train
from deimv2.api.training import TrainOptions, loop_options, resumed, run_here, start
from deimv2.model import build_model
from deimv2.model.errors import InputError
from deimv2.model.progress import SILENT
from deimv2.tests.cli.commands import Capture, complaint
from deimv2.tests.told import Told
from deimv2.tests.training.scenes import few
from deimv2.training.checkpoint import BEST, LAST, save_state
from deimv2.training.distributed import DistributedContext


def stopped_training(folder: Path, **options: Any) -> Path:
    """What a training with these options leaves for the next to read them from."""
    about = loop_options(TrainOptions(weights="coco", variant="atto", **options), None).about
    net = build_model("atto", 2).state_dict()
    save_state(folder, {"about": about, "names": ["cat", "dog"], "ema": {"module": net}})
    return folder


def test_a_batch_that_processes_cannot_share_is_refused_before_the_data() -> None:
    two = DistributedContext(0, 2, torch.device("cpu"))
    with pytest.raises(InputError, match="a batch of 5 cannot be shared by 2 processes"):
        run_here(TrainOptions(data="nowhere", batch=5), None, two)


def test_the_next_commands_are_those_of_how_it_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (DistributedContext(0, size, torch.device("cpu")) for size in (1, 2))
    folder = Path("my runs")
    assert to_continue(folder, False, one) == "deimv2 train --resume 'my runs'"
    assert to_continue(folder, True, one) == "deimv2 quantize --qat --resume 'my runs'"
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    launched = "torchrun --nproc-per-node 2 -m deimv2 train --resume 'my runs'"
    assert to_continue(folder, False, two) == launched
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")  # on two machines
    elsewhere = "torchrun ... -m deimv2 quantize --qat --resume 'my runs'"
    assert to_continue(folder, True, two) == elsewhere
    assert to_export(Path("best.pt"), False) == "deimv2 export --weights best.pt"
    assert to_export(Path("best.pt"), True) == "deimv2 export --precision int8 --weights best.pt"


@pytest.mark.parametrize(
    "given",
    [["--denoising"], ["--no-denoising"], ["--no-dense"], ["--no-amp"], ["--final-lr", "0.5"]],
)
def test_what_cannot_be_given_to_go_on_is_named_as_given(
    tmp_path: Path, capsys: Capture, given: list[str]
) -> None:
    folder = stopped_training(tmp_path)
    line = complaint(capsys, "train", "--resume", folder, *given)
    assert f"error: {given[0]} cannot be given with --resume, which continues as it was" in line
    assert line.endswith(f"start again with --weights {folder / BEST}")


@pytest.mark.parametrize("amp", [True, False])
def test_the_precision_of_a_training_is_kept_and_its_machine_may_change(
    tmp_path: Path, amp: bool
) -> None:
    again = TrainOptions(resume=stopped_training(tmp_path, amp=amp), device="cpu", compile=True)
    options, rounding = resumed(again)
    assert (options.amp, options.device, options.compile) == (amp, "cpu", True)
    assert rounding is None and loop_options(options, None).amp == amp


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--images", "a"], "--images without --annotations, expected both, as photos and annot"),
        (["--images", "a", "--annotations", "b", "--data", "c"], "found --data with them; give bo"),
        (["--annotations", "b", "--data", "c"], "found --data with them"),
    ],
)
def test_photos_or_annotations_alone_are_refused(
    capsys: Capture, given: list[str], reason: str
) -> None:
    assert reason in complaint(capsys, "train", *given)


def test_what_is_missing_to_measure_on_is_named_with_its_option() -> None:
    for given, reason in (
        (("a", None), "--val-images without --val-annotations, .*; add --val-annotations, or"),
        ((None, "b"), "--val-annotations without --val-images, .*; add --val-images, or"),
    ):
        with pytest.raises(InputError, match=reason):
            part_to_measure(None, *given)


def test_data_are_looked_for_before_weights_are_fetched(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("deimv2.model.weights.places.fetch_checkpoint")
    given = ["--data", tmp_path / "none", "--output", tmp_path / "run"]
    for weights in ([], ["--weights", "hf://someone/something"]):
        assert "no folder at" in complaint(capsys, "train", *given, *weights)


@pytest.mark.parametrize(
    ("given", "size"), [(160, (160, 160)), ([128, 160], (128, 160)), (None, (320, 320))]
)
def test_the_state_of_a_training_is_taken_with_its_class_names_and_image_size(
    tmp_path: Path, given: Any, size: tuple[int, int]
) -> None:
    detector = deimv2.load(stopped_training(tmp_path, image_size=given) / LAST)
    assert detector.classes == ("cat", "dog") and detector.size == size


@pytest.mark.parametrize("wrong", ["class", "category", "none", "photo"])
def test_photos_to_measure_on_are_looked_at_before_a_folder_is_made(
    tmp_path: Path, capsys: Capture, wrong: str
) -> None:
    few(tmp_path / "set" / "train", 4)
    val = few(tmp_path / "set" / "val", 2, start=8)
    content = json.loads(val.annotations.read_text())
    match wrong:
        case "class":
            content["categories"].append({"id": 99, "name": "unheard of"})
        case "category":
            content["annotations"][0]["category_id"] = 98
        case "none":
            content["images"], content["annotations"] = [], []
        case "photo":
            path = val.images / content["images"][1]["file_name"]
            path.write_bytes(path.read_bytes()[:2000])
    val.annotations.write_text(json.dumps(content))
    given = ["--data", tmp_path / "set", "--weights", "demo", "--output", tmp_path / "run"]
    complaint(capsys, "train", *given, "--image-size", 160, "--workers", 0)
    assert not (tmp_path / "run").exists()


def test_paths_are_kept_so_that_they_hold_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.safetensors").touch()
    for weights, kept in {"w.safetensors": f"{tmp_path}/w.safetensors", "demo": "demo"}.items():
        options = TrainOptions(weights=weights, images="photos", val_images=Path("val"))
        about = loop_options(options, None).about["options"]
        assert (about["weights"], about["images"], about["val_images"], about["data"]) == (
            kept, f"{tmp_path}/photos", f"{tmp_path}/val", None,
        )  # fmt: skip


@pytest.mark.parametrize("side", [160, 320])
def test_weights_of_another_image_size_are_told(tmp_path: Path, side: int) -> None:
    few(tmp_path / "set" / "train", 2)
    dataset, told = read_train(TrainOptions(data=tmp_path / "set"), SILENT), Told()
    start(TrainOptions(variant="atto", weights="demo", image_size=side), False, dataset, told)
    said = "weights: trained at 320x320 pixels, here they go on at 160x160; --image-size 320x320"
    assert [line.startswith(said) for line in told.lines[1:]] == ([True] if side == 160 else [])
