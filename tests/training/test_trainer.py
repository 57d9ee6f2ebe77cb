"""The training loop: learns, stops and goes on, keeps its files whole."""

import errno
import math
from dataclasses import replace
from inspect import GEN_CLOSED, getgeneratorstate
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from deimv2.model import build_model
from deimv2.model.errors import CheckError, InputError
from deimv2.model.weights import load_weights, read_metadata
from deimv2.tests.training.scenes import few
from deimv2.training import checkpoint
from deimv2.training.checkpoint import BEST, LAST, StopError, read_state
from deimv2.training.data.batches import Batch, Batches, load
from deimv2.training.data.dataset import read_dataset
from deimv2.training.distributed import DistributedContext
from deimv2.training.loop import Metrics, Place
from deimv2.training.recipes import RECIPES, Recipe
from deimv2.training.schedule import fit, with_lr
from deimv2.training.trainer import Options, Trainer, optimizer

ALONE = DistributedContext(0, 1, torch.device("cpu"))
SIDE = 160


class Notes:
    """A logger that remembers."""

    def __init__(self) -> None:
        self.steps: dict[int, dict[str, float]] = {}
        self.epochs: list[Metrics | None] = []
        self.said: list[str] = []

    def step(self, place: Place, values: dict[str, float]) -> None:
        self.steps[place.step] = values

    def epoch(self, place: Place, metrics: Metrics | None, best: tuple[float, int]) -> None:
        self.epochs.append(metrics)

    def saved(self) -> None: ...

    def say(self, message: str) -> None:
        self.said.append(message)

    def rewind(self, step: int) -> None:
        self.steps = {at: values for at, values in self.steps.items() if at <= step}

    def losses(self) -> list[float]:
        return [values["loss"] for values in self.steps.values()]


def recipe(variant: str = "atto", epochs: int = 3, samples: int = 8) -> Recipe:
    return with_lr(fit(RECIPES[variant], epochs, 4, samples), 5e-4)


def trainer(
    folder: Path,
    chosen: Recipe | None = None,
    variant: str = "atto",
    side: int = SIDE,
    **options: Any,
) -> tuple[Trainer, Notes]:
    part = few(folder / "data", 8)
    dataset, _ = read_dataset(part)
    torch.manual_seed(0)
    net = build_model(variant, len(dataset.names), side)
    statistics = net.variant.mean, net.variant.std
    batches = Batches(dataset, chosen or recipe(variant), net.image_size, statistics)
    notes = Notes()
    given = Options(**({"workers": 0, "report_every": 1} | options))
    made = Trainer(net, dataset.names, batches.recipe, batches, folder, ALONE, notes, given)
    return made, notes


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """Losses of a training that nothing interrupts."""
    made, notes = trainer(tmp_path_factory.mktemp("whole"))
    made.run(None)
    return notes.losses()


def test_losses_of_every_step_are_told(tmp_path: Path, whole: list[float]) -> None:
    """Of each step, the sum of its parts: the first is that of the untouched net."""
    made, notes = trainer(tmp_path)
    with pytest.raises(StopError):
        run_until(made, 1)
    (told,) = notes.steps.values()
    parts = {name for name in told if name.split("_")[-1] in ("mal", "l1", "giou", "fgl", "ddf")}
    assert told["loss"] == pytest.approx(sum(told[name] for name in parts), rel=1e-5)
    assert told["loss"] == pytest.approx(whole[0], rel=1e-4) and len(set(whole)) == 6
    assert all(map(math.isfinite, whole))


def test_short_epochs_end_with_a_report(tmp_path: Path) -> None:
    made, notes = trainer(tmp_path, report_every=20)
    made.run(None)
    assert list(notes.steps) == [2, 4, 6]


