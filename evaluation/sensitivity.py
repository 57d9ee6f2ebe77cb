"""What int8 costs, part by part: one part rounds while all others compute in float."""

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from deimv2.model import DEIMv2
from deimv2.model.layers import QuantPoint
from deimv2.quantization.prepare import Chosen
from deimv2.quantization.recipe import RECIPE, Part, decide, in_int8
from deimv2.quantization.rounding import Clamp, FakeQuantize, RoundedConv, RoundedLinear

FLOAT, ALL = "nothing", "everything"
ToInt8 = Callable[[DEIMv2, Chosen], None]  # prepares a network with ranges, in place
Measure = Callable[[DEIMv2], tuple[float, float]]  # gives value and moved of a row
# A part is a stage, a block of the encoder, or a layer of the decoder.
PART = re.compile(r"(backbone\.stages\.\d+|decoder\.layers\.\d+|[^.]+\.[^.]+|[^.]+)")


@dataclass(frozen=True)
class Row:
    """part: what rounds. layers: of it, with int8 weights. value: what was measured then.
    moved: how far a box was from where it is in float, in pixels, where that was measured."""

    part: str
    layers: int
    value: float
    moved: float | None = None

    def to_json(self) -> dict[str, Any]:
        moved = {} if self.moved is None else {"moved": self.moved}
        return {"part": self.part, "layers": self.layers, "value": self.value} | moved


def part_of(name: str) -> str:
    """The part that a module of this name belongs to."""
    found = PART.match(name)
    assert found is not None
    return found.group()


def switches(
    net: DEIMv2,
) -> Iterator[tuple[str, RoundedConv | RoundedLinear | FakeQuantize | Clamp]]:
    """Everything that rounds in a prepared network, with the part it belongs to."""
    for name, module in net.named_modules():
        if isinstance(module, RoundedConv | RoundedLinear | Clamp):
            yield part_of(name), module
        elif isinstance(module, FakeQuantize):
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


def recipe_costs(
    net: DEIMv2,
    to_int8: ToInt8,
    measure: Measure,
    progress: Callable[[Sequence[Part]], Iterable[Part]] = iter,
) -> list[Row]:
    """Measures a float network, then each part of the recipe alone in int8, even those that it
    leaves in float, and last the recipe as a whole."""

    def row(name: str, chosen: Chosen, enclosed: Part | None = None) -> Row:
        rounds = copy.deepcopy(net)
        if enclosed is not None:
            enclose(rounds, enclosed)
        to_int8(rounds, chosen)
        layers = sum(isinstance(m, RoundedConv | RoundedLinear) for m in rounds.modules())
        return Row(name, layers, *measure(rounds))

    rows = [Row(FLOAT, 0, *measure(net))]
    for part in progress(RECIPE):
        chosen = partial(_belongs, part)
        rows.append(row(part.where, chosen, None if part.int8 else part))
    return [*rows, row(ALL, in_int8)]


def _belongs(part: Part, layer: str) -> bool:
    return decide(layer) is part


def enclose(net: DEIMv2, part: Part) -> None:
    """Gives each linear layer of a part, in place, points of its own before and behind."""
    for name, layer in list(net.named_modules()):
        if isinstance(layer, nn.Linear) and decide(name) is part:
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, Enclosed(layer))


class Enclosed(nn.Module):
    """A linear layer, packed or not, between two points."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.before, self.layer, self.after = QuantPoint(), layer, QuantPoint()

    def forward(self, x: Tensor, *rows: slice) -> Tensor:
        return self.after(self.layer(self.before(x), *rows))
