"""Networks with their weights: `demo`, `coco`, `random`, or of a file."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

from torch import Tensor

from deimv2.model.coco import COCO_LABELS
from deimv2.model.detector import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.files import sha256_of
from deimv2.model.labels import known_names, read_labels_file
from deimv2.model.variants import variant_of
from deimv2.model.weights.files import read_checkpoint
from deimv2.model.weights.loading import open_net, variant_in
from deimv2.model.weights.places import DEMO, fetch
from deimv2.model.weights.random import random_state
from deimv2.model.weights.saving import CheckpointMetadata, read_metadata
from deimv2.model.words import plural

AUTO = "auto"  # the variant of the weights
BY_NAME = (None, "none", "demo", "coco", "random")
DEMO_SOURCE = "demo: trained on garments of Fashion-MNIST on photographs"


@dataclass(frozen=True)
class Loaded:
    """A net in eval mode with its class names, and what the manifest says of its weights.

    about: what the checkpoint says of itself; of one that was quantized, the ranges, and the
    weights before, where they are there. notes: what was chosen in the file and taken off names.
    """

    net: DEIMv2
    labels: tuple[str, ...]
    source: str
    sha256: str
    about: CheckpointMetadata = field(default_factory=CheckpointMetadata)
    notes: tuple[str, ...] = ()


def default(variant: str) -> str:
    """The demo weights where the variant has them, else random ones."""
    file = DEMO / f"{_variant_by_name(variant, None)}.safetensors"
    return "demo" if file.is_file() else "random"


def chosen(weights: str | PathLike[str] | None, variant: str) -> str:
    """The given weights, or the variant's default."""
    return default(variant) if weights is None else str(weights)


def load(
    variant: str,
    weights: str,
    labels: Path | Sequence[str] | None,
    image_size: int | tuple[int, int] | None,
    ranges: bool = False,
) -> Loaded:
    """The network of a variant with its weights and class names.

    variant: AUTO stands for that of the weights, as in `chosen_variant`. labels: the class names or
    a file of them; None for those of the weights. ranges: take the demo weights that were trained
    for int8, if the variant has them.

    Raises InputError for weights that are missing or do not fit, or labels of another number.
    """
    variant = _variant_by_name(variant, weights)
    if variant != AUTO:
        variant_of(variant)  # refuses an unknown one before anything is fetched
    if weights == "random":
        return _random(variant, labels, image_size)
    path = fetch(weights, variant)
    trained = DEMO / f"{variant}-int8.safetensors"
    if weights == "demo" and ranges and trained.is_file():
        path = trained
    net, about, notes = open_net(path, None if variant == AUTO else variant, image_size)
    source = {"coco": net.variant.hub, "demo": DEMO_SOURCE}.get(weights, path.name)
    if path == trained:
        about = replace(about, in_float=DEMO / f"{variant}.safetensors")
    names = _names(labels, about.labels, net.num_classes, weights)
    return Loaded(net, names, source, sha256_of(path), about, tuple(notes))


def chosen_variant(variant: str, weights: str | PathLike[str] | None) -> str:
    """The variant; for "auto" that of the weights, and "atto" for those by name.

    Raises InputError for a file whose tensors fit none.
    """
    variant = _variant_by_name(variant, weights)
    if variant != AUTO:
        return variant
    path = fetch(str(weights), variant)
    return variant_in(read_checkpoint(path), path)


def _variant_by_name(variant: str, weights: str | PathLike[str] | None) -> str:
    """The variant; AUTO if only the tensors of a file can tell."""
    named = weights if weights is None else str(weights)
    return "atto" if variant == AUTO and named in BY_NAME else variant


def origin(weights: str, variant: str) -> Path | None:
    """The file of float weights for a quantized checkpoint to name; None for random weights."""
    if weights == "random":
        return None
    path = fetch(weights, variant)
    return read_metadata(path).in_float or path


def _random(
    variant: str, labels: Path | Sequence[str] | None, image_size: int | tuple[int, int] | None
) -> Loaded:
    names = tuple(read_labels_file(labels) if isinstance(labels, Path) else labels or COCO_LABELS)
    net = build_model(variant, len(names), image_size)
    state = random_state(net)
    net.load_state_dict(state)
    source = "random: a reproducible rule, not trained, detects nothing meaningful"
    return Loaded(net.eval(), names, source, state_sha256(state))


def _names(
    labels: Path | Sequence[str] | None, stored: list[str] | None, count: int, weights: str
) -> tuple[str, ...]:
    if labels is not None and not isinstance(labels, Path):
        if len(labels) != count:
            raise InputError(
                f"'{weights}' has {plural(count, 'class', 'classes')}, expected {len(labels)}, as "
                "there are names; name other weights"
            )
        return tuple(labels)
    names = known_names(count, labels, stored)
    if names is None:
        raise InputError(
            f"'{weights}' has {plural(count, 'class', 'classes')} and carries no names for them; "
            "add --labels FILE with one name per line"
        )
    return tuple(names)


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and bytes of the tensors, in the order of their names."""
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(key.encode() + b"\0" + state[key].numpy().tobytes())
    return digest.hexdigest()
