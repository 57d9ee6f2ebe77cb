"""Quantization-aware training: the ordinary training of a network that rounds.

Only the layers that round learn, and slowly: at the rate of a training, weights move by several
steps of int8 at a time. What stays in float was right before. The ranges stay those that it starts
with. The float network is the teacher and all that is learnt from; annotations are to measure by.
AP and the agreement with the float network are measured before the first step, too, and the weights
with the highest sum are kept.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deimv2.api.calibration import PHOTOS, find_ranges, method
from deimv2.model import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos
from deimv2.model.progress import Progress
from deimv2.model.weights import read_metadata, transfer_weights
from deimv2.quantization.distillation import Teacher
from deimv2.quantization.prepare import apply_ranges, freeze_float
from deimv2.quantization.restore import restore
from deimv2.quantization.rounding import round_weights

EPOCHS, MOST_EPOCHS = 2, 20
STEPS = 500  # that the epochs are to make, if none are asked for
LR = 3e-5
FINAL = 0.0


@dataclass(frozen=True)
class Rounding:
    """How a training rounds, as plain values.

    calibration: folder of photos to find the ranges on; None: those that are trained on
    share:       of the multiply-accumulates that are to stay in int8; None: all of the recipe's
    ranges:      None: the checkpoint's, or found
    float_blocks: that belong to the ranges
    """

    calibration: str | None = None
    calibration_photos: int = PHOTOS
    share: float | None = None
    ranges: Mapping[str, tuple[float, float]] | None = None
    float_blocks: Sequence[str] = ()

    def prepare(
        self, net: DEIMv2, weights: Path, photos: Sequence[Path], progress: Progress
    ) -> "Rounding":
        """Lets `net` round, in place; gives this with the ranges.

        weights: the file that it was loaded from. photos: those that are trained on.
        """
        known = self if self.ranges is not None else read_metadata(weights)
        ranges, float_blocks = known.ranges, known.float_blocks
        if ranges is None:
            seen = photos if self.calibration is None else find_photos(Path(self.calibration))
            how = method(self.share, progress)
            found = find_ranges(net, seen, self.calibration_photos, progress, how)
            ranges, float_blocks = found.ranges, found.float_blocks
        elif self.ranges is None and self.share is not None:
            raise InputError(
                f"'{weights}' says already what is in int8, so --int8-share chooses nothing; name "
                "float weights with --weights, or leave it out"
            )
        else:
            apply_ranges(net, ranges, float_blocks)
        freeze_float(net)
        round_weights(net)  # of what stays in float, as the files store it
        plain = {name: (low, high) for name, (low, high) in ranges.items()}
        return replace(self, ranges=plain, float_blocks=tuple(float_blocks))

    def save(
        self, write: Callable[..., None], average: DEIMv2, path: Path, names: tuple[str, ...]
    ) -> None:
        """Writes the average as a checkpoint of the common layout, with its ranges."""
        blocks = self.float_blocks
        write(restore(average), path, names, ranges=self.ranges, float_blocks=blocks)


def rounding_epochs(photos: int, batch: int) -> int:
    """EPOCHS, on few photos as many as make STEPS, but at most MOST_EPOCHS."""
    wanted = math.ceil(STEPS / max(1, photos // batch))
    return min(max(EPOCHS, wanted), MOST_EPOCHS)


def teacher_of(net: DEIMv2, weights: Path, names: Sequence[str], progress: Progress) -> Teacher:
    """What `net`, loaded from a file of weights, is to detect like: itself before it is prepared,
    or what the file was quantized from.

    names: the classes of `net`.
    """
    about = read_metadata(weights)
    if about.in_float is None:
        if about.ranges is not None:
            progress.log(
                f"the float weights that '{weights}' was quantized from are not here: the teacher "
                "is the same file without rounding"
            )
        return Teacher(net)
    net = build_model(net.variant.name, net.num_classes, net.image_size)
    transfer_weights(net, about.in_float, names)
    progress.log(f"teacher: '{about.in_float}' in float32")
    return Teacher(net)
