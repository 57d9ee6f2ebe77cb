"""Reads an `.mlpackage`: an ML Program's operations with their shapes and types.

Core ML decides on the device what the Neural Engine computes. Here stand the rules that are
documented, each with its source; an operation that none of them names may still run elsewhere.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deimv2.converters.inspection import (
    MAX_DIMENSIONS,
    NEURAL_ENGINE,
    Constant,
    Delegate,
    Inspection,
    Operation,
    Scaled,
    Twice,
    Weight,
    bits_of,
    of_product,
    per_output,
)
from deimv2.converters.metadata import KEY
from deimv2.converters.mlpackage import MLPACKAGE
from deimv2.converters.mlpackage.convert import interface
from deimv2.converters.runner import broken, parsed_card
from deimv2.mil.package import read_specification, rebuild
from deimv2.model.files import size_of
from deimv2.model.optional import require

COMPRESSED = ("constexpr_affine_dequantize", "constexpr_blockwise_shift_scale")


@dataclass(frozen=True)
class Value:
    """What an operation makes; an empty shape for what is no tensor. maker: its operation."""

    shape: tuple[int, ...]
    dtype: str
    maker: Any = None

    @property
    def constant(self) -> bool:
        return self.maker is not None and self.maker.type.startswith("const")


def read(path: Path) -> Inspection:
    proto = read_specification(path)
    if not proto.mlProgram.functions:
        raise broken(path, "it holds no ML Program")
    require_weights(path, proto)
    values: dict[str, Value] = {}
    operations = []
    constants = []
    for function in proto.mlProgram.functions.values():
        for given in function.inputs:
            values[given.name] = _value(given.type)
        block = function.block_specializations[function.opset]
        for op in block.operations:
            values |= {made.name: _value(made.type, op) for made in op.outputs}
            if op.type.startswith("const"):
                constants += list(_stored(op))
            else:
                operations.append(_operation(op, values))
    card = proto.description.metadata.userDefined.get(KEY)
    inputs, outputs = interface(path)
    return Inspection(
        artifact=path.name,
        size=size_of(path),
        metadata=len(card.encode()) if card else 0,
        card=parsed_card(card, path),
        inputs=inputs,
        outputs=outputs,
        operations=operations,
        delegates=(Delegate(NEURAL_ENGINE, "the rules that are documented"),),
        constants=constants,
    )


def require_weights(path: Path, proto: Any) -> None:
    """Raises InputError where the files of weights are missing or cut."""
    for function in proto.mlProgram.functions.values():
        for op in function.block_specializations[function.opset].operations:
            for attribute in op.attributes.values():
                if not attribute.HasField("blobFileValue"):
                    continue
                blob, value = attribute.blobFileValue, _value(attribute.type)
                name = blob.fileName.replace("@model_path", "com.apple.CoreML")
                file = path / "Data" / name
                end = blob.offset + math.prod(value.shape) * bits_of(value.dtype) // 8
                if not file.is_file() or file.stat().st_size < end:
                    raise broken(path, f"its weights are missing or cut, at '{file.name}'")


def why_not(kind: str, values: Sequence[Value]) -> str | None:
    """Why the Neural Engine does not take an operation on these values, None if no rule says so."""
    moving = [value for value in values if not value.constant]
    # https://apple.github.io/coremltools/docs-guides/source/typed-execution-example.html: what is
    # typed as float32 runs on CPU and GPU only.
    if any(value.dtype == "float32" for value in moving):
        return "is typed float32, expected float16"
    # coremltools' converters refuse more for Core ML as a whole.
    if most := max((len(v.shape) for v in moving if len(v.shape) > MAX_DIMENSIONS), default=0):
        return f"has {most} dimensions, expected up to {MAX_DIMENSIONS}"
    # https://github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md (measured by
    # developers; Apple lists no operations).
    if kind.startswith(("gather", "custom", "lstm", "gru", "rnn")):
        return "known to stay on CPU or GPU"
    return None


def _operation(op: Any, values: Mapping[str, Value]) -> Operation:
    """An operation with its cost. Filters and weights are [out, in, ...]."""

    def argument(*names: str) -> list[Value]:
        return [values[op.inputs[name].arguments[0].name] for name in names]

    out = values[op.outputs[0].name]
    factors: list[Value] = []
    macs = 0
    match op.type:
        case "conv" | "linear":
            factors = argument("x", "weight")
            macs = per_output(out.shape, factors[1].shape[1:])
        case "matmul":
            factors = argument("x", "y")
            macs = of_product(factors[0].shape, out.shape)
    given = [
        values[argument.name]
        for each in op.inputs.values()
        for argument in each.arguments
        if argument.name in values
    ]
    made = [values[each.name] for each in op.outputs]
    reason = why_not(op.type, [*given, *made])
    outside = {NEURAL_ENGINE: reason} if reason else {}
    return Operation(
        op.type, out.shape, macs, bool(factors) and all(map(_is_int8, factors)), outside
    )


def _is_int8(factor: Value) -> bool:
    """Behind a dequantize, or an int8 constant that is stored compressed."""
    op = factor.maker
    if op is None or op.type == "dequantize":
        return op is not None
    return op.type in COMPRESSED and any(
        stored.dtype in ("int8", "uint8") and len(stored.shape) > 1 for stored in _stored(op)
    )


def _stored(op: Any) -> Iterator[Constant]:
    """Constants of an operation that lie in the package's weight file."""
    for key, attribute in op.attributes.items():
        if attribute.HasField("blobFileValue"):
            value = _value(attribute.type)
            size = math.prod(value.shape) * bits_of(value.dtype) // 8
            name = op.outputs[0].name if key == "val" else f"{op.outputs[0].name}.{key}"
            yield Constant(name, value.dtype, value.shape, size)


def _value(type_: Any, maker: Any = None) -> Value:
    tensor = type_.tensorType
    names = require("coremltools.proto.MIL_pb2", MLPACKAGE.extra).DataType
    shape = tuple(int(dimension.constant.size) for dimension in tensor.dimensions)
    return Value(shape, names.Name(tensor.dataType).lower(), maker)


def scales(path: Path) -> Iterator[Scaled]:
    """The scales of weights, and of values that are quantized and dequantized."""
    for op in rebuild(path).operations:
        if op.op_type in ("conv", "linear") and op.x.op and op.x.op.op_type == "dequantize":
            weight = op.weight.op
            if weight.op_type == "constexpr_affine_dequantize":
                yield Weight(weight.name, np.ravel(weight.scale.val).astype(np.float64))
        if op.op_type == "quantize":
            for behind in op.outputs[0].child_ops:
                if behind.op_type == "dequantize":
                    follows, stated = (np.atleast_1d(each.scale.val) for each in (op, behind))
                    yield Twice(behind.name, follows.astype(np.float64), stated.astype(np.float64))
