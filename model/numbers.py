"""What the numbers among the options may be, by the option's name."""

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import NamedTuple

from deimv2.model.errors import InputError

MOST_THREADS = 512  # runtimes make as many as they are asked for
LARGEST_SIDE = 2048  # beyond it, one attention map of a ViT variant takes gigabytes
LARGEST_SEED = 2**32 - 1  # a million times as much is still a seed of PyTorch's


class Kind(NamedTuple):
    """A kind of number: whether a value is one, and what to expect, in words."""

    holds: Callable[[object], bool]
    expected: str


def _whole(least: int, most: float = math.inf) -> Kind:
    def holds(value: object) -> bool:
        return (
            isinstance(value, Integral)
            and not isinstance(value, bool)
            and least <= int(value) <= most
        )

    return Kind(holds, f"a whole number from {least} {'on' if most == math.inf else f'to {most}'}")


def _real(holds: Callable[[float], bool], expected: str) -> Kind:
    return Kind(
        lambda value: (
            isinstance(value, Real) and not isinstance(value, bool) and holds(float(value))
        ),
        expected,
    )


COUNT = _whole(1)
THREADS = _whole(1, MOST_THREADS)
NATURAL = _whole(0)
SEED = _whole(0, LARGEST_SEED)
PIXELS = _whole(1, LARGEST_SIDE)
SHARE = _real(lambda value: 0 <= value <= 1, "0 to 1")
RATE = _real(lambda value: 0 < value < 1, "a learning rate, more than 0 and less than 1")
MINUTES = _real(lambda value: 0 <= value < 1e6, "minutes, 0 or more")
SIZE = Kind(
    lambda size: (
        PIXELS.holds(size)
        or (isinstance(size, list | tuple) and len(size) == 2 and all(map(PIXELS.holds, size)))
    ),
    f"a side or (height, width), in whole pixels up to {LARGEST_SIDE}",
)

KINDS = {
    "accumulate": COUNT,
    "batch": COUNT,
    "calibration_photos": COUNT,
    "columns": COUNT,
    "count": COUNT,
    "epochs": COUNT,
    "evaluate_every": COUNT,
    "final_lr": SHARE,
    "image_size": SIZE,
    "int8_share": SHARE,
    "kept": SHARE,
    "limit": COUNT,
    "lr": RATE,
    "patience": COUNT,
    "report_every": COUNT,
    "rounds": COUNT,
    "save_minutes": MINUTES,
    "seed": SEED,
    "side": COUNT,
    "threads": THREADS,
    "threshold": SHARE,
    "workers": NATURAL,
}


def require_numbers(**options: object) -> None:
    """Raises InputError for a number that its option cannot have. None leaves an option out;
    `threads` may be several; options that are not in KINDS are not looked at."""
    for name, given in options.items():
        if name not in KINDS or given is None:
            continue
        for value in given if name == "threads" and isinstance(given, list | tuple) else [given]:
            if not KINDS[name].holds(value):
                raise InputError(f"{name} is {value!r}, expected {KINDS[name].expected}")


def require_given(**options: object) -> None:
    """As `require_numbers`, but None is refused too."""
    for name, value in options.items():
        if name in KINDS and value is None:
            raise InputError(f"{name} is None, expected {KINDS[name].expected}")
    require_numbers(**options)


def height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) from one side of a square, or from both. Raises InputError for others."""
    require_numbers(image_size=size)
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return int(height), int(width)
