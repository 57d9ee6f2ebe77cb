"""Distillation: the student learns the teacher's features, and a stopped one goes on exactly."""

import signal
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model import VARIANTS, build_model
from deimv2.model.dinov3 import VisionTransformer
from deimv2.model.errors import CheckError, InputError
from deimv2.model.images import normalise
from deimv2.model.variants import IMAGENET
from deimv2.model.weights import load_backbone
from deimv2.tests.nets import random_net
from deimv2.tests.teacher import write_teacher
from deimv2.tests.training.test_trainer import assert_same_state
from deimv2.training.checkpoint import BEST, LAST, StopError, read_state
from deimv2.training.data.batches import load
from deimv2.training.distill import (
    STUDENTS,
    Crops,
    Distillation,
    Distiller,
    distance,
    load_teacher,
    new_student,
)
from deimv2.training.loop import Metrics, Place

CPU = torch.device("cpu")


class Notes:
    """A logger that remembers; at one step, it does what a person may do."""

    def __init__(self, at: int = -1, signals: signal.Signals | None = None) -> None:
        self.at, self.signals = at, signals
        self.losses: dict[int, float] = {}
        self.said: list[str] = []

    def step(self, place: Place, values: dict[str, float]) -> None:
        self.losses[place.step] = values["loss"]
        if place.step == self.at and self.signals is None:
            raise RuntimeError("a power cut")
        if place.step == self.at:
            signal.raise_signal(self.signals)

    def epoch(self, place: Place, metrics: Metrics | None, best: tuple[float, int]) -> None: ...

    def saved(self) -> None: ...

    def say(self, message: str) -> None:
        self.said.append(message)

    def rewind(self, step: int) -> None:
        self.losses = {at: loss for at, loss in self.losses.items() if at <= step}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_teacher(tmp_path_factory.mktemp("teacher") / "vits16.pth")


@pytest.fixture(scope="module")
def teacher(file: Path) -> VisionTransformer:
    return load_teacher(file)


def distiller(
    folder: Path,
    teacher: VisionTransformer,
    notes: Notes,
    steps: int = 6,
    student: str = "vit-tiny",
    photos: tuple[Path, ...] = PHOTOGRAPHS,
    accumulate: int = 1,
) -> Distiller:
    crops = Crops(photos, Distillation(steps, 4, 64, accumulate=accumulate))
    assert len(crops) == steps
    return Distiller(new_student(student, 0), teacher, crops, folder, CPU, notes, {})


def test_the_teacher_has_the_weights_of_its_file(file: Path, teacher: VisionTransformer) -> None:
    stored, state = torch.load(file), teacher.state_dict()
    assert "patch_embed.proj.weight" in stored
    assert torch.equal(state["patch_embed.weight"], stored["patch_embed.proj.weight"])
    same = [key for key in state if key in stored]
    assert len(same) > 150
    for key in same:
        assert torch.equal(state[key], stored[key]), key
    assert not any(p.requires_grad for p in teacher.parameters())


def test_the_loss_goes_down(tmp_path: Path, teacher: VisionTransformer) -> None:
    notes = Notes()
    distiller(tmp_path, teacher, notes, steps=20).run(0, 300, 1)
    losses = list(notes.losses.values())
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:3]), losses


