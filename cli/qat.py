"""Quantization-aware training: the ordinary training of a network that rounds.

Only the layers that round learn, and slowly: at the rate of a training, weights move by several
steps of int8 at a time. What stays in float was right before. The ranges stay those that it starts
with. AP is measured before the first step, and the best is kept, so it is never worse.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli import console

if TYPE_CHECKING:
    from model import DEIMv2
    from training.trainer import Trainer

EPOCHS = 2
LR = 1e-5
FINAL = 0.0


def defaults(args: argparse.Namespace) -> None:
    """Fills in what was not said."""
    from cli.weights import fetch
    from model.weights import read_image_size

    args.epochs = args.epochs or EPOCHS
    args.lr = args.lr or LR
    args.final_lr = FINAL if args.final_lr is None else args.final_lr
    args.output = args.output or Path("runs") / f"{args.variant}-int8"
    args.image_size = args.image_size or read_image_size(fetch(args.weights, args.variant))
    if args.data is None and args.images is None and args.calibration is not None:
        annotate(args)
    epochs = "1 epoch" if args.epochs == 1 else f"{args.epochs} epochs"
    console.log(f"training with rounding: {epochs}, learning rate {args.lr:g} to {args.final_lr:g}")


def annotate(args: argparse.Namespace) -> None:
    """Photos alone: the float network is all that is learnt from, and what it detects on a fifth of
    them is what AP is measured by."""
    from cli.train import require_fresh
    from cli.weights import load
    from model.files import make_folder
    from model.images import find_photos
    from training.pseudo import annotate

    require_fresh(args.output)
    loaded = load(args.variant, args.weights, args.labels, args.image_size)
    make_folder(args.output)
    train, val = annotate(
        loaded.net,
        find_photos(args.calibration),
        loaded.labels,
        args.output,
        lambda paths: console.track(paths, "detecting in float"),
    )
    args.images, args.annotations, args.annotated = train.images, train.annotations, False
    if args.val_images is None and args.val_annotations is None:
        args.val_images, args.val_annotations = val.images, val.annotations
        console.log(
            "no annotations: AP is that of float32's detections above 0.3, on a fifth of the photos"
        )


def trainer(
    args: argparse.Namespace,
    net: "DEIMv2",
    photos: Sequence[Path],
    make: Callable[..., "Trainer"],
    save: Callable[..., None],
) -> "Trainer":
    """A trainer of `net`, prepared in place, with itself before as teacher.

    make: gives a trainer for the options and what it is to do besides. save: writes a checkpoint.
    What is kept as best is one of the common layout with its ranges. The ranges are those of args
    (a training that goes on), of the checkpoint, or found on the photos.
    """
    from cli.ranges import find_ranges
    from cli.train import options_of
    from cli.weights import fetch, origin
    from model.images import find_photos
    from model.weights import read_ranges
    from quantization.distillation import Teacher
    from quantization.prepare import apply_ranges, freeze_float
    from quantization.rounding import round_weights

    args.no_amp = True  # rounding to steps needs float32
    teacher = Teacher(net)
    photos = photos if args.calibration is None else find_photos(args.calibration)
    ranges = args.ranges or read_ranges(fetch(args.weights, args.variant))
    if ranges is None:
        ranges = find_ranges(net, photos, args.calibration_photos)
    else:
        apply_ranges(net, ranges)
    freeze_float(net)
    round_weights(net)  # of what stays in float, as the files store it
    args.ranges = {name: (low, high) for name, (low, high) in ranges.items()}
    save = partial(save, in_float=origin(args.weights, args.variant))
    made = make(options_of(args), partial(restored, args.ranges, save), teacher)
    teacher.watch(net)
    return made


def restored(
    ranges: Mapping[str, tuple[float, float]],
    save: Callable[..., None],
    average: "DEIMv2",
    path: Path,
    names: tuple[str, ...],
) -> None:
    """Saves the average as a checkpoint of the common layout, with its ranges."""
    from quantization.restore import restore

    save(restore(average), path, names, ranges=ranges)
