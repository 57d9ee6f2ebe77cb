"""Which parts of the network compute in int8, and why the others do not."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """where: pattern of the names of layers; the first part that fits decides.

    What each costs alone, `deimv2 sensitivity --recipe` measures (docs/quantization.md).
    """

    where: str
    int8: bool
    reason: str


RECIPE = (
    Part(r"backbone\.|encoder\.", True, "nine tenths of the work"),
    Part(
        r"decoder\.layers\.\d+\.cross_attn\.", False,
        "says where to look: steps are pixels, more of them in larger images; little work",
    ),
    Part(r"decoder\.layers\.", False, "attention among few queries, gates: AP, and little work"),
    Part(r"decoder\.query_pos_head\.", False, "where queries are: steps are pixels; no work"),
    Part(
        r"decoder\.\w+_bbox_head\.(\d+\.)?layers\.[01]", False,
        "hidden layers of boxes: a point of AP for a hundredth of the work",
    ),
    Part(
        r"decoder\.", False,
        "boxes and scores come out: steps are pixels, or make ties",
    ),
)  # fmt: skip


def in_int8(layer: str) -> bool:
    """Whether a layer of this name computes in int8. Softmax, norms and sampling never do."""
    return decide(layer).int8


def outside(blocks: Iterable[str]) -> Callable[[str], bool]:
    """As `in_int8`, but the layers of these blocks stay in float."""
    inside = tuple(f"{block}." for block in blocks)
    return lambda layer: in_int8(layer) and not layer.startswith(inside)


def decide(layer: str) -> Part:
    """The part of the recipe that a layer of this name belongs to."""
    return next(part for part in RECIPE if re.match(part.where, layer))
