"""The recipe of a training: the paper's, changed as the options say, for so many photos."""

from dataclasses import replace
from typing import TYPE_CHECKING

from deimv2.api.rounding import rounding_epochs
from deimv2.model.errors import InputError
from deimv2.model.progress import Progress
from deimv2.model.words import plural
from deimv2.training.data.dataset import Dataset, smaller_than
from deimv2.training.recipes import RECIPES, Recipe
from deimv2.training.schedule import FEW, fit, for_few, with_lr

if TYPE_CHECKING:
    from deimv2.api.training import TrainOptions

FINE_TUNING_EPOCHS = 60
FINE_TUNING_BATCH = 16
FEW_EPOCHS, FEW_BATCH = 40, 8  # on fewer than FEW photos; the batch with rounding, too


def recipe_of(options: "TrainOptions", rounds: bool, samples: int) -> Recipe:
    """The paper's, changed as the options say. samples: photos to train on."""
    fresh, own = options.weights is None, RECIPES[options.variant]
    few = not fresh and not rounds and samples < FEW
    usual = FEW_BATCH if few or rounds else FINE_TUNING_BATCH
    batch = options.batch or (own.schedule.batch if fresh else min(usual, samples))
    batch *= options.accumulate
    if options.accumulate > 1 and batch > samples:
        raise InputError(
            f"a step of {batch} photos, expected no more than there are ({samples}); lower "
            "--accumulate or --batch"
        )
    epochs = options.epochs
    if epochs is None and rounds:
        epochs = rounding_epochs(samples, batch)
    elif epochs is None and not fresh:
        epochs = FEW_EPOCHS if few else FINE_TUNING_EPOCHS
    recipe = fit(own, epochs, batch, samples)
    if few:
        recipe = for_few(recipe, own)
    if options.lr is not None:
        recipe = with_lr(recipe, options.lr)
    if options.final_lr is not None:
        recipe = replace(recipe, schedule=replace(recipe.schedule, final=options.final_lr))
    if not (options.dense and options.augment):
        recipe = replace(recipe, mixing=None, augment=replace(recipe.augment, mosaic=0.0))
    if not options.augment:
        recipe = replace(recipe, augment=replace(recipe.augment, epochs=(0, 0)))
    if rounds:  # no restart: its best weights are in another layout than what trains
        schedule = replace(recipe.schedule, restart_epoch=recipe.schedule.epochs)
        recipe = replace(recipe, schedule=schedule)
    if options.denoising is not None:
        queries = own.denoising.queries if options.denoising else 0
        recipe = replace(recipe, denoising=replace(recipe.denoising, queries=queries))
    return recipe


def described(recipe: Recipe, steps: int, size: tuple[int, int], rounds: bool = False) -> str:
    """What will run, in a line. size: (H, W) of the input. rounds: while it trains."""
    c = recipe.schedule
    end = "" if c.final == 1 else f" to {recipe.optimizer.lr * c.final:.2g}"
    queries = recipe.denoising.queries
    training = "training with rounding" if rounds else "training"
    return (
        f"{training}: {plural(c.epochs, 'epoch')}, {plural(steps, 'step')} of "
        f"{plural(c.batch, 'photo')} at {size[0]}x{size[1]} pixels, "
        f"learning rate {recipe.optimizer.lr:.2g}{end}, "
        f"{'with' if queries else 'without'} denoising queries"
    )


def report_small(
    dataset: Dataset, size: tuple[int, int], min_side: int, progress: Progress
) -> None:
    """Says how many boxes the recipe drops for their size. Raises InputError if it drops all."""
    small, boxes = smaller_than(min_side, dataset, size)
    if not small:
        return
    line = (
        f"{small} of {boxes} boxes have a side below {min_side} pixels at the input size "
        f"{size[0]} x {size[1]} or in their photos, and this variant's recipe leaves them out; "
        "choose a larger --image-size, or variant n or larger"
    )
    if small == boxes:
        raise InputError(line)
    progress.log(f"data: {line}")
