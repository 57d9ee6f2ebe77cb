"""Weights into a network. Everything must fit exactly: a missing, unknown or misshapen key is an
error."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deimv2.model import variants
from deimv2.model.coco import COCO_LABELS
from deimv2.model.detector import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.labels import stored_names
from deimv2.model.variants import VARIANTS
from deimv2.model.weights.classes import rows_for, shared, with_rows
from deimv2.model.weights.files import read_noted, state_dict_in
from deimv2.model.weights.fused import is_fused, unfused
from deimv2.model.weights.keys import StateDict, to_ours
from deimv2.model.weights.saving import CheckpointMetadata, read_metadata

# What need not be there: counters, and buffers that follow from the architecture.
IMPLIED = re.compile(r"\.(num_batches_tracked|periods|bias_mask)$")

CLASS_HEADS = re.compile(r"^decoder\.(enc_score_head|dec_score_head\.\d+|denoising_class_embed)\.")


@dataclass(frozen=True)
class Transferred:
    """made: keys of the class heads that were made for other classes. same: how many classes the
    weights were trained on already, by name."""

    made: list[str]
    same: int


def load_weights(net: DEIMv2, source: Mapping[str, Any] | str | Path) -> None:
    """Load a checkpoint into `net` (training form), strictly.

    `source` is a state dict, or what a `.pth` file holds, or the path of a `.safetensors` or `.pth`
    file, in the released layout or ours.
    Raises InputError that lists the first few keys if any is missing, unknown or misshapen, and
    says which variant the weights seem to be of.
    """
    state, where = _read(source)
    renamed = fitted(net, state, where)
    net.load_state_dict(renamed)


def _read(source: Mapping[str, Any] | str | Path) -> tuple[dict[str, Tensor], str]:
    """The state dict of a source, and where it is, for a message."""
    if isinstance(source, Mapping):
        return state_dict_in(source, "the mapping")[0], ""
    return read_noted(source)[0], f" in '{source}'"


def open_net(
    path: Path, variant: str | None = None, image_size: int | tuple[int, int] | None = None
) -> tuple[DEIMv2, CheckpointMetadata, list[str]]:
    """The network of a checkpoint, in eval mode, what the file says of itself, and the notes of
    `read_noted`.

    variant: None stands for the one that the tensors fit. image_size: None stands for the file's,
    else the variant's own. Raises InputError for a file that cannot be read or does not fit.
    """
    state, notes = read_noted(path)
    name, about = variant or variant_in(state, path), read_metadata(path)
    net = build_model(name, class_count(state) or len(COCO_LABELS), image_size or about.image_size)
    net.load_state_dict(fitted(net, state, f" in '{path}'"))
    return net.eval(), about, notes


def fitted(net: DEIMv2, state: StateDict, where: str = "") -> dict[str, Tensor]:
    """The state under our names, complete and checked. where: for messages, " in 'FILE'".

    What follows from the architecture, or only counts batches, need not be there. Raises
    InputError for keys that do not fit, and for values that are no numbers.
    """
    renamed = to_ours(state, net.variant)
    if is_fused(state):
        renamed = unfused(renamed, net.state_dict())
    own = net.state_dict()
    implied = {k: v for k, v in own.items() if IMPLIED.search(k) and k not in renamed}
    _check_keys(net, renamed | implied, state, where)
    for key, value in renamed.items():
        if own[key].is_floating_point():
            _check_values(key, value, where)
    return renamed | implied


def _check_values(key: str, value: Tensor, where: str) -> None:
    if not value.is_floating_point():
        raise InputError(
            f"weights{where} are {value.dtype} in {key}, expected floating-point numbers; export "
            "from the checkpoint before it was quantized or converted"
        )
    right = value.isfinite()
    if key.endswith("running_var"):
        right &= value >= 0
    if not right.all():
        raise InputError(
            f"weights{where} have the value {value[~right][0].item():g} in {key}, expected "
            f"{'variances' if key.endswith('running_var') else 'numbers'}; the training that wrote "
            "them went wrong: use an earlier checkpoint"
        )


def _check_keys(net: DEIMv2, state: StateDict, original: StateDict, where: str) -> None:
    wanted = net.state_dict()
    problems = [f"missing {k}" for k in wanted if k not in state]
    problems += [f"unknown {k}" for k in state if k not in wanted]
    problems += [
        f"{k} has shape {list(v.shape)} instead of {list(wanted[k].shape)}"
        for k, v in state.items()
        if k in wanted and v.shape != wanted[k].shape
    ]
    if not problems:
        return
    shown = "; ".join(problems[:4]) + (f"; and {len(problems) - 4} more" if problems[4:] else "")
    hint = ""
    found = guess_variant(original)
    if found is not None and found != net.variant.name:
        hint = f"; these are weights of variant '{found}', so choose that variant"
    elif found is not None and class_count(original) not in (None, net.num_classes):
        hint = f"; the weights have {class_count(original)} classes, so build with that number"
    raise InputError(
        f"weights{where} do not fit variant '{net.variant.name}' with {net.num_classes} classes: "
        f"{shown}{hint}"
    )


def transfer_weights(
    net: DEIMv2, source: Mapping[str, Any] | str | Path, names: Sequence[str] | None = None
) -> Transferred:
    """Load a checkpoint of any classes into `net`.

    names: the net's classes. Where they are not those of the checkpoint, by number or by name, each
    starts from a row of its class heads as `rows_for` chooses them. Raises InputError as
    `load_weights` does.
    """
    state, where = _read(source)
    count = class_count(state) or net.num_classes
    renamed = fitted(build_model(net.variant.name, count), state, where)
    stored = None if isinstance(source, Mapping) else read_metadata(source).labels
    old_names = stored_names(count, stored)
    rows = list(range(count))
    if count != net.num_classes or (names is not None and old_names is not None):
        rows = rows_for(net.num_classes, count, names, old_names)
    made = {}
    if rows != list(range(count)):
        heads = (key for key in renamed if CLASS_HEADS.search(key))
        made = {key: with_rows(renamed[key], rows, count) for key in heads}
    net.load_state_dict(renamed | made)
    return Transferred(list(made), shared(names, old_names))


def load_backbone(net: DEIMv2, path: Path) -> int:
    """Load pre-trained weights into the backbone: HGNetv2's, or the ViT of an S, M, L or X.

    The keys may have any of the released prefixes or none, as a backbone that was saved alone has.
    Other tensors of the file are left out. Gives the number of tensors loaded; raises InputError
    unless every one of that part is there.
    """
    vit = isinstance(net.variant.backbone, variants.ViT)
    part = "backbone.vit." if vit else "backbone."
    state, _ = read_noted(path)
    wanted = {key: v for key, v in net.state_dict().items() if key.startswith(part)}
    found: dict[str, Tensor] = {}
    for prefix in ("", "backbone.", "backbone.dinov3._model.", "backbone.dinov3."):
        renamed = to_ours({prefix + key: value for key, value in state.items()}, net.variant)
        fitting = {k: v for k, v in renamed.items() if k in wanted and v.shape == wanted[k].shape}
        found = max(found, fitting, key=len)
    missing = [key for key in wanted if key not in found and not IMPLIED.search(key)]
    if missing:
        raise InputError(
            f"'{path}' has {len(found)} of the {len(wanted)} tensors of variant "
            f"'{net.variant.name}'s backbone, the first missing is {missing[0]}; use weights of "
            "that backbone"
        )
    net.load_state_dict(found, strict=False)
    return len(found)


def class_count(state: StateDict) -> int | None:
    """Number of classes that a checkpoint was trained on, None if it has no class head."""
    head = state.get("decoder.enc_score_head.bias")
    return len(head) if head is not None and head.ndim == 1 else None


def guess_variant(state: StateDict) -> str | None:
    """The variant whose keys and shapes (class heads aside) a checkpoint has, None if none's."""
    for name, variant in VARIANTS.items():
        with torch.device("meta"):
            wanted = build_model(name, class_count(state) or 1).state_dict()
        renamed = to_ours(state, variant)
        if is_fused(state):
            renamed = unfused(renamed, wanted)
        found = {k: v.shape for k, v in renamed.items()}
        if found == {k: v.shape for k, v in wanted.items() if k in found or not IMPLIED.search(k)}:
            return name
    return None


def variant_in(state: StateDict, path: Path) -> str:
    """As `guess_variant`, of the file at `path`. Raises InputError if no variant fits."""
    found = guess_variant(state)
    if found is None:
        raise InputError(
            f"the tensors in '{path}' fit none of the variants, expected DEIMv2 weights; name the "
            "variant with --variant to see what differs"
        )
    return found
