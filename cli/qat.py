"""Quantization-aware training: the ordinary training of a network that rounds."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model import DEIMv2
    from training.trainer import Trainer

EPOCHS = 10
LR = 1e-4
FINAL = 0.0
OBSERVED = (0.25, 0.5)  # shares of the training after which ranges are found anew


def trainer(
    args: argparse.Namespace,
    net: "DEIMv2",
    photos: Sequence[Path],
    make: Callable[..., "Trainer"],
    save: Callable[..., None],
) -> "Trainer":
    """A trainer of `net`, prepared in place, with itself before as teacher.

    make: gives a trainer for the options and what it is to do besides. save: writes a checkpoint.
    What is kept as best is one of the common layout with its ranges. The first ranges are those of
    args (a training that goes on), of the checkpoint, or found on the photos.
    """
    from cli.ranges import find_ranges
    from cli.train import options_of
    from cli.weights import fetch
    from model.images import find_photos
    from model.weights import read_ranges
    from quantization.distillation import Teacher
    from quantization.prepare import apply_ranges

    args.no_amp = True  # rounding to steps needs float32
    teacher = Teacher(net)
    photos = photos if args.calibration is None else find_photos(args.calibration)
    first = args.ranges or read_ranges(fetch(args.weights, args.variant))
    if first is None:
        first = find_ranges(net, photos, args.calibration_photos)
    else:
        apply_ranges(net, first)
    ranges = Ranges(photos, args.calibration_photos, plain(first), save)
    args.ranges = ranges.found
    made = make(options_of(args), ranges.save, teacher, ranges.observe)
    teacher.watch(net)
    return made


def plain(ranges: Mapping[str, tuple[float, float]]) -> Mapping[str, tuple[float, float]]:
    """As a checkpoint of a training holds them."""
    return {name: (low, high) for name, (low, high) in ranges.items()}


class Ranges:
    """Those of a network in training: found anew while it is young, frozen from then on."""

    def __init__(
        self,
        photos: Sequence[Path],
        most: int,
        found: Mapping[str, tuple[float, float]],
        save: Callable[..., None],
    ) -> None:
        self.photos, self.most, self.found, self.write = photos, most, found, save

    def observe(self, trainer: "Trainer") -> None:
        """Where it is due, gives net and average the ranges that the average asks for."""
        from cli.ranges import find_ranges
        from quantization.calibrate import observe
        from quantization.prepare import set_ranges

        due = [round(share * trainer.steps) for share in OBSERVED]
        if trainer.step == 0 or trainer.step not in due:
            return
        average, world = trainer.average.net, trainer.world
        found = find_ranges(average, self.photos, self.most, observe) if world.leads else {}
        self.found = plain(world.share(found))
        for net in (trainer.net, average):
            set_ranges(net, self.found)
        trainer.options.about["ranges"] = self.found  # kept for --resume
        end = ", and frozen" if trainer.step == due[-1] else ""
        trainer.journal.say(f"int8 ranges found anew at step {trainer.step}{end}")

    def save(self, average: "DEIMv2", path: Path, names: tuple[str, ...]) -> None:
        """The average as a checkpoint of the common layout, with its ranges."""
        from quantization.restore import restore

        self.write(restore(average), path, names, ranges=self.found)
