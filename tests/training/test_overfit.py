"""The whole of it: a network that is shown eight scenes again and again finds what is in them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deimv2.evaluation.measure import measurement
from deimv2.model import build_model
from deimv2.tests.training.scenes import few
from deimv2.tests.training.test_trainer import ALONE, Notes
from deimv2.training.data.batches import Batches
from deimv2.training.data.dataset import read_dataset
from deimv2.training.recipes import ATTO
from deimv2.training.schedule import fit, with_lr
from deimv2.training.trainer import Options, Trainer

STEPS, SIDE = 220, 160


@pytest.mark.long
def test_eight_scenes_are_learnt_by_heart(tmp_path: Path) -> None:
    part = few(tmp_path / "data", 8)
    dataset, _ = read_dataset(part)
    torch.manual_seed(0)
    net = build_model("atto", len(dataset.names), SIDE)
    recipe = with_lr(fit(ATTO, STEPS, 8, 8), 2e-3)
    recipe = replace(
        recipe,
        schedule=replace(recipe.schedule, final=0.0),
        augment=replace(recipe.augment, epochs=(0, 0)),
        denoising=replace(recipe.denoising, queries=0),
    )
    batches = Batches(dataset, recipe, net.image_size, (net.variant.mean, net.variant.std))
    options = Options(workers=0, evaluate_every=STEPS)
    trainer = Trainer(net, dataset.names, recipe, batches, tmp_path, ALONE, Notes(), options)
    trainer.run(measurement(part, dataset.names))
    assert trainer.best.ap > 0.9
