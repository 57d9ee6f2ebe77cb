"""Checkpoints of ours: `.safetensors` under our names, with what one has to know beside them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from deimv2.model.detector import DEIMv2
from deimv2.model.errors import InputError
from deimv2.model.files import write_whole
from deimv2.model.labels import names_in_config
from deimv2.model.numbers import SIZE, height_and_width
from deimv2.model.weights.places import HUB_NAMES


@dataclass(frozen=True)
class CheckpointMetadata:
    """What a checkpoint of ours says of itself; None for what it does not.

    labels:     class names
    image_size: (H, W) that it was trained at
    ranges:     low and high of int8 activations, by the name of the place
    float_blocks: what computes in float all the same where the rest is int8
    photos:     the folder that it was validated or calibrated on, which may be elsewhere by now
    in_float:   the weights that were quantized, where they are there
    """

    labels: list[str] | None = None
    image_size: tuple[int, int] | None = None
    ranges: dict[str, tuple[float, float]] | None = None
    float_blocks: tuple[str, ...] = ()
    photos: Path | None = None
    in_float: Path | None = None

    @property
    def notes(self) -> list[str]:
        """A warning for use in another precision than int8, if it was made for int8."""
        if self.ranges is None:
            return []
        origin = "the float weights" if self.in_float is None else f"'{self.in_float}'"
        return [
            "made for precision int8, in any other they detect less than "
            f"{origin}, from which they were made"
        ]


def save_weights(
    net: DEIMv2,
    path: Path,
    labels: Sequence[str],
    dtype: torch.dtype = torch.float32,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    float_blocks: Sequence[str] = (),
    photos: Path | None = None,
    in_float: Path | None = None,
) -> None:
    """Writes a `.safetensors` checkpoint under our names, with class names and image size in its
    metadata, and, where there are any, what `CheckpointMetadata` has beside them.

    A tensor that has several names is stored under each. Raises InputError for another number of
    labels than classes.
    """
    if len(labels) != net.num_classes:
        raise InputError(
            f"{len(labels)} class names were given, expected {net.num_classes}; name every class"
        )
    state = {
        key: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype).clone()
        for key, value in net.state_dict().items()
    }
    about: dict[str, Any] = {
        "labels": list(labels),
        "variant": net.variant.name,
        "image_size": net.image_size,
    }
    if ranges is not None:
        about["ranges"] = ranges
        about["float_blocks"] = list(float_blocks)
    if photos is not None:
        about["photos"] = str(photos.resolve())
    if in_float is not None:
        about["in_float"] = str(in_float.resolve())
    metadata = {key: json.dumps(value) for key, value in about.items()}
    write_whole(path, save({k: v.contiguous() for k, v in state.items()}, metadata))


def read_metadata(path: str | Path) -> CheckpointMetadata:
    """What a checkpoint says of itself; nothing for a foreign or a broken one, which
    `read_checkpoint` refuses."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".pt":
        return _of_training(path)
    named = names_in_config(path.with_name("config.json")) if path.name in HUB_NAMES else None
    if suffix != ".safetensors" or not path.is_file():
        return CheckpointMetadata(labels=named)
    try:
        with safe_open(path, framework="pt") as file:
            texts = file.metadata() or {}
    except (SafetensorError, OSError, ValueError):
        return CheckpointMetadata(labels=named)

    def stored(key: str) -> Any:
        try:
            return json.loads(texts[key])
        except (KeyError, ValueError):
            return None

    photos, in_float = stored("photos"), stored("in_float")
    return CheckpointMetadata(
        labels=_names(stored("labels")) or named,
        image_size=_image_size(stored("image_size")),
        ranges=_ranges(stored("ranges")),
        float_blocks=tuple(_names(stored("float_blocks")) or ()),
        photos=Path(photos) if isinstance(photos, str) else None,
        in_float=Path(in_float) if isinstance(in_float, str) and Path(in_float).is_file() else None,
    )


# Metadata of another form than `save_weights` writes is not ours, and left out.


def _names(value: object) -> list[str] | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return None
    return value


def _image_size(value: object) -> tuple[int, int] | None:
    if not isinstance(value, list) or not SIZE.holds(value):
        return None
    height, width = value
    return height, width


def _ranges(value: object) -> dict[str, tuple[float, float]] | None:
    if not isinstance(value, dict):
        return None
    ranges = {}
    for name, ends in value.items():
        if not isinstance(ends, list) or len(ends) != 2:
            return None
        if not all(type(end) in (int, float) for end in ends):
            return None
        ranges[name] = (ends[0], ends[1])
    return ranges


def _of_training(path: Path) -> CheckpointMetadata:
    """What the `last.pt` of our own training says of itself; nothing for any other file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        size = state["about"]["options"]["image_size"]
        return CheckpointMetadata(
            labels=[str(name) for name in state["names"]],
            image_size=None if size is None else height_and_width(size),
        )
    except Exception:  # a broken pickle can raise anything
        return CheckpointMetadata()