def test_the_source_of_crops_ends_with_it(
    tmp_path: Path, teacher: VisionTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = distiller(tmp_path, teacher, Notes(), steps=1)
    source = load(made.crops, range(1), 0, False)
    monkeypatch.setattr("deimv2.training.distill.load", lambda *_, **__: source)
    made.run(0, 300, 1)
    assert getgeneratorstate(source) == GEN_CLOSED


@pytest.mark.parametrize("student", STUDENTS)
def test_the_students_weights_are_a_backbone_of_their_variant(
    tmp_path: Path, teacher: VisionTransformer, student: str
) -> None:
    made = distiller(tmp_path, teacher, Notes(), steps=2, student=student)
    made.run(0, 300, 1)
    stored = load_file(tmp_path / BEST)
    trained = made.student.vit.state_dict()
    fresh = new_student(student, 0).vit.state_dict()
    assert stored.keys() == trained.keys()
    assert not torch.equal(stored["blocks.0.mlp.fc1.weight"], fresh["blocks.0.mlp.fc1.weight"])
    net = build_model(STUDENTS[student])
    assert load_backbone(net, tmp_path / BEST) == len(stored)
    for key, value in net.backbone.vit.state_dict().items():
        assert torch.equal(value, stored[key]), key
        assert torch.equal(value, trained[key]), key
    (other,) = set(STUDENTS.values()) - {STUDENTS[student]}
    with pytest.raises(InputError, match="use weights of that backbone"):
        load_backbone(build_model(other), tmp_path / BEST)


def test_parts_of_a_batch_give_its_loss_and_gradient(
    tmp_path: Path, teacher: VisionTransformer
) -> None:
    found = []
    for accumulate in (1, 2):
        made = distiller(tmp_path, teacher, Notes(), accumulate=accumulate)
        loss = made._step(made.crops[0])["loss"]
        state = made.optimizer.state_dict()["state"]
        gradient = torch.cat([state[key]["exp_avg"].flatten() for key in sorted(state)])
        found.append((loss, gradient))
    (one, expected), (other, parts) = found
    assert other == pytest.approx(one, rel=1e-5)
    assert (parts - expected).norm() < 1e-3 * expected.norm() > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_one_goes_on_from_the_same_state(
    tmp_path: Path, teacher: VisionTransformer, number: signal.Signals
) -> None:
    first, later = distiller(tmp_path, teacher, notes := Notes(3, number)), Notes()
    with pytest.raises(StopError):
        first.run(0, 300, 1)
    again = distiller(tmp_path, teacher, later)
    again.restore(read_state(tmp_path))
    assert_same_state(first.student, again.student)
    assert_same_state(first.optimizer, again.optimizer)
    again.run(0, 300, 1)
    assert [*notes.losses, *later.losses] == [1, 2, 3, 4, 5, 6]
    assert first._step(first.crops[3])["loss"] == pytest.approx(later.losses[4], rel=1e-4)


def test_after_a_power_cut_it_goes_on_from_the_last_save(
    tmp_path: Path, teacher: VisionTransformer
) -> None:
    notes = Notes(4)
    with pytest.raises(RuntimeError, match="power cut"):
        distiller(tmp_path, teacher, notes).run(0, 0, 1)
    lost = notes.losses[4]
    assert read_state(tmp_path)["step"] == 3
    again = distiller(tmp_path, teacher, notes)
    again.restore(read_state(tmp_path))
    assert list(notes.losses) == [1, 2, 3]
    notes.at = -1
    again.run(0, 300, 1)
    assert list(notes.losses) == [1, 2, 3, 4, 5, 6]
    assert notes.losses[4] == pytest.approx(lost, rel=1e-4)


def test_a_finished_one_stays_as_it_is(tmp_path: Path, teacher: VisionTransformer) -> None:
    distiller(tmp_path, teacher, Notes(), steps=2).run(0, 300, 1)
    before, notes = (tmp_path / BEST).read_bytes(), Notes()
    again = distiller(tmp_path, teacher, notes, steps=2)
    again.restore(read_state(tmp_path))
    again.run(0, 300, 1)
    assert notes.losses == {}
    assert (tmp_path / BEST).read_bytes() == before


def test_other_photos_are_refused(tmp_path: Path, teacher: VisionTransformer) -> None:
    distiller(tmp_path, teacher, Notes(), steps=1).save()
    fewer = distiller(tmp_path, teacher, Notes(), steps=1, photos=PHOTOGRAPHS[:4])
    with pytest.raises(InputError, match="there are 4 photos, expected 5"):
        fewer.restore(read_state(tmp_path))


def test_a_loss_that_is_no_number_ends_it_with_nothing_saved(tmp_path: Path, file: Path) -> None:
    broken = load_teacher(file)
    broken.norm.weight.fill_(torch.nan)
    made = distiller(tmp_path, broken, Notes())
    with pytest.raises(
        CheckError, match="the loss is nan at step 0, expected a number; start again"
    ):
        made.run(0, 300, 1)
    assert list(tmp_path.iterdir()) == []
    assert all(p.isfinite().all() for p in made.student.parameters())


def test_the_distance_is_zero_for_features_alike_but_for_their_length() -> None:
    whole, patches = torch.randn(2, 8), torch.randn(2, 5, 8)
    assert distance((whole, patches), (3 * whole, 0.5 * patches)) == pytest.approx(0, abs=1e-6)
    assert distance((-whole, patches), (whole, patches)) == pytest.approx(2, abs=1e-6)
    assert distance((whole, -patches), (whole, patches)) == pytest.approx(2, abs=1e-6)


def test_an_epoch_has_every_photo_once(tmp_path: Path) -> None:
    photos = []
    for value in range(0, 240, 40):
        photos.append(tmp_path / f"{value}.png")
        Image.new("RGB", (50, 40), (value, value, value)).save(photos[-1])
    crops = Crops(photos, Distillation(2, 3, 32))
    orders = []
    for epoch in range(2):
        images = torch.cat([crops[2 * epoch + step].images for step in range(2)])
        orders.append(levels(images))
        assert sorted(orders[-1]) == list(range(0, 240, 40))
    assert orders[0] != orders[1]


def levels(images: Tensor) -> list[int]:
    """Grey levels of flat pictures."""
    mean, std = torch.tensor(IMAGENET).view(2, 1, 3)
    return (images.mean(dim=(2, 3)) * std + mean).mean(dim=1).mul(255).round().int().tolist()


def test_crops_follow_from_the_seed_and_their_place() -> None:
    def crops(seed: int) -> Crops:
        return Crops(PHOTOGRAPHS, Distillation(3, 4, 64, seed=seed))

    one, same, other = crops(0), crops(0), crops(1)
    later = one[2].images
    assert later.shape == (4, 3, 64, 64)
    assert torch.equal(same[2].images, later)
    assert not torch.equal(one[1].images, later)
    assert not torch.equal(other[2].images, later)


def test_crops_are_normalised_as_the_networks_take_them(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), (255, 0, 51)).save(tmp_path / "a.png")
    images = Crops([tmp_path / "a.png"], Distillation(1, 1, 16))[0].images
    flat = torch.tensor([1.0, 0.0, 0.2]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    torch.testing.assert_close(images, normalise(flat, *IMAGENET))


def test_a_damaged_photo_is_passed_over_and_said(
    tmp_path: Path, teacher: VisionTransformer
) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(PHOTOGRAPHS[0].read_bytes()[:3000])
    photos, notes = (*PHOTOGRAPHS[:3], damaged), Notes()
    distiller(tmp_path, teacher, notes, steps=2, photos=photos).run(1, 300, 1)
    assert list(notes.losses) == [1, 2]
    (said,) = notes.said  # once, though both steps met it
    assert f"skipped: '{damaged}' cannot be read" in said
    with pytest.raises(InputError, match="2 photos in a row cannot be used"):
        Crops([damaged, damaged], Distillation(1, 2, 16))[0]


@pytest.mark.parametrize("side", [0, 100, -16])
def test_sides_are_multiples_of_a_patch(side: int) -> None:
    with pytest.raises(InputError, match=f"side {side} does not fit; expected a multiple of 16"):
        Crops(PHOTOGRAPHS, Distillation(1, 1, side))


def test_an_unknown_student_is_refused() -> None:
    with pytest.raises(InputError, match="unknown student 'vit'; expected one of vit-tiny, "):
        new_student("vit", 0)


@pytest.mark.parametrize("variant", ["s", "l"])
@torch.inference_mode()
def test_features_are_the_tokens_of_the_last_block(variant: str) -> None:
    vit: Any = random_net(variant).backbone.vit
    assert vit.taps[-1] == VARIANTS[variant].backbone.depth - 1
    images = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    tokens = last_tokens(vit, images)
    whole, patches = vit.features(images)
    assert torch.equal(patches.transpose(1, 2).reshape(2, -1, 2, 3), vit(images)[-1])
    assert torch.equal(whole, tokens[:, 0])
    assert torch.equal(patches, tokens[:, -6:])


def last_tokens(vit: nn.Module, images: Tensor) -> Tensor:
    """What leaves the last normalisation: class, storage and patch tokens."""
    found: list[Tensor] = []
    hook = vit.norm.register_forward_hook(lambda *given: found.append(given[-1]))
    vit(images)
    hook.remove()
    return found[-1]


def test_the_state_holds_no_teacher(tmp_path: Path, teacher: VisionTransformer) -> None:
    made = distiller(tmp_path, teacher, Notes(), steps=1)
    made.save()
    weights = sum(p.numel() for p in made.student.parameters()) * 4
    assert (tmp_path / LAST).stat().st_size < 1.1 * weights  # no step yet, so no moments
