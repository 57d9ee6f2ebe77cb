"""`deimv2 preview`: a contact sheet of augmented photos, as the network sees them."""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.counts import count, natural
from cli.data import add_data, read_train
from model.errors import InputError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from training.batches import Batches
    from training.recipes import Recipe
    from training.targets import Target

EXAMPLE = "example: deimv2 preview --data shelves --variant n --output sheet.jpg"
CELL = 240  # pixels of a photo's sides
BATCH = 3  # photos that MixUp and Copy-Blend change together


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "preview",
        help="see the augmented photos that a training would see",
        description="Writes a contact sheet with one row for each phase of the variant's recipe.",
        epilog=EXAMPLE,
    )
    add_data(parser, val=False)
    parser.add_argument("--variant", default="atto", metavar="NAME", help="default: atto")
    parser.add_argument("--columns", type=count, default=6, metavar="N", help="photos per phase")
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="default: 0")
    parser.add_argument("--output", type=Path, default=Path("preview.jpg"), metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def phases(recipe: "Recipe") -> dict[str, int]:
    """The first epoch of every phase, by the phase's name."""
    augment, mixing = recipe.augment, recipe.mixing
    found = {"plain": 0, "all augmentations": augment.epochs[0]}
    found["without Mosaic"] = augment.mosaic_epochs[1]
    if mixing is not None:
        found["without MixUp"] = mixing.mixup_epochs[1]
        found["without Copy-Blend"] = mixing.copyblend_epochs[1]
    found["plain at the end"] = augment.epochs[1]
    first: dict[int, str] = {}
    for name, epoch in found.items():
        first[epoch] = f"{first[epoch]}, {name}" if epoch in first else name
    return {name: epoch for epoch, name in sorted(first.items())}


def run(args: argparse.Namespace) -> int:
    from evaluation.draw import KINDS, save_picture
    from model.files import make_folder
    from model.variants import VARIANTS
    from training.recipes import RECIPES

    if args.variant not in VARIANTS:
        raise InputError(f"unknown variant '{args.variant}'; expected one of {', '.join(VARIANTS)}")
    if args.output.suffix.lower() not in KINDS:
        raise InputError(
            f"'{args.output}' ends in '{args.output.suffix}', expected .jpg or .png; rename it"
        )
    recipe = RECIPES[args.variant]
    dataset = read_train(args, console.log)
    schedule = replace(recipe.schedule, batch=min(BATCH, args.columns))
    rows = phases(recipe)
    with console.status("augmenting"):
        sheet = contact_sheet(dataset, replace(recipe, schedule=schedule), rows, args)
    make_folder(args.output.parent)
    save_picture(sheet, args.output)
    if args.json:
        console.print_json({"sheet": str(args.output), "rows": rows})
    else:
        for row, (name, epoch) in enumerate(rows.items(), 1):
            print(f"row {row}: from epoch {epoch} of {schedule.epochs}, {name}")
        print(args.output)
    return 0


def contact_sheet(
    dataset: Any, recipe: "Recipe", rows: dict[str, int], args: argparse.Namespace
) -> "Image.Image":
    from PIL import Image

    from model.variants import PLAIN, VARIANTS
    from training.batches import Batches

    side = VARIANTS[args.variant].image_size
    batches = Batches(dataset, recipe, (side, side), PLAIN, args.seed)
    sheet = Image.new("RGB", (CELL * args.columns, CELL * len(rows)))
    for row, epoch in enumerate(rows.values()):
        shown = itertools.islice(photos(batches, epoch), args.columns)
        for column, (image, target) in enumerate(shown):
            picture = drawn(image, target, dataset.names)
            sheet.paste(picture, (CELL * column, CELL * row))
    return sheet


def photos(batches: "Batches", epoch: int) -> "Iterator[tuple[Tensor, Target]]":
    """The photos of an epoch with their objects, batch after batch."""
    for step in itertools.count():
        batch = batches[epoch, step]
        yield from zip(batch.images, batch.targets, strict=True)


def drawn(image: "Tensor", target: "Target", names: tuple[str, ...]) -> "Image.Image":
    """A picture [3, H, W] in 0..1 with the boxes that are trained on it."""
    import numpy as np
    from PIL import Image

    from evaluation.draw import draw
    from model.detections import Detections
    from model.postprocess import corners

    pixels = (image.permute(1, 2, 0).numpy() * 255).round().clip(0, 255).astype(np.uint8)
    labels = target.labels.numpy().astype(np.int32)
    found = Detections(corners(target.boxes).numpy(), np.ones(len(labels), np.float32), labels)
    return draw(Image.fromarray(pixels).resize((CELL, CELL)), found, names, 0.0, scores=False)