def test_the_source_of_batches_ends_with_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers and their temporary folders stay for as long as it is open."""
    made, _ = trainer(tmp_path, recipe(epochs=1))
    source = load(made.batches, made.batches.places(0), 0, False)
    monkeypatch.setattr("deimv2.training.trainer.load", lambda *_: source)
    made.run(None)
    assert getgeneratorstate(source) == GEN_CLOSED


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_a_resumed_training_has_the_state_and_the_batches_of_an_uninterrupted_one(
    tmp_path: Path, stop: int
) -> None:
    """And so the losses: of the next step that is shown, later ones amplify what rounding does."""
    first, notes = trainer(tmp_path)
    with pytest.raises(StopError):
        run_until(first, stop)
    second, later = trainer(tmp_path)
    second.restore(read_state(tmp_path))
    for part in ("net", "average.net", "optimizer"):
        assert_same_state(*(attrgetter(part)(made) for made in (first, second)))
    assert (second.step, second.average.updates) == (first.step, first.average.updates)
    seen: list[Batch] = []
    step = second._step
    second._step = lambda batch: seen.append(batch) or step(batch)  # type: ignore
    second.run(None)
    assert [*notes.steps, *later.steps] == list(range(1, 7))
    wanted = [first.batches[place] for place in first.batches.places(stop)]
    for one, other in zip(seen, wanted, strict=True):
        torch.testing.assert_close(one.images, other.images)
        for ours, theirs in zip(one.targets, other.targets, strict=True):
            assert torch.equal(ours.labels, theirs.labels)
            torch.testing.assert_close(ours.boxes, theirs.boxes)
    assert first._step(wanted[0])["loss"] == pytest.approx(later.losses()[0], rel=1e-4)


def test_a_training_in_float32_goes_on_in_half_precision(tmp_path: Path) -> None:
    """As on a GPU after a CPU: its loss scaling starts anew; and back."""
    first, _ = trainer(tmp_path)
    first.save()
    second, _ = trainer(tmp_path)
    second.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    second.restore(read_state(tmp_path))
    assert second.scaler.get_scale() == 8
    second.save()
    first.restore(read_state(tmp_path))
    assert not first.scaler.is_enabled()


def assert_same_state(one: Any, other: Any) -> None:
    """To the last bit: it was copied."""
    leaves = [tree_leaves(each.state_dict()) for each in (one, other)]
    for ours, theirs in zip(*leaves, strict=True):
        assert torch.equal(ours, theirs) if torch.is_tensor(ours) else ours == theirs


def run_until(made: Trainer, step: int) -> None:
    """As if Ctrl-C came during this step."""
    made._asked = lambda here, ended: made.step == step  # type: ignore[method-assign]
    made.run(None)


def test_going_on_with_other_data_is_refused(tmp_path: Path) -> None:
    made, _ = trainer(tmp_path)
    made.save()
    other, _ = trainer(tmp_path)
    other.batches.dataset = replace(
        other.batches.dataset, samples=other.batches.dataset.samples[:7]
    )
    with pytest.raises(InputError, match=r"have 7 photos to train on, none .* expected 8 photos"):
        other.restore(read_state(tmp_path))


def test_going_on_with_other_photos_to_measure_ap_on_is_refused(tmp_path: Path) -> None:
    made, _ = trainer(tmp_path, measured=4)
    made.save()
    other, _ = trainer(tmp_path, measured=5)
    state = read_state(tmp_path)
    with pytest.raises(InputError, match=r"on, 5 to measure AP on and 8 classes .* on, 4 to meas"):
        other.restore(state)
    del state["measured"]  # of a checkpoint from before it was stored
    other.restore(state)


def test_the_best_weights_are_those_of_the_best_evaluation(tmp_path: Path) -> None:
    found = iter([0.2, 0.5, 0.3])
    kept: list[dict[str, torch.Tensor]] = []

    def evaluate(net: nn.Module) -> Metrics:
        kept.append({k: v.clone() for k, v in net.state_dict().items()})
        return {"AP": next(found)}

    chosen = recipe()
    chosen = replace(chosen, schedule=replace(chosen.schedule, restart_epoch=99))
    made, notes = trainer(tmp_path, chosen)
    made.run(evaluate)
    assert [metrics["AP"] for metrics in notes.epochs] == [0.2, 0.5, 0.3]
    best = build_model("atto", 8)
    load_weights(best, tmp_path / BEST)
    for key, value in best.state_dict().items():
        assert torch.equal(value, kept[1][key]), key
    labels = read_metadata(tmp_path / BEST).labels
    assert labels is not None and labels[0] == "T-shirt"


def test_the_restart_goes_back_to_the_best_weights(tmp_path: Path) -> None:
    chosen = recipe()
    chosen = replace(
        chosen,
        schedule=replace(chosen.schedule, restart_epoch=2),
        ema=replace(chosen.ema, decay=0.5),
    )
    made, notes = trainer(tmp_path, chosen)
    found = iter([0.5, 0.2, 0.1])
    kept: list[dict[str, torch.Tensor]] = []
    before: list[dict[str, torch.Tensor]] = []

    def evaluate(net: nn.Module) -> Metrics:
        kept.append({k: v.clone() for k, v in net.state_dict().items()})
        return {"AP": next(found)}

    step = made._step

    def watched(batch: Any) -> dict[str, float]:
        before.append({k: v.clone() for k, v in made.net.state_dict().items()})
        return step(batch)

    made._step = watched  # type: ignore[method-assign]
    made.run(evaluate)
    for key, value in before[4].items():  # the first step of epoch 2
        assert torch.equal(value, kept[0][key]), key
    assert any("best weights so far (AP 0.5000)" in said for said in notes.said)


def test_without_evaluation_the_last_average_is_kept(tmp_path: Path) -> None:
    made, _ = trainer(tmp_path)
    made.run(None)
    best = build_model("atto", 8)
    load_weights(best, tmp_path / BEST)
    for key, value in best.state_dict().items():
        assert torch.equal(value, made.average.net.state_dict()[key]), key


def test_a_loss_that_is_no_number_stops_before_it_spoils_the_weights(tmp_path: Path) -> None:
    made, _ = trainer(tmp_path)
    with torch.no_grad():
        made.net.decoder.enc_bbox_head.layers[-1].bias.fill_(math.nan)  # type: ignore[operator]
    before = {name: value.clone() for name, value in made.net.encoder.state_dict().items()}
    with pytest.raises(CheckError, match="the loss is nan at step 0"):
        made.run(None)
    assert not (tmp_path / LAST).exists()
    for name, value in made.net.encoder.state_dict().items():
        if "running" not in name and "tracked" not in name:  # seen on the way to the loss
            assert torch.equal(value, before[name]), name


def test_a_full_disk_loses_nothing_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    made, _ = trainer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("deimv2.model.files.os.replace", full)
        with pytest.raises(InputError, match=r"no space left .* start again with another --out"):
            made.save()
    made.save()
    old = (tmp_path / LAST).read_bytes()
    monkeypatch.setattr("deimv2.model.files.os.replace", full)
    made.step = 1
    with pytest.raises(InputError, match=f"no space left .* continue with --resume {tmp_path}"):
        made.save()
    assert (tmp_path / LAST).read_bytes() == old
    assert not list(tmp_path.glob(f".{LAST}*"))


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "format"])
def test_a_damaged_state_is_refused(tmp_path: Path, damage: str) -> None:
    made, _ = trainer(tmp_path)
    made.save()
    path = tmp_path / LAST
    if damage == "format":
        torch.save({"format": checkpoint.FORMAT + 1}, path)
    else:
        content = {"truncated": path.read_bytes()[:1000], "empty": b"", "text": b"hello"}
        path.write_bytes(content[damage])
    with pytest.raises(
        InputError,
        match=f"format {checkpoint.FORMAT + 1}, expected" if damage == "format" else "damaged",
    ):
        read_state(tmp_path)


def test_groups_of_the_optimiser_follow_the_recipe() -> None:
    net, chosen = build_model("n"), RECIPES["n"]
    groups = optimizer(net, chosen).param_groups
    grouped = [parameter for group in groups for parameter in group["params"]]
    assert len(grouped) == len({id(p) for p in grouped}) == len(list(net.parameters()))
    settings = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }
    assert settings[id(net.backbone.stages[0].blocks[0].layers[0].conv.weight)] == (4e-4, 1e-4)  # type: ignore
    assert settings[id(net.decoder.enc_score_head.weight)] == (8e-4, 1e-4)
    assert settings[id(net.decoder.enc_score_head.bias)] == (8e-4, 0.0)


def test_images_without_objects_are_trained_on(tmp_path: Path) -> None:
    made, notes = trainer(tmp_path)
    empty = [
        replace(s, labels=s.labels[:0], boxes=s.boxes[:0]) for s in made.batches.dataset.samples
    ]
    made.batches.dataset = replace(made.batches.dataset, samples=empty)
    made.run(None)
    assert len(notes.losses()) == 6
    assert notes.losses()[-1] < notes.losses()[0]
    assert notes.steps[1]["l1"] == 0 and "denoising_mal" not in notes.steps[1]


@pytest.mark.parametrize("variant", ["femto", "n"])
def test_other_variants_learn_too(tmp_path: Path, variant: str) -> None:
    chosen = recipe(variant, epochs=1)
    made, notes = trainer(tmp_path, chosen, variant, side=256)
    before = {name: value.clone() for name, value in made.net.named_parameters()}
    made.run(None)
    same = [name for name, value in made.net.named_parameters() if torch.equal(value, before[name])]
    assert len(same) < 0.1 * len(before), same  # of quality estimators, which start at 0
    assert ("fgl" in notes.steps[1]) == (variant == "n")
    assert all(map(math.isfinite, notes.losses()))
