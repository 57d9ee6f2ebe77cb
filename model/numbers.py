"""What the numbers among the options may be, by the option's name."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import NamedTuple

from deimv2.model.errors import InputError

MOST_THREADS = 512  # runtimes make as many as they are asked for
LARGEST_SIDE = 2048  # beyond it, one attention map of a ViT variant takes gigabytes
LARGEST_SEED = 2**32 - 1  # a million times as much is still a seed of PyTorch's


class Kind(NamedTuple):
    holds: Callable[[object], bool]
    expected: str


def _whole(least: int) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
    )


def _real(holds: Callable[[float], bool]) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, Real) and not isinstance(value, bool) and holds(float(value))
    )


COUNT = Kind(_whole(1), "a whole number from 1 on")
THREADS = Kind(
    lambda value: COUNT.holds(value) and value <= MOST_THREADS,  # type: ignore[operator]
    f"a whole number from 1 to {MOST_THREADS}",
)
NATURAL = Kind(_whole(0), "a whole number from 0 on")
SEED = Kind(
    lambda value: NATURAL.holds(value) and value <= LARGEST_SEED,  # type: ignore[operator]
    f"a whole number from 0 to {LARGEST_SEED}",
)
SHARE = Kind(_real(lambda value: 0 <= value <= 1), "0 to 1")
RATE = Kind(_real(lambda value: 0 < value < 1), "a learning rate, more than 0 and less than 1")
PIXELS = Kind(
    lambda value: COUNT.holds(value) and value <= LARGEST_SIDE,  # type: ignore[operator]
    f"a whole number from 1 to {LARGEST_SIDE}",
)
SIZE = Kind(
    lambda size: (
        PIXELS.holds(size)
        or (isinstance(size, list | tuple) and len(size) == 2 and all(map(PIXELS.holds, size)))
    ),
    f"a side or (height, width), in whole pixels up to {LARGEST_SIDE}",
)
MINUTES = Kind(_real(lambda value: 0 <= value < 1e6), "minutes, 0 or more")

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
    """As `require_numbers`, of options that None does not leave out."""
    for name, value in options.items():
        if name in KINDS and value is None:
            raise InputError(f"{name} is None, expected {KINDS[name].expected}")
    require_numbers(**options)


def height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Of a side, or of both."""
    require_numbers(image_size=size)
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return int(height), int(width)
