"""Weights: read from files, found by name, loaded, saved.

`sources` finds them, `files` reads, `keys` renames, `loading` puts them into a network, `saving`
writes ours, `random` makes some up.
"""

from deimv2.model.weights.files import read_checkpoint, read_noted
from deimv2.model.weights.keys import DERIVED, our_name, released_name
from deimv2.model.weights.loading import (
    class_count,
    guess_variant,
    load_backbone,
    load_weights,
    transfer_weights,
)
from deimv2.model.weights.random import random_state
from deimv2.model.weights.saving import CheckpointMetadata, read_metadata, save_weights

__all__ = [
    "DERIVED", "CheckpointMetadata", "class_count", "guess_variant", "load_backbone",
    "load_weights", "our_name", "random_state", "read_checkpoint", "read_metadata", "read_noted",
    "released_name", "save_weights", "transfer_weights",
]  # fmt: skip
