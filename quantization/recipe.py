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
    Part(r"encoder\.layer\.self_attn\.", False, "small, and its softmax needs float"),
    Part(r"backbone\.|encoder\.", True, "convolutions: nine tenths of the work"),
    Part(r"decoder\.layers\.\d+\.ffn\.", True, "the decoder's largest products"),
    Part(r"decoder\.", False, "boxes and scores: a step of int8 is several pixels"),
)


def in_int8(layer: str) -> bool:
    """Whether a layer of this name computes in int8."""
    return next(part.int8 for part in RECIPE if re.match(part.where, layer))
