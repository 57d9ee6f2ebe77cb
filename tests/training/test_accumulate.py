"""A step of several batches is that of one so many times as large."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deimv2.api.recipe import recipe_of
from deimv2.api.training import TrainOptions
from deimv2.model.errors import InputError
from deimv2.tests.training.test_trainer import trainer
from deimv2.training.data.targets import Target


def step(
    folder: Path, accumulate: int, variant: str = "atto", most: tuple[int, ...] = (99,) * 4
) -> tuple[dict[str, float], Tensor]:
    """Losses and gradient of a first step on four photos, BatchNorm as in use. most: objects that
    each keeps."""
    side = {"atto": 160, "n": 256}[variant]
    made, _ = trainer(folder, variant=variant, side=side, accumulate=accumulate)
    for module in made.net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    batch = made.batches[0, 0]
    kept = [Target(t.labels[:n], t.boxes[:n]) for t, n in zip(batch.targets, most, strict=True)]
    losses = made._step(replace(batch, targets=kept))
    state: Any = made.optimizer.state_dict()["state"]
    return losses, torch.cat([each["exp_avg"].flatten() for _, each in sorted(state.items())])


@pytest.mark.parametrize("accumulate", [2, 4])
def test_parts_of_a_batch_give_its_losses_and_gradient(tmp_path: Path, accumulate: int) -> None:
    whole, expected = step(tmp_path / "whole", 1)
    parts, found = step(tmp_path / "parts", accumulate)
    assert parts == pytest.approx(whole, rel=1e-3)
    assert (found - expected).norm() < 0.02 * expected.norm() > 0


def test_regressed_pairs_of_other_parts_are_estimated(tmp_path: Path) -> None:
    """Their number follows from what is detected, which is not known yet for the parts to come.
    Here the second has nine times the objects of the first."""
    most = 1, 1, 9, 9
    whole, _ = step(tmp_path / "whole", 1, "n", most)
    parts, _ = step(tmp_path / "parts", 2, "n", most)
    assert parts["mal"] == pytest.approx(whole["mal"], rel=1e-3)
    for name in ("l1", "giou", "fgl"):
        assert parts[name] == pytest.approx(whole[name], rel=0.03), name


def test_parts_are_all_of_one_size(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="4 photos per step cannot be computed by 1 processes in 3"
    ):
        trainer(tmp_path, accumulate=3)


def test_the_recipe_is_that_of_the_larger_batch() -> None:
    given = {"variant": "atto", "weights": "coco", "epochs": 5}
    one = recipe_of(TrainOptions(**given, batch=32), False, 9000)
    assert recipe_of(TrainOptions(**given, batch=8, accumulate=4), False, 9000) == one
