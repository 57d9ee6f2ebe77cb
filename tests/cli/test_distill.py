"""`distill` makes a backbone for `train`, goes on where it was stopped, and refuses in one line."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model import build_model
from deimv2.model.weights import load_backbone
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.cli.trainings import STILL, stopped
from deimv2.tests.teacher import write_teacher
from deimv2.training.checkpoint import BEST, LAST, read_state, save_state
from deimv2.training.run_log import LOG, read_log

TINY = ["--side", "32", "--batch", "4", "--report-every", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_teacher(tmp_path_factory.mktemp("teacher") / "vits16.pth")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Five photos, three of them in subfolders."""
    for path, below in zip(PHOTOGRAPHS, ("", "", "a", "a", "a/b"), strict=True):
        (tmp_path / "images" / below).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "images" / below)
    return tmp_path / "images"


def line(teacher: Path, images: Path, folder: Path, *more: object) -> list[object]:
    options = ["--teacher", teacher, "--images", images, "--output", folder]
    return ["distill", *options, *TINY, *more]


def losses(folder: Path) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in read_log(folder)}


def test_a_backbone_of_photos_in_subfolders_too(
    capsys: Capture, tmp_path: Path, teacher: Path, images: Path
) -> None:
    folder = tmp_path / "run"
    options = ["--epochs", 2, "--batch", 5, "--workers", 0, "--student", "vit-tiny-plus", "--json"]
    found = json.loads(output(capsys, *line(teacher, images, folder, *options)))
    assert found == {"weights": str(folder / BEST), "steps": 2}
    assert list(losses(folder)) == [1, 2]
    assert read_state(folder)["photos"] == 5
    net = build_model("m")
    assert load_backbone(net, folder / BEST) == len(load_file(folder / BEST))
    message = complaint(capsys, *line(teacher, images, folder))
    assert f"'{folder}' holds a training already; continue with --resume {folder}" in message


@pytest.mark.long
def test_a_stopped_process_goes_on_with_the_same_losses(
    capsys: Capture, tmp_path: Path, teacher: Path, images: Path
) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    options = ["--epochs", 8, "--workers", 1, *STILL]
    assert output(capsys, *line(teacher, images, whole, *options)) == f"{whole / BEST}\n"
    done = stopped(3, signal.SIGINT, *line(teacher, images, folder, *options))
    assert done.returncode == 130
    last = done.stderr.splitlines()[-1]
    assert last == f"stopped at step 3; continue with: deimv2 distill --resume {folder}"
    output(capsys, "distill", "--resume", folder, "--report-every", 1, "--device", "cpu")
    assert losses(folder) == pytest.approx(losses(whole), rel=1e-4)
    assert list(losses(folder)) == list(range(1, 9))


def test_it_goes_on_from_another_folder(
    capsys: Capture, tmp_path: Path, teacher: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vits16.pth").symlink_to(teacher)
    output(capsys, *line(Path("vits16.pth"), Path(images.name), Path("run"), "--epochs", 1))
    monkeypatch.chdir(images)
    found = output(capsys, "distill", "--resume", tmp_path / "run", "--device", "cpu")
    assert found == f"{tmp_path / 'run' / BEST}\n"


def test_a_wrong_teacher_is_refused(
    capsys: Capture, tmp_path: Path, teacher: Path, images: Path
) -> None:
    folder, other = tmp_path / "run", tmp_path / "other.safetensors"
    save_file({k: v.half() for k, v in torch.load(teacher).items() if "blocks.11." not in k}, other)
    message = complaint(capsys, *line(other, images, folder))
    assert f"'{other}' has " in message
    assert "of variant 'l's backbone, the first missing is backbone.vit.blocks.11." in message
    other.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert "is a pointer of Git LFS" in complaint(capsys, *line(other, images, folder))
    message = complaint(capsys, *line(tmp_path / "none.pth", images, folder))
    assert "no checkpoint at" in message
    assert not folder.exists()


def test_the_teacher_is_not_written_over(
    capsys: Capture, tmp_path: Path, teacher: Path, images: Path
) -> None:
    own = tmp_path / "run" / BEST
    own.parent.mkdir()
    shutil.copy(teacher, own)
    message = complaint(capsys, *line(own, images, own.parent))
    assert f"the output '{own}' is the file of --teacher" in message
    assert list(own.parent.iterdir()) == [own]


def test_missing_photos_and_options_are_one_line(
    capsys: Capture, tmp_path: Path, teacher: Path, images: Path
) -> None:
    folder = tmp_path / "run"
    assert "no folder at" in complaint(capsys, *line(teacher, tmp_path / "none", folder))
    (tmp_path / "empty").mkdir()
    assert "no photos in" in complaint(capsys, *line(teacher, tmp_path / "empty", folder))
    message = complaint(capsys, *line(teacher, images, folder, "--side", 100))
    assert "side 100 does not fit; expected a multiple of 16" in message
    assert "give --teacher FILE --images DIR" in complaint(capsys, "distill", "--images", images)
    assert "give --teacher FILE --images DIR" in complaint(capsys, "distill", "--teacher", teacher)
    message = complaint(capsys, *line(teacher, images, folder, "--student", "vit-small"))
    assert "invalid choice: 'vit-small'" in message
    assert "is not a learning rate" in complaint(
        capsys, *line(teacher, images, folder, "--lr", "fast")
    )
    assert not folder.exists()


def test_what_cannot_be_resumed_is_refused(
    capsys: Capture, tmp_path: Path, teacher: Path, images: Path
) -> None:
    message = complaint(capsys, "distill", "--resume", tmp_path / "none")
    assert f"no '{tmp_path / 'none' / LAST}'" in message
    save_state(tmp_path, {"step": 3, "model": {}, "about": {"images": None}})
    message = complaint(capsys, "distill", "--resume", tmp_path)
    assert f"'{tmp_path}' holds no distillation" in message
    folder = tmp_path / "my run"
    output(capsys, *line(teacher, images, folder, "--epochs", 1, "--workers", 0))
    message = complaint(capsys, "train", "--resume", folder)
    assert "holds no training" in message and f"deimv2 distill --resume '{folder}'" in message
    message = complaint(
        capsys, "distill", "--resume", folder, "--epochs", 100, "--output", tmp_path
    )
    assert "--epochs, --output cannot be given with --resume" in message
    assert message.endswith("start again with another --output")
    next(images.glob("*.jpg")).unlink()
    before = (folder / LOG).read_bytes()
    message = complaint(capsys, "distill", "--resume", folder)
    assert "there are 4 photos, expected 5" in message
    assert (folder / LOG).read_bytes() == before
