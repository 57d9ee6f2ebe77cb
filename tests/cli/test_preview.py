"""`preview` shows what a training would see: a row for each phase, batch beside batch."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deimv2.api.previewing import BATCH, CELL, phases, preview
from deimv2.api.recipe import recipe_of
from deimv2.api.training import TrainOptions
from deimv2.model import build_model
from deimv2.model.variants import PLAIN, VARIANTS
from deimv2.model.weights import save_weights
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.cli.exports import hashes
from deimv2.tests.training.scenes import few
from deimv2.training.data.batches import Batches
from deimv2.training.data.dataset import read_dataset
from deimv2.training.data.layouts import Part
from deimv2.training.recipes import RECIPES


@pytest.fixture
def part(tmp_path: Path) -> Part:
    return few(tmp_path / "set" / "train", 9)


def batches(part: Part, variant: str, mixed: bool = True) -> Batches:
    recipe = RECIPES[variant]
    recipe = replace(recipe, schedule=replace(recipe.schedule, batch=BATCH))
    recipe = recipe if mixed else replace(recipe, mixing=None)
    side = VARIANTS[variant].image_size
    return Batches(read_dataset(part)[0], recipe, (side, side), PLAIN)


def cells(path: Path) -> np.ndarray:
    """Rows and columns of pictures [R, C, CELL, CELL, 3]."""
    sheet = np.asarray(Image.open(path))
    rows, columns = sheet.shape[0] // CELL, sheet.shape[1] // CELL
    assert sheet.shape == (rows * CELL, columns * CELL, 3)
    return sheet.reshape(rows, CELL, columns, CELL, 3).swapaxes(1, 2)


def picture(image: torch.Tensor) -> np.ndarray:
    pixels = np.asarray(image.permute(1, 2, 0) * 255).round().astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((CELL, CELL)))


def alike(cell: np.ndarray, other: np.ndarray) -> bool:
    """But for what is drawn on one of them."""
    return bool((cell == other).all(axis=2).mean() > 0.5)


def test_a_sheet_has_a_row_for_each_phase(capsys: Capture, tmp_path: Path, part: Part) -> None:
    sheet = tmp_path / "new" / "sheet.jpg"
    data = ["--data", part.images.parent, "--weights", "none"]
    lines = output(capsys, "preview", *data, "--columns", 2, "--output", sheet).splitlines()
    assert lines == [
        "row 1: from epoch 1 of 500, plain",
        "row 2: from epoch 5 of 500, all augmentations",
        "row 3: from epoch 251 of 500, without Mosaic",
        "row 4: from epoch 401 of 500, plain at the end",
        str(sheet),
    ]
    assert cells(sheet).shape[:2] == (4, 2)


def test_a_sheet_as_json(capsys: Capture, tmp_path: Path, part: Part) -> None:
    sheet = tmp_path / "sheet.png"
    given = ["--images", part.images, "--annotations", part.annotations, "--columns", 1]
    given += ["--variant", "n", "--weights", "none"]
    found = json.loads(output(capsys, "preview", *given, "--output", sheet, "--json"))
    rows = {
        "plain": 0,
        "all augmentations": 4,
        "without Mosaic, without MixUp, without Copy-Blend": 78,
        "plain at the end": 148,
    }
    assert found == {"sheet": str(sheet), "rows": rows, "epochs": 160}
    assert cells(sheet).shape[:2] == (4, 1)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"epochs": 9, "image_size": (64, 96), "batch": 4},
        {"weights": "none", "dense": False},
        {"augment": False, "variant": "n"},
    ],
)
def test_the_phases_are_those_of_the_training(given: dict[str, Any], part: Part) -> None:
    sheet = part.images / "sheet.jpg"
    shown = preview(data=part.images.parent, output=sheet, columns=1, **given)
    fresh = given.get("weights") == "none"
    recipe = recipe_of(TrainOptions(**given | {"weights": None if fresh else "coco",
                       "variant": given.get("variant", "atto")}), False, 9)  # fmt: skip
    assert (shown.rows, shown.epochs) == (phases(recipe), recipe.schedule.epochs)
    assert len(cells(sheet)) == len(shown.rows)


def test_the_variant_is_that_of_the_weights(part: Part) -> None:
    """And so the recipe, as `train` has it."""
    save_weights(build_model("n", 1), weights := part.images.parent / "own.safetensors", ["a"])
    shown = preview(
        data=part.images.parent, output=part.images / "sheet.jpg", columns=1, weights=weights
    )
    assert shown.rows == phases(recipe_of(TrainOptions(variant="n", weights="coco"), False, 9))


def test_a_training_without_augmentation_has_one_phase() -> None:
    recipe = recipe_of(TrainOptions(variant="n", weights="coco", augment=False), False, 9)
    assert phases(recipe) == {"plain": 0}
    recipe = recipe_of(TrainOptions(variant="atto", weights="coco", dense=False), False, 900)
    assert list(phases(recipe)) == ["all augmentations but Mosaic", "plain at the end"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_phase_starts_where_the_recipe_says(variant: str) -> None:
    recipe, rows = RECIPES[variant], phases(RECIPES[variant])
    assert list(rows.values()) == sorted(set(rows.values()))
    by_name = {name: epoch for names, epoch in rows.items() for name in names.split(", ")}
    assert by_name["all augmentations"] == recipe.augment.epochs[0]
    assert by_name["plain at the end"] == recipe.augment.epochs[1]
    assert ("without MixUp" in by_name) == (recipe.mixing is not None)


def test_a_row_is_made_of_the_first_batches_of_its_epoch(
    capsys: Capture, tmp_path: Path, part: Part
) -> None:
    sheet, columns = tmp_path / "sheet.png", 8
    options = ["--variant", "n", "--weights", "none", "--columns", columns, "--output", sheet]
    output(capsys, "preview", "--data", part.images.parent, *options)
    shown, made, unmixed = cells(sheet), batches(part, "n"), batches(part, "n", mixed=False)
    for row, epoch in enumerate(phases(RECIPES["n"]).values()):
        for column in range(columns):
            step, place = divmod(column, BATCH)
            assert alike(shown[row, column], picture(made[epoch, step].images[place]))
    changed = [not torch.equal(made[4, step].images, unmixed[4, step].images) for step in range(12)]
    assert set(changed) == {True, False}  # mixed batches beside others


def test_boxes_are_drawn_where_the_targets_are(capsys: Capture, tmp_path: Path, part: Part) -> None:
    sheet = tmp_path / "sheet.png"
    options = ["--weights", "none", "--columns", 3, "--output", sheet]
    output(capsys, "preview", "--data", part.images.parent, *options)
    batch = batches(part, "atto")[0, 0]
    for cell, image, target in zip(cells(sheet)[0], batch.images, batch.targets, strict=True):
        drawn = (cell != picture(image)).any(axis=2)
        near = np.zeros_like(drawn)
        for x, y, w, h in (target.boxes.numpy() * CELL).tolist():
            left, right = round(x - w / 2), round(x + w / 2)
            top, bottom = round(y - h / 2), round(y + h / 2)
            column = drawn[max(top, 0) : bottom, max(left - 1, 0) : left + 2]  # within a pixel
            row = drawn[min(bottom, CELL - 1) - 1 : bottom + 2, max(left, 0) : right]
            assert column.any(axis=1).mean() > 0.9
            assert row.any(axis=0).mean() > 0.9
            near[max(0, top - 20) : bottom + 3, max(0, left - 100) : right + 100] = True
        assert len(target.boxes)
        assert not drawn[~near].any()


def test_the_seed_decides(capsys: Capture, tmp_path: Path, part: Part) -> None:
    made = []
    for i, seed in enumerate((0, 0, 1)):
        made.append(tmp_path / f"{i}.png")
        options = ["--columns", 1, "--seed", seed, "--output", made[-1]]
        output(capsys, "preview", "--data", part.images.parent, *options)
    contents = [path.read_bytes() for path in made]
    assert contents[0] == contents[1] != contents[2]


def test_what_cannot_be_shown_is_one_line(capsys: Capture, tmp_path: Path, part: Part) -> None:
    data = ["preview", "--data", part.images.parent]
    message = complaint(capsys, *data, "--output", tmp_path / "new" / "sheet.gif")
    assert "sheet.gif' ends in '.gif', expected .png or .jpg or .jpeg" in message
    assert not (tmp_path / "new").exists()
    assert "unknown variant 'tiny'" in complaint(capsys, *data, "--variant", "tiny")
    assert "no photos to train on" in complaint(capsys, "preview")
    assert "no folder at" in complaint(capsys, "preview", "--data", tmp_path / "none")
    assert "'0' is not a count" in complaint(capsys, *data, "--columns", 0)


def test_photos_of_the_data_set_are_not_written_over(
    capsys: Capture, tmp_path: Path, part: Part
) -> None:
    val = few(tmp_path / "set" / "val", 2)
    before = hashes(tmp_path)
    given = ["preview", "--data", tmp_path / "set", "--output"]
    for images in (part.images, val.images):
        photo = min(images.glob("*.jpg"))
        assert f"'{photo}' is a photo of the data set" in complaint(capsys, *given, photo)
    assert hashes(tmp_path) == before
    for _ in range(2):
        output(capsys, *given, tmp_path / "set" / "sheet.jpg", "--columns", 1)
