"""Weights: read from files, found by name, loaded, saved.

`places` says where they lie, `files` reads, `keys` renames, `loading` puts them into a network,
`saving` writes ours, `random` makes some up, and `sources` does it all.
"""

from typing import TYPE_CHECKING

from deimv2.model.later import later

if TYPE_CHECKING:
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

# As in `deimv2.model`: `places` does not need PyTorch.
__getattr__ = later(
    __name__,
    {
        "read_checkpoint": "deimv2.model.weights.files",
        "read_noted": "deimv2.model.weights.files",
        "DERIVED": "deimv2.model.weights.keys",
        "our_name": "deimv2.model.weights.keys",
        "released_name": "deimv2.model.weights.keys",
        "class_count": "deimv2.model.weights.loading",
        "guess_variant": "deimv2.model.weights.loading",
        "load_backbone": "deimv2.model.weights.loading",
        "load_weights": "deimv2.model.weights.loading",
        "transfer_weights": "deimv2.model.weights.loading",
        "random_state": "deimv2.model.weights.random",
        "CheckpointMetadata": "deimv2.model.weights.saving",
        "read_metadata": "deimv2.model.weights.saving",
        "save_weights": "deimv2.model.weights.saving",
    },
)
