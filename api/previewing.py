"""A contact sheet of augmented photos, as the network sees them while it trains."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from deimv2.api.data import part_to_measure, read_train
from deimv2.api.options import Pathish, takes
from deimv2.api.recipe import recipe_of
from deimv2.api.training import TrainOptions
from deimv2.model.detections import Detections
from deimv2.model.drawing import KINDS, draw, save_picture
from deimv2.model.errors import InputError
from deimv2.model.files import make_folder, require_target
from deimv2.model.numbers import height_and_width
from deimv2.model.postprocess import corners
from deimv2.model.progress import SILENT, Progress
from deimv2.model.variants import PLAIN, variant_of
from deimv2.model.weights.sources import AUTO, chosen_variant
from deimv2.training.data.batches import Batches
from deimv2.training.data.dataset import Dataset
from deimv2.training.data.targets import Target
from deimv2.training.recipes import Recipe

CELL = 240  # pixels of a photo's sides
BATCH = 3  # photos that MixUp and Copy-Blend change together


@dataclass(frozen=True, kw_only=True)
class PreviewOptions:
    """columns: photos per phase of the recipe
    output:  the picture, .jpg or .png

    All others are those of `TrainOptions`, and what is shown is what `train` would do with them.
    Of weights the variant alone is read: "none" stands for a fresh start, all else for a
    fine-tuning.
    """

    data: Pathish | None = None
    variant: str = AUTO
    weights: Pathish | None = None
    images: Pathish | None = None
    annotations: Pathish | None = None
    epochs: int | None = None
    batch: int | None = None
    image_size: int | tuple[int, int] | None = None
    dense: bool = True
    augment: bool = True
    columns: int = 6
    seed: int = 0
    output: Pathish = "preview.jpg"
    progress: Progress = SILENT

    def training(self) -> TrainOptions:
        """The same ones of a training, which has no weights for a fresh start."""
        same = {each.name for each in fields(TrainOptions)} & {each.name for each in fields(self)}
        shared = {name: getattr(self, name) for name in same - {"output", "progress"}}
        return TrainOptions(**shared | {"weights": None if str(self.weights) == "none" else "coco"})


@dataclass(frozen=True)
class Preview:
    """rows: the first epoch of each row of the sheet, from 0, by the phase's name. epochs: of the
    whole training."""

    sheet: Path
    rows: dict[str, int]
    epochs: int

    def to_json(self) -> dict[str, Any]:
        return {"sheet": str(self.sheet), "rows": self.rows, "epochs": self.epochs}


@takes(PreviewOptions)
def preview(options: PreviewOptions) -> Preview:
    """Writes a contact sheet of augmented photos, a row for each phase of the training.

    Raises InputError for data or weights that cannot be read or an output of another kind.
    """
    output = Path(options.output)
    require_target(output, list(KINDS), "--output")
    dataset = read_train(options, options.progress)
    variant = variant_of(chosen_variant(options.variant, options.weights))
    options = replace(options, variant=variant.name)
    require_no_photo(output, dataset, options)
    recipe = recipe_of(options.training(), False, len(dataset.samples))
    rows = phases(recipe)
    schedule = replace(recipe.schedule, batch=min(BATCH, options.columns))
    size = height_and_width(options.image_size or variant.image_size)
    with options.progress.status("augmenting"):
        shown = replace(recipe, schedule=schedule)
        batches = Batches(dataset, shown, size, PLAIN, options.seed)
        sheet = contact_sheet(dataset, batches, rows, options.columns)
    make_folder(output.parent)
    save_picture(sheet, output)
    return Preview(output, rows, recipe.schedule.epochs)


def require_no_photo(output: Path, dataset: Dataset, options: PreviewOptions) -> None:
    """Raises InputError where the sheet would take the place of one of the data set's photos."""
    if not output.exists():
        return
    place = output.resolve()
    val = part_to_measure(options.data)
    trained = any(place == sample.path.resolve() for sample in dataset.samples)
    pieces = () if val is None else val.pieces
    if trained or any(place.is_relative_to(each.images.resolve()) for each in pieces):
        raise InputError(
            f"--output '{output}' is a photo of the data set, expected another file, as it would "
            "be replaced; name another"
        )


def phases(recipe: Recipe) -> dict[str, int]:
    """The first epoch of every phase that the training has, by the phase's name."""
    augment, mixing, last = recipe.augment, recipe.mixing, recipe.schedule.epochs
    start, end = augment.epochs
    if start >= end:
        return {"plain": 0}
    found = {"plain": 0} if start else {}
    found["all augmentations" if augment.mosaic else "all augmentations but Mosaic"] = start
    if augment.mosaic:
        found["without Mosaic"] = augment.mosaic_epochs[1]
    if mixing is not None:
        found["without MixUp"] = mixing.mixup_epochs[1]
        found["without Copy-Blend"] = mixing.copyblend_epochs[1]
    found["plain at the end"] = end
    first: dict[int, str] = {}
    for name, epoch in found.items():
        if epoch < last:
            first[epoch] = f"{first[epoch]}, {name}" if epoch in first else name
    return {name: epoch for epoch, name in sorted(first.items())}


def contact_sheet(
    dataset: Dataset, batches: Batches, rows: dict[str, int], columns: int
) -> Image.Image:
    sheet = Image.new("RGB", (CELL * columns, CELL * len(rows)))
    for row, epoch in enumerate(rows.values()):
        shown = itertools.islice(photos(batches, epoch), columns)
        for column, (image, target) in enumerate(shown):
            picture = drawn(image, target, dataset.names)
            sheet.paste(picture, (CELL * column, CELL * row))
    return sheet


def photos(batches: Batches, epoch: int) -> Iterator[tuple[Tensor, Target]]:
    """The photos of an epoch with their objects, batch after batch."""
    for step in itertools.count():
        batch = batches[epoch, step]
        yield from zip(batch.images, batch.targets, strict=True)


def drawn(image: Tensor, target: Target, names: tuple[str, ...]) -> Image.Image:
    """A picture [3, H, W] in 0..1 with the boxes that are trained on it."""
    pixels = (image.permute(1, 2, 0).numpy() * 255).round().clip(0, 255).astype(np.uint8)
    labels = target.labels.numpy().astype(np.int32)
    found = Detections(corners(target.boxes).numpy(), np.ones(len(labels), np.float32), labels)
    return draw(Image.fromarray(pixels).resize((CELL, CELL)), found, names, 0.0, scores=False)
