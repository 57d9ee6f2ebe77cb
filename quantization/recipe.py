"""Which parts of the network compute in int8, and why the others do not."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """where: pattern of the names of layers; the first part that fits decides.

    What `deimv2 sensitivity --recipe` measures with this part alone in int8, Atto with the demo
    weights (docs/quantization.md): change, of AP in points; moved, the furthest box, in pixels.
    """

    where: str
    int8: bool
    reason: str
    change: float
    moved: float


RECIPE = (
    Part(r"backbone\.|encoder\.", True, "nine tenths of the work", +0.11, 3.5),
    Part(
        r"decoder\.layers\.\d+\.cross_attn\.", False,
        "says where to look: steps are pixels, more of them in larger images; little work",
        +0.01, 0.6,
    ),
    Part(r"decoder\.layers\.", True, "projections, gates, feed-forward networks", -0.02, 1.5),
    Part(
        r"decoder\.query_pos_head\.layers\.0", False,
        "boxes come in: steps are pixels; four inputs, no work", -0.02, 0.1,
    ),
    Part(r"decoder\.query_pos_head\.", True, "what they become has no unit", -0.03, 0.2),
    Part(
        r"decoder\.\w+_bbox_head\.(\d+\.)?layers\.[01]", True,
        "hidden layers: a quarter of the weights", -0.09, 1.5,
    ),
    Part(
        r"decoder\.", False,
        "boxes and scores come out: steps are pixels, or make ties", -0.34, 6.7,
    ),
)  # fmt: skip


def in_int8(layer: str) -> bool:
    """Whether a layer of this name computes in int8. Softmax, norms and sampling never do."""
    return decide(layer).int8


def decide(layer: str) -> Part:
    """The part of the recipe that a layer of this name belongs to."""
    return next(part for part in RECIPE if re.match(part.where, layer))
