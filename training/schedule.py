"""The learning rate over the steps, and a recipe fitted to another length and batch."""

import math
from dataclasses import replace

from deimv2.training.recipes import Epochs, Recipe, Schedule

MAX_WARMUP = 0.05  # of all steps
MAX_MEMORY = 0.05  # of all steps, of the moving average: the recipes' own are 0.017 to 0.047
FEW = 2000  # photos to train on, below which a fine-tuning is one of few
FEW_LR = 0.7  # of the recipe's learning rate, whatever the batch


def factor(step: int, steps_per_epoch: int, c: Schedule) -> float:
    """What the learning rates are multiplied by: quadratic warm-up, flat, cosine, flat."""
    flat, tail = c.flat_epochs * steps_per_epoch, (c.epochs - c.tail_epochs) * steps_per_epoch
    if step < c.warmup_steps:
        return ((step + 1) / c.warmup_steps) ** 2
    if step < flat:
        return 1.0
    if step >= tail:
        return c.final
    return c.final + (1 - c.final) * (1 + math.cos(math.pi * (step - flat) / (tail - flat))) / 2


def fit(recipe: Recipe, epochs: int | None, batch: int | None, samples: int) -> Recipe:
    """The recipe for so many epochs and images per step: its phases keep their shares of the whole.

    Learning rates follow the root of the batch, as suits AdamW (arXiv 2205.10287). Warm-up and the
    memory of the moving average are shortened where they would take most of a short training.
    None keeps the recipe's own.
    """
    c, mixing, augment = recipe.schedule, recipe.mixing, recipe.augment
    epochs, batch = epochs or c.epochs, batch or c.batch
    scale, ratio = epochs / c.epochs, batch / c.batch
    steps = epochs * max(1, samples // batch)

    def moved(epoch: int) -> int:
        return round(epoch * scale)

    def window(pair: Epochs) -> Epochs:
        return moved(pair[0]), moved(pair[1])

    schedule = replace(
        c,
        epochs=epochs,
        flat_epochs=moved(c.flat_epochs),
        tail_epochs=moved(c.tail_epochs),
        warmup_steps=max(1, min(round(c.warmup_steps / ratio), round(MAX_WARMUP * steps))),
        restart_epoch=moved(c.restart_epoch),
        batch=batch,
    )
    memory = max(1.0, min(1 / ((1 - recipe.ema.decay) * ratio), MAX_MEMORY * steps))
    ema = replace(
        recipe.ema,
        decay=1 - 1 / memory,
        warmup_steps=max(1, round(recipe.ema.warmup_steps * (1 - recipe.ema.decay) * memory)),
    )
    return replace(
        recipe,
        schedule=schedule,
        ema=ema,
        mixing=mixing
        and replace(
            mixing,
            mixup_epochs=window(mixing.mixup_epochs),
            copyblend_epochs=window(mixing.copyblend_epochs),
        ),
        matching=replace(recipe.matching, change_epoch=moved(recipe.matching.change_epoch)),
        augment=replace(
            augment, epochs=window(augment.epochs), mosaic_epochs=window(augment.mosaic_epochs)
        ),
        optimizer=with_lr(recipe, recipe.optimizer.lr * math.sqrt(ratio)).optimizer,
    )


def with_lr(recipe: Recipe, lr: float) -> Recipe:
    """With another learning rate; the rules' own ones keep their ratio to it."""
    c = recipe.optimizer
    rules = tuple(
        rule if rule.lr is None else replace(rule, lr=rule.lr * lr / c.lr) for rule in c.rules
    )
    return replace(recipe, optimizer=replace(c, lr=lr, rules=rules))


def for_few(recipe: Recipe, own: Recipe) -> Recipe:
    """A fitted recipe for a fine-tuning on few photos. own: the variant's, before it was fitted.

    From playing cards (docs/training.md): more than the root of the batch allows, down to 0 at the
    end, and without denoising queries, whose time is better spent on more epochs.
    """
    recipe = with_lr(recipe, own.optimizer.lr * FEW_LR)
    return replace(
        recipe,
        schedule=replace(recipe.schedule, final=0.0),
        denoising=replace(recipe.denoising, queries=0),
    )
