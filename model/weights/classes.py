"""Class heads for other classes than those that the weights were trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor


def rows_for(
    count: int, old_count: int, names: Sequence[str] | None, old_names: Sequence[str] | None
) -> list[int]:
    """The old class whose row each new one starts from.

    That of the same name, without regard to case, where both have names; else one of the rest,
    spread evenly, and each once as long as there are enough. A row that was trained tells objects
    from the background already, and different rows tell classes apart sooner than equal ones.
    """
    known = {name.casefold(): i for i, name in enumerate(old_names or ())}
    chosen = [known.get(name.casefold()) for name in names or [""] * count]
    taken = set(chosen)
    rest = [i for i in range(old_count) if i not in taken] or list(range(old_count))
    missing = chosen.count(None)
    step = max(1.0, len(rest) / max(1, missing))
    spread = (rest[int(i * step) % len(rest)] for i in range(missing))
    return [next(spread) if row is None else row for row in chosen]


def shared(names: Sequence[str] | None, old_names: Sequence[str] | None) -> int:
    """How many of the classes both have, by name."""
    known = {name.casefold() for name in old_names or ()}
    return sum(name.casefold() in known for name in names or ())


def with_rows(value: Tensor, rows: Sequence[int], old_count: int) -> Tensor:
    """The tensor of a class head for the classes whose rows these are. What follows the old
    classes' rows (denoising has one for no class) stays behind them."""
    return torch.cat([value[list(rows)], value[old_count:]])
