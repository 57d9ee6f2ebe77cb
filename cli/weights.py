"""Where weights come from: `demo`, `coco`, `random`, or a file."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.labels import read_labels_file
from model import build_model, load_weights
from model.coco import COCO_LABELS
from model.errors import InputError
from model.files import sha256_of
from model.hub import fetch_checkpoint
from model.variants import VARIANTS
from model.weights import (
    class_count,
    random_state,
    read_checkpoint,
    read_image_size,
    read_in_float,
    read_labels,
    read_photos,
    read_ranges,
)

if TYPE_CHECKING:
    from torch import Tensor

    from model import DEIMv2

DEMO = Path(__file__).parents[1] / "model" / "demo"  # a file for each variant that has one
DEMO_SOURCE = "demo: trained on garments of Fashion-MNIST on photographs"


@dataclass(frozen=True)
class Loaded:
    """A net in eval mode with its class names, and what the manifest says of its weights.

    ranges: of its activations in int8, where the checkpoint was quantized. photos: the folder that
    it was validated or calibrated on, in_float: the weights that were quantized, where the
    checkpoint names some that are there.
    """

    net: "DEIMv2"
    labels: tuple[str, ...]
    source: str
    sha256: str
    ranges: Mapping[str, tuple[float, float]] | None = None
    photos: Path | None = None
    in_float: Path | None = None


def default(variant: str) -> str:
    """The demo weights where the variant has them, else random ones."""
    return "demo" if (DEMO / f"{variant}.safetensors").is_file() else "random"


def load(
    variant: str,
    weights: str,
    labels: Path | None,
    image_size: tuple[int, int] | None,
    ranges: bool = False,
) -> Loaded:
    """ranges: of the demo weights, those that were trained for int8, where there are any.

    Raises InputError for weights that are missing or do not fit, or labels of another number.
    """
    if variant not in VARIANTS:
        raise InputError(f"unknown variant '{variant}', expected one of {', '.join(VARIANTS)}")
    if weights == "random":
        return _random(variant, labels, image_size)
    path = fetch(weights, variant)
    trained = DEMO / f"{variant}-int8.safetensors"
    if weights == "demo" and ranges and trained.is_file():
        path = trained
    source = {"coco": VARIANTS[variant].hub, "demo": DEMO_SOURCE}.get(weights, path.name)
    state = read_checkpoint(path)
    size = image_size or read_image_size(path)
    net = build_model(variant, class_count(state) or len(COCO_LABELS), size)
    load_weights(net, state)
    names = _names(labels, read_labels(path), net.num_classes, weights)
    in_float = DEMO / f"{variant}.safetensors" if path == trained else read_in_float(path)
    about = sha256_of(path), read_ranges(path), read_photos(path), in_float
    return Loaded(net.eval(), names, source, *about)


def fetch(weights: str, variant: str) -> Path:
    """The file that `weights` stands for. Raises InputError if it cannot be had."""
    if weights == "coco":
        return fetch_checkpoint(VARIANTS[variant].hub)
    if weights != "demo":
        return Path(weights)
    path = DEMO / f"{variant}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(VARIANTS.keys() & {file.stem for file in DEMO.iterdir()}))
        raise InputError(
            f"variant '{variant}' has no demo weights, expected a variant that has ({known}); "
            "choose coco, random or a file"
        )
    return path


def origin(weights: str, variant: str) -> Path | None:
    """The file of float weights that a quantized checkpoint is to name: random ones have none."""
    if weights == "random":
        return None
    path = fetch(weights, variant)
    return read_in_float(path) or path


def _random(variant: str, file: Path | None, image_size: tuple[int, int] | None) -> Loaded:
    names = tuple(COCO_LABELS if file is None else read_labels_file(file))
    net = build_model(variant, len(names), image_size)
    state = random_state(net)
    net.load_state_dict(state)
    source = "random: a reproducible rule, not trained, detects nothing meaningful"
    return Loaded(net.eval(), names, source, state_sha256(state))


def _names(
    file: Path | None, stored: list[str] | None, count: int, weights: str
) -> tuple[str, ...]:
    """From the file, else from the checkpoint, else COCO's for 80 classes."""
    if file is not None:
        return tuple(read_labels_file(file, count))
    if stored is not None and len(stored) == count:
        return tuple(stored)
    if count == len(COCO_LABELS):
        return tuple(COCO_LABELS)
    raise InputError(
        f"'{weights}' has {count} classes and carries no names for them; "
        "add --labels FILE with one name per line"
    )


def state_sha256(state: "Mapping[str, Tensor]") -> str:
    """SHA-256 over names and bytes of the tensors, in the order of their names."""
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(key.encode() + b"\0" + state[key].numpy().tobytes())
    return digest.hexdigest()
