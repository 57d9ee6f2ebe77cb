"""The learning rate over a training, and recipes fitted to trainings of other lengths."""

from dataclasses import asdict

import pytest

from deimv2.tests.training.test_recipes import variants
from deimv2.training.recipes import RECIPES, Schedule
from deimv2.training.schedule import factor, fit, with_lr

COCO = 118287
ATTO, N = RECIPES["atto"], RECIPES["n"]


def numbers(value: object, where: str = "") -> dict[str, object]:
    """Every number of a recipe, by its place."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = dict(enumerate(value)).items()
    else:
        return {where: value}
    return {k: v for key, part in parts for k, v in numbers(part, f"{where}.{key}").items()}


def test_the_rate_warms_up_stays_falls_and_stays() -> None:
    c, steps = ATTO.schedule, 924  # per epoch of COCO
    assert factor(0, steps, c) == pytest.approx(1 / 4000**2)
    assert factor(1999, steps, c) == pytest.approx(0.25)
    assert factor(3999, steps, c) == factor(4000, steps, c) == 1
    assert factor(250 * steps - 1, steps, c) == factor(250 * steps, steps, c) == 1
    assert factor(250 * steps + 1, steps, c) < 1
    assert factor((250 + 468) // 2 * steps, steps, c) == pytest.approx(0.75)
    assert 0.5 < factor(468 * steps - 1, steps, c) < 0.5001
    assert factor(468 * steps, steps, c) == factor(500 * steps - 1, steps, c) == 0.5


def test_the_rate_never_rises_after_the_warmup() -> None:
    c = Schedule(20, 10, 2, warmup_steps=30, restart_epoch=18, batch=1, final=0.1)
    rates = [factor(step, 10, c) for step in range(200)]
    assert rates[:30] == sorted(set(rates[:30])) and rates[29:] == sorted(rates[29:], reverse=True)
    assert rates[-21] > rates[-20] == rates[-1] == 0.1


def test_the_flat_phase_may_last_to_the_tail() -> None:
    c = Schedule(4, 2, 2, warmup_steps=1, restart_epoch=3, batch=1)
    assert [factor(step, 1, c) for step in range(4)] == [1, 1, 0.5, 0.5]


def test_n_stays_at_its_rate_to_the_end() -> None:
    steps = COCO // 32
    places = (2000, 78 * steps, 147 * steps, 148 * steps, 160 * steps - 1)
    assert {factor(step, steps, N.schedule) for step in places} == {1.0}


@variants
def test_a_recipe_fitted_to_what_it_was_made_for_is_itself(variant) -> None:
    recipe = RECIPES[variant]
    for fitted in (
        fit(recipe, None, None, COCO),
        fit(recipe, recipe.schedule.epochs, recipe.schedule.batch, COCO),
    ):
        wanted = numbers(asdict(recipe))
        found = numbers(asdict(fitted))
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            if isinstance(value, float):
                assert found[key] == pytest.approx(value, rel=1e-9), key
            else:
                assert found[key] == value and type(found[key]) is type(value), key


@variants
@pytest.mark.parametrize("epochs", [12, 50, 1000])
def test_phases_keep_their_shares(variant, epochs) -> None:
    recipe = RECIPES[variant]
    fitted = fit(recipe, epochs, None, COCO)
    scale = epochs / recipe.schedule.epochs
    phases = [
        (fitted.schedule.flat_epochs, recipe.schedule.flat_epochs),
        (fitted.schedule.tail_epochs, recipe.schedule.tail_epochs),
        (fitted.schedule.restart_epoch, recipe.schedule.restart_epoch),
        (fitted.matching.change_epoch, recipe.matching.change_epoch),
        *zip(fitted.augment.epochs, recipe.augment.epochs, strict=True),
        *zip(fitted.augment.mosaic_epochs, recipe.augment.mosaic_epochs, strict=True),
    ]
    if recipe.mixing and fitted.mixing:
        phases += zip(fitted.mixing.mixup_epochs, recipe.mixing.mixup_epochs, strict=True)
        phases += zip(fitted.mixing.copyblend_epochs, recipe.mixing.copyblend_epochs, strict=True)
    assert fitted.schedule.epochs == epochs
    for moved, own in phases:
        assert abs(moved - own * scale) <= 0.5


def test_another_batch_moves_the_rate_by_its_root_and_keeps_the_images_of_warmup_and_memory() -> (
    None
):
    fitted = fit(N, None, 128, COCO)
    assert fitted.schedule.batch == 128
    assert fitted.optimizer.lr == pytest.approx(2 * 8e-4)
    assert fitted.optimizer.rules[0].lr == pytest.approx(2 * 4e-4)
    assert fitted.optimizer.rules[1].lr is None
    assert fitted.schedule.warmup_steps == 500
    assert 1 / (1 - fitted.ema.decay) == pytest.approx(2500)
    assert fitted.ema.warmup_steps == 250
    assert fit(N, None, 8, COCO).optimizer.lr == pytest.approx(4e-4)


def test_short_trainings_warm_up_and_remember_for_less() -> None:
    fitted = fit(ATTO, 20, 8, 400)  # 1000 steps
    assert fitted.schedule.warmup_steps == 50
    assert 1 / (1 - fitted.ema.decay) == pytest.approx(50)
    assert fitted.ema.warmup_steps == 5


@variants
@pytest.mark.parametrize("samples", [1, 7, 100])
@pytest.mark.parametrize("epochs", range(1, 11))
def test_the_shortest_trainings_have_a_rate_at_every_step(variant, samples, epochs) -> None:
    fitted = fit(RECIPES[variant], epochs, 4, samples)
    assert fitted.schedule.warmup_steps >= 1 and fitted.ema.warmup_steps >= 1
    assert 0 <= fitted.ema.decay < 1
    steps = max(1, samples // 4)
    for step in range(epochs * steps):
        assert 0 < factor(step, steps, fitted.schedule) <= 1


@variants
def test_another_rate_keeps_the_ratios_and_all_else(variant) -> None:
    recipe = RECIPES[variant]
    changed = with_lr(recipe, 3 * recipe.optimizer.lr)
    wanted, found = numbers(asdict(recipe)), numbers(asdict(changed))
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        if key.endswith(".lr") and value is not None:
            assert found[key] == pytest.approx(3 * value)
        else:
            assert found[key] == value
