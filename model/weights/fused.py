"""Weights as they are deployed: normalisation folded into convolutions, training's parts left out.

The authors' ONNX export and their `deploy()` fold them. A network in training form computes the
same from them with a normalisation that only adds the bias, so they go through the same door, and
can be trained on.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deimv2.model.errors import InputError
from deimv2.model.optional import require

EPS = 1e-5  # of PyTorch's batch normalisation
FUSED = ".conv_bn_fused."
# Modules whose path in the graph differs from the names of their parameters.
HEADS = re.compile(
    r"^decoder\.decoder\.(dec_bbox_head|dec_score_head|pre_bbox_head|query_pos_head)"
)
LISTED = re.compile(r"^decoder\.(dec_score_head|dec_bbox_head|quality)\.(\d+)\.")
# What only training uses, and constants, which deployment folds.
LEFT_OUT = ("decoder.denoising_class_embed.", "decoder.integral.")


def is_fused(state: Mapping[str, Tensor]) -> bool:
    return any(FUSED in key for key in state)


def unfused(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A deployed state under our names, in training form. wanted: of a network in that form.

    What only training uses keeps the values of `wanted`; heads of layers before the last, which
    deployment leaves out, are that of the last.
    """
    found = {key.replace(FUSED, ".conv."): value for key, value in state.items()}
    made = {}
    for key in wanted:
        if key in found:
            made[key] = found[key]
        elif key.startswith(LEFT_OUT):
            made[key] = wanted[key]
        elif (value := _implied(key, found, wanted)) is not None:
            made[key] = value
    used = {f"{key.removesuffix('.norm.bias')}.conv.bias" for key in made}
    merged = re.compile(r"\.bottlenecks\.\d+\.conv\.(weight|bias)$")
    rest = {k: v for k, v in found.items() if k not in made and k not in used}
    return made | {k: v for k, v in rest.items() if not merged.search(k)}


def _implied(key: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor | None:
    """The value of a tensor that deployment folded or left out; None for any other."""
    if head := LISTED.match(key):
        rest = key[head.end() :]
        places = (f"decoder.{head.group(1)}.{i}.{rest}" for i in reversed(range(9)))
        return next((found[place] for place in places if place in found), None)
    place, _, part = key.rpartition(".norm.")
    if not place:
        place, _, part = key.rpartition(".conv.")
    branch = re.match(r"(.*)\.conv([12])$", place)
    if branch and f"{branch.group(1)}.conv.weight" in found:  # two branches, merged into the first
        source, first = branch.group(1), branch.group(2) == "1"
        if key.endswith(".conv.weight"):
            weight = found[f"{source}.conv.weight"]
            return weight if first else torch.zeros_like(wanted[key], device=weight.device)
        bias = found[f"{source}.conv.bias"]
        return _norm(part, bias if first else torch.zeros_like(bias))
    folded = found.get(f"{place}.conv.bias")
    return None if folded is None or ".norm." not in key else _norm(part, folded)


def _norm(part: str, bias: Tensor) -> Tensor | None:
    """A tensor of a normalisation that adds the bias and changes nothing else."""
    return {
        "weight": torch.ones_like(bias),
        "bias": bias,
        "running_mean": torch.zeros_like(bias),
        "running_var": torch.full_like(bias, 1 - EPS),
    }.get(part)


def onnx_state(path: Path) -> dict[str, Tensor]:
    """The deployed state dict inside the authors' ONNX export, under the released names.

    Folded weights have lost their names; those of the operations that use them say whose they are.
    Raises InputError for any other file, MissingExtraError without onnx.
    """
    onnx = require("onnx", "onnx")
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf raises kinds of its own
        raise InputError(f"'{path}' is no whole .onnx file; fetch it again") from error
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    state = {k.removeprefix("model."): v for k, v in values.items() if k.startswith("model.")}
    projections: dict[str, list[Any]] = {}
    for place, kind, value in _anonymous(graph, values):
        if place.endswith(".self_attn"):  # of query, key and value, in this order
            projections.setdefault(f"{place}.in_proj_{kind}", []).append(value)
        else:
            state.setdefault(f"{place}.{kind}", value)
    state |= {name: np.concatenate(parts) for name, parts in projections.items() if len(parts) == 3}
    if "decoder.enc_score_head.bias" not in state:
        raise InputError(
            f"'{path}' is not an export of DEIMv2 by its authors' export_onnx.py, whose "
            "operations say which layer a weight is of; use the checkpoint that it was made from"
        )
    return {key: torch.from_numpy(value.copy()).float() for key, value in state.items()}


def _anonymous(graph: Any, values: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Weights without names: the module that uses each, "weight" or "bias", and the value."""
    for node in graph.node:
        path = re.sub(r"_\d+(?=/|$)", "", node.name.removeprefix("/model/")).split("/")[:-1]
        parts = [part for i, part in enumerate(path) if not path[i + 1 : i + 2] or
                 not path[i + 1].startswith(f"{part}.")]  # fmt: skip
        place = HEADS.sub(r"decoder.\1", ".".join(parts))
        given = [values.get(name) for name in node.input]
        if node.op_type == "Conv":
            names = ("weight", "bias")
            yield from (
                (place, kind, value)
                for kind, name, value in zip(names, node.input[1:], given[1:], strict=False)
                if value is not None and not name.startswith("model.")
            )
        elif node.op_type == "MatMul" and given[1] is not None and given[1].ndim == 2:
            yield place, "weight", given[1].T
        elif node.op_type == "Add" and place.endswith(".self_attn"):
            yield from ((place, "bias", value) for value in given if value is not None)
