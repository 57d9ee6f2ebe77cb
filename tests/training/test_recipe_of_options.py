"""Which recipe a training has: the paper's, a fine-tuning's, or that of few photos."""

from typing import Any

import pytest

from deimv2.api.recipe import described, recipe_of
from deimv2.api.rounding import EPOCHS
from deimv2.api.training import TrainOptions
from deimv2.training.recipes import RECIPES
from deimv2.training.schedule import FEW


def recipe(samples: int, rounds: bool = False, **options: Any) -> Any:
    return recipe_of(TrainOptions(**{"variant": "atto"} | options), rounds, samples)


def numbers(found: Any) -> tuple[int, int, float, float, int]:
    c = found.schedule
    return c.epochs, c.batch, c.final, found.optimizer.lr, found.denoising.queries


@pytest.mark.parametrize("variant", ["atto", "n", "s"])
def test_few_photos_have_a_recipe_of_their_own(variant: str) -> None:
    own = RECIPES[variant]
    found = recipe(FEW - 1, variant=variant, weights="coco")
    assert numbers(found) == (40, 8, 0.0, pytest.approx(0.7 * own.optimizer.lr), 0)
    ratios = [
        {rule.lr / each.optimizer.lr for rule in each.optimizer.rules if rule.lr is not None}
        for each in (found, own)
    ]
    assert sorted(ratios[0]) == pytest.approx(sorted(ratios[1]))


def test_many_photos_have_the_papers_fitted() -> None:
    own = RECIPES["atto"]
    lr = pytest.approx(own.optimizer.lr * (16 / 128) ** 0.5)
    assert numbers(recipe(FEW, weights="coco")) == (60, 16, own.schedule.final, lr, 100)


def test_a_fresh_start_and_a_training_with_rounding_are_not_of_few() -> None:
    own = RECIPES["atto"]
    assert recipe(100, batch=128).schedule.epochs == own.schedule.epochs
    assert numbers(recipe(100))[4] == 100
    rounding = recipe(100, rounds=True, weights="demo", epochs=2, batch=16)
    assert (rounding.schedule.final, rounding.denoising.queries) == (own.schedule.final, 100)


@pytest.mark.parametrize(("samples", "epochs"), [(4000, EPOCHS), (1000, 4), (296, 14), (8, 20)])
def test_few_photos_are_seen_more_often_in_a_training_with_rounding(
    samples: int, epochs: int
) -> None:
    """For as many steps as two epochs of 2,000 make, within reason."""
    found = recipe(samples, rounds=True, weights="coco").schedule
    assert (found.epochs, found.batch) == (epochs, 8)
    assert recipe(samples, rounds=True, weights="coco", epochs=1).schedule.epochs == 1


def test_options_come_before_the_recipe() -> None:
    given = {"epochs": 7, "batch": 4, "lr": 1e-4, "final_lr": 0.5, "denoising": True}
    assert numbers(recipe(100, weights="coco", **given)) == (7, 4, 0.5, 1e-4, 100)
    assert numbers(recipe(FEW, weights="coco", denoising=False))[4] == 0


def test_what_will_run_is_said() -> None:
    line = described(recipe(296, weights="coco"), 1480, (320, 256))
    assert line == (
        "training: 40 epochs, 1,480 steps of 8 photos at 320x256 pixels, "
        "learning rate 0.0014 to 0, without denoising queries"
    )
    rounding = recipe(296, rounds=True, weights="coco", denoising=False)
    line = described(rounding, 518, (320, 320), rounds=True)
    assert line.startswith("training with rounding: 14 epochs, 51")
    line = described(recipe(100, variant="n"), 1, (320, 320))
    assert "learning rate 0.0008, with denoising" in line
