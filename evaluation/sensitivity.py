"""What int8 costs, part by part: one part rounds while all others compute in float."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from model import DEIMv2
from quantization.rounding import Bound, RoundedConv, RoundedLinear, Rounder

FLOAT, ALL = "nothing", "everything"
# A part is a stage, a block of the encoder, or a layer of the decoder.
PART = re.compile(r"(backbone\.stages\.\d+|decoder\.layers\.\d+|[^.]+\.[^.]+|[^.]+)")


@dataclass(frozen=True)
class Row:
    """part: what rounds. layers: of it, with int8 weights. value: what was measured then."""

    part: str
    layers: int
    value: float

    def to_json(self) -> dict[str, Any]:
        return {"part": self.part, "layers": self.layers, "value": self.value}


def part_of(name: str) -> str:
    found = PART.match(name)
    assert found is not None
    return found.group()


def switches(net: DEIMv2) -> Iterator[tuple[str, RoundedConv | RoundedLinear | Rounder | Bound]]:
    """Everything that rounds in a prepared network, with the part it belongs to."""
    for name, module in net.named_modules():
        if isinstance(module, RoundedConv | RoundedLinear | Bound):
            yield part_of(name), module
        elif isinstance(module, Rounder):
            yield part_of(module.name), module


@contextmanager
def rounding(net: DEIMv2, part: str) -> Iterator[None]:
    """Only `part` rounds, or FLOAT, or ALL."""
    for name, module in switches(net):
        module.on = part in (name, ALL)
    try:
        yield
    finally:
        for _, module in switches(net):
            module.on = True


def sensitivity(
    net: DEIMv2,
    measure: Callable[[DEIMv2], float],
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> list[Row]:
    """Measures a prepared network in float, with each part alone in int8, and with all of them."""
    layers = [name for name, m in switches(net) if isinstance(m, RoundedConv | RoundedLinear)]
    parts = list(dict.fromkeys(name for name, _ in switches(net)))
    rows = []
    for part in progress([FLOAT, *parts, ALL]):
        count = len(layers) if part == ALL else layers.count(part)
        with rounding(net, part):
            rows.append(Row(part, count, measure(net)))
    return rows
