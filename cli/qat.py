"""Quantization-aware training: the ordinary training of a network that rounds."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model import DEIMv2
    from training.trainer import Trainer

EPOCHS = 10
LR = 1e-4
FINAL = 0.0


def trainer(
    args: argparse.Namespace,
    net: "DEIMv2",
    photos: Sequence[Path],
    make: Callable[..., "Trainer"],
) -> "Trainer":
    """A trainer of `net`, prepared in place, with itself before as teacher.

    make: gives a trainer for the options, the function that saves, and further losses.
    The ranges are those of args (a training that goes on), of the checkpoint, or found on the
    photos; they stay fixed. What is kept as best is a checkpoint of the common layout with them.
    """
    from cli.ranges import find_ranges
    from cli.train import options_of
    from cli.weights import fetch
    from model.weights import read_ranges, save_weights
    from quantization.distillation import Teacher
    from quantization.prepare import apply_ranges
    from quantization.restore import restore

    args.no_amp = True  # rounding to steps needs float32
    teacher = Teacher(net)
    ranges = args.ranges or read_ranges(fetch(args.weights, args.variant))
    if ranges is None:
        ranges = find_ranges(net, photos, args.calibration_photos)
    else:
        apply_ranges(net, ranges)
    args.ranges = {name: list(ends) for name, ends in ranges.items()}  # kept for --resume

    def save(average: "DEIMv2", path: Path, names: tuple[str, ...]) -> None:
        save_weights(restore(average), path, names, ranges=ranges)

    made = make(options_of(args), save, teacher)
    teacher.watch(net)
    return made
