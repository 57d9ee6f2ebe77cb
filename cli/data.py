"""The photos and annotations that commands are given."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cli import console
from cli.counts import count
from model.errors import InputError

if TYPE_CHECKING:
    from training.dataset import Dataset, Part


def add_data(parser: argparse.ArgumentParser, val: bool) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", type=Path, metavar="DIR",
        help="folder with train/ and val/ (or valid/), each with photos and one .json file, or "
        "laid out as COCO itself",
    )  # fmt: skip
    parts = {"": "to train on"} | ({"val-": "to measure AP on"} if val else {})
    for part, meaning in parts.items():
        data.add_argument(f"--{part}images", type=Path, metavar="DIR", help=f"photos {meaning}")
        data.add_argument(f"--{part}annotations", type=Path, metavar="FILE", help="their COCO file")


def add_annotated(parser: argparse.ArgumentParser) -> None:
    """Photos to measure AP on, where there are no others."""
    parser.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="folder of the annotated photos"
    )
    parser.add_argument(
        "--annotations", type=Path, required=True, metavar="FILE", help="COCO annotations (JSON)"
    )
    parser.add_argument(
        "--limit", type=count, metavar="N", help="only the first N photos; default: all"
    )


def read_train(args: argparse.Namespace, say: Callable[[str], None]) -> "Dataset":
    """The photos to train on, checked; what was found in them is said."""
    from training.dataset import read_dataset

    part = _part(args, "train", args.images, args.annotations)
    if part is None:
        where = (
            "--data DIR or --images and --annotations"
            if args.data is None
            else f"'{args.data}/train' with photos and one .json file"
        )
        raise InputError(f"no photos to train on, expected {where}; see --help")
    with console.status(f"reading {part.annotations}"):
        dataset, findings = read_dataset(part)
    for line in findings.lines():
        say(f"data: {line}")
    boxes = sum(len(sample.labels) for sample in dataset.samples)
    say(f"data: {len(dataset.samples)} photos, {boxes} boxes, {len(dataset.names)} classes")
    return dataset


def find_val(args: argparse.Namespace, say: Callable[[str], None]) -> "Part | None":
    """The photos to measure AP on, None without any."""
    part = _part(args, "val", args.val_images, args.val_annotations)
    if part is None:
        say("data: no 'val' part, so no AP is measured and the last average of the weights is kept")
    return part


def _part(
    args: argparse.Namespace, name: str, images: Path | None, annotations: Path | None
) -> "Part | None":
    from training.dataset import Part, find_part

    if images is not None and annotations is not None:
        return Part(images, annotations)
    if images is not None or annotations is not None:
        raise InputError("photos and annotations belong together; name both, or --data alone")
    return None if args.data is None else find_part(args.data, name)
