"""Every training number of the released configurations is in our table, as it is there."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deimv2.model import VARIANTS
from deimv2.model.variants import HGNet
from deimv2.tests.model.golden import KEYS, REFERENCE
from deimv2.training.recipes import RECIPES, Recipe

RELEASED: dict[str, dict[str, Any]] = json.loads((REFERENCE / "released_configs.json").read_text())
variants = pytest.mark.parametrize("variant", VARIANTS)

# Where a number stands there -> what ours is.
NUMBERS: dict[str, Callable[[Recipe], object]] = {
    "DEIMCriterion.weight_dict.loss_mal": lambda r: r.losses.mal,
    "DEIMCriterion.weight_dict.loss_bbox": lambda r: r.losses.l1,
    "DEIMCriterion.weight_dict.loss_giou": lambda r: r.losses.giou,
    "DEIMCriterion.weight_dict.loss_fgl": lambda r: r.losses.fgl,
    "DEIMCriterion.weight_dict.loss_ddf": lambda r: r.losses.ddf,
    "DEIMCriterion.losses": lambda r: ["mal", "boxes"] + ["local"] * r.losses.local,
    "DEIMCriterion.use_uni_set": lambda r: r.losses.local,
    "DEIMCriterion.gamma": lambda r: r.losses.gamma,
    "DEIMCriterion.matcher.weight_dict.cost_class": lambda r: r.matching.label,
    "DEIMCriterion.matcher.weight_dict.cost_bbox": lambda r: r.matching.l1,
    "DEIMCriterion.matcher.weight_dict.cost_giou": lambda r: r.matching.giou,
    "DEIMCriterion.matcher.alpha": lambda r: r.matching.alpha,
    "DEIMCriterion.matcher.gamma": lambda r: r.matching.gamma,
    "DEIMCriterion.matcher.change_matcher": lambda r: True,
    "DEIMCriterion.matcher.iou_order_alpha": lambda r: r.matching.iou_power,
    "DEIMCriterion.matcher.matcher_change_epoch": lambda r: r.matching.change_epoch,
    "DEIMTransformer.num_denoising": lambda r: r.denoising.queries,
    "DEIMTransformer.label_noise_ratio": lambda r: r.denoising.label_noise,
    "DEIMTransformer.box_noise_scale": lambda r: r.denoising.box_noise,
    "optimizer.lr": lambda r: r.optimizer.lr,
    "optimizer.betas": lambda r: list(r.optimizer.betas),
    "optimizer.weight_decay": lambda r: r.optimizer.decay,
    "clip_max_norm": lambda r: r.optimizer.clip_norm,
    "epoches": lambda r: r.schedule.epochs,
    "flat_epoch": lambda r: r.schedule.flat_epochs,
    "no_aug_epoch": lambda r: r.schedule.tail_epochs,
    "warmup_iter": lambda r: r.schedule.warmup_steps,
    "lr_gamma": lambda r: r.schedule.final,
    "total_batch_size": lambda r: r.schedule.batch,
    "train_collate.stop_epoch": lambda r: r.schedule.restart_epoch,
    "ema.decay": lambda r: r.ema.decay,
    "ema.warmups": lambda r: r.ema.warmup_steps,
    "ema.start": lambda r: 0,
    "train_collate.ema_restart_decay": lambda r: r.ema.decay,
    "Mosaic.rotation_range": lambda r: r.augment.rotation,
    "Mosaic.translation_range": lambda r: list(r.augment.translation),
    "Mosaic.scaling_range": lambda r: list(r.augment.scaling),
    "Mosaic.probability": lambda r: 1.0,  # of those that `mosaic_prob` lets through
    "Mosaic.fill_value": lambda r: r.augment.fill,
    "Mosaic.use_cache": lambda r: r.augment.cache > 0,
    "Mosaic.max_cached_images": lambda r: r.augment.cache,
    "Mosaic.random_pop": lambda r: True,
    "train_transforms.mosaic_prob": lambda r: r.augment.mosaic,
    "train_transforms.policy.epoch": lambda r: [
        r.augment.epochs[0],
        r.augment.mosaic_epochs[1],
        r.augment.epochs[1],
    ],
    "RandomPhotometricDistort.p": lambda r: r.augment.colours,
    "RandomZoomOut.fill": lambda r: r.augment.fill,
    "RandomIoUCrop.p": lambda r: r.augment.crop,
    "SanitizeBoundingBoxes.min_size": lambda r: r.augment.min_side,
    "train_collate.base_size_repeat": lambda r: r.augment.scale_repeats,
    "train_collate.mixup_prob": lambda r: r.mixing.mixup if r.mixing else 0.0,
    "train_collate.copyblend_prob": lambda r: r.mixing.copyblend if r.mixing else 0.0,
}
# The same for variants that mix; the others' numbers have no effect.
MIXING: dict[str, Callable[[Recipe], object]] = {
    "train_collate.mixup_epochs": lambda r: list(r.mixing.mixup_epochs),
    "train_collate.copyblend_epochs": lambda r: list(r.mixing.copyblend_epochs),
    "train_collate.area_threshold": lambda r: r.mixing.min_area,
    "train_collate.num_objects": lambda r: r.mixing.objects,
    "train_collate.with_expand": lambda r: True,
    "train_collate.expand_ratios": lambda r: list(r.mixing.expand),
}
# What else is there, and why it is not in the table. The architecture has tests of its own.
ELSEWHERE = {
    r"DEIM\.|HGNetv2|DINOv3STAs|LiteEncoder|HybridEncoder|DEIMTransformer|PostProcessor": "model",
    r"DEIMCriterion\.alpha": "of another label loss, VFL, which no variant uses",
    r"DEIMCriterion\.reg_max": "bins of the architecture",
    r"optimizer\.params": "its own test",
    r"eval_spatial_size|val_transforms|Resize\.size|Mosaic\.output_size|train_collate\.base_size":
        "its own test",
    r"Normalize\.": "its own test",
    r"ConvertPILImage|ConvertBoxes": "how boxes and images are handed on",
    r"train_transforms\.policy\.(name|ops)": "documented at Augment",
    r"lrsheduler|lr_warmup_scheduler": "the flat-cosine schedule, which replaces this warm-up",
    r"use_ema": "always",
}  # fmt: skip


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf below a configuration; transforms go by their names alone."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from () if key == "type" else numbers(inner, f"{path}.{key}".strip("."))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for i, inner in enumerate(value):
            yield from numbers(inner, inner.get("type", f"{path}.{i}"))
    else:
        yield path, value


@variants
def test_every_number_is_the_released_one(variant) -> None:
    recipe = RECIPES[variant]
    table = NUMBERS | (MIXING if recipe.mixing else {})
    seen = set()
    for path, value in numbers(RELEASED[variant]):
        if path in table:
            assert table[path](recipe) == value, path
            seen.add(path)
        else:
            known = path in MIXING or any(re.match(p, path) for p in ELSEWHERE)
            assert known, f"{path} = {value} is neither in the table nor explained"
    # the release leaves this out where it is on
    missing = table.keys() - seen
    assert missing == ({"DEIMCriterion.use_uni_set"} if recipe.losses.local else set())


@variants
def test_every_parameter_gets_the_released_rate_and_decay(variant) -> None:
    """By the released patterns, applied to the released names."""
    optimizer = RELEASED[variant]["optimizer"]
    buffers = ("running_mean", "running_var", "num_batches_tracked", "anchors", "valid_mask")
    spared = 0
    for name in KEYS[variant]:
        if name.endswith(buffers):
            continue
        groups = [g for g in optimizer["params"] if re.search(g["params"], name)]
        assert len(groups) <= 1, name
        group = optimizer | (groups[0] if groups else {})
        settings = RECIPES[variant].optimizer.settings(name)
        assert settings == (group["lr"], group["weight_decay"]), name
        spared += settings[1] == 0
    assert spared > 10


@variants
def test_sizes_follow_from_the_variant(variant) -> None:
    side, augment = VARIANTS[variant].image_size, RECIPES[variant].augment
    config = RELEASED[variant]
    sizes = dict(numbers(config))
    assert sizes["Resize.size"] == config["eval_spatial_size"] == [side, side]
    assert sizes["train_collate.base_size"] == side
    assert sizes["Mosaic.output_size"] == augment.tile * side


@variants
def test_images_are_normalised_as_the_variant_says(variant) -> None:
    found = dict(numbers(RELEASED[variant]))
    net = VARIANTS[variant]
    if isinstance(net.backbone, HGNet):
        assert "Normalize.mean" not in found
    else:
        assert found["Normalize.mean"] == list(net.mean)
        assert found["Normalize.std"] == list(net.std)


@variants
def test_phases_are_in_order(variant) -> None:
    recipe = RECIPES[variant]
    schedule, augment = recipe.schedule, recipe.augment
    for first, last in (augment.epochs, augment.mosaic_epochs):
        assert 0 <= first < last <= schedule.restart_epoch
    assert augment.mosaic_epochs[1] < recipe.matching.change_epoch < schedule.epochs
    assert schedule.restart_epoch <= schedule.epochs - schedule.tail_epochs
