"""Which parts of the network compute in int8, and why the others do not."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """where: pattern of the names of layers; the first part that fits decides."""

    where: str
    int8: bool
    reason: str


RECIPE = (
    Part(r"backbone\.|encoder\.", True, "convolutions and projections: nine tenths of the work"),
    Part(r"decoder\.layers\.\d+\.cross_attn\.", False, "says where to look: a step is pixels"),
    Part(r"decoder\.layers\.", True, "projections, gates and feed-forward networks"),
    Part(r"decoder\.query_pos_head\.layers\.0", False, "boxes come in: a step is pixels"),
    Part(r"decoder\.query_pos_head\.", True, "what they become has no unit"),
    Part(r"decoder\.\w+_bbox_head\.(\d+\.)?layers\.[01]", True, "hidden: quarter of the weights"),
    Part(r"decoder\.", False, "boxes and scores come out: a step is pixels, or makes ties"),
)


def in_int8(layer: str) -> bool:
    """Whether a layer of this name computes in int8. Softmax, norms and sampling never do."""
    return decide(layer).int8


def decide(layer: str) -> Part:
    """The part of the recipe that a layer of this name belongs to."""
    return next(part for part in RECIPE if re.match(part.where, layer))
