"""Reads an `.onnx`. It has no delegates here: ONNX Runtime computes it on the CPU."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deimv2.converters.inspection import Constant, Inspection, Operation, of_product, per_output
from deimv2.converters.metadata import KEY
from deimv2.converters.onnx import ONNX
from deimv2.converters.runner import broken, parsed_card
from deimv2.model.errors import InputError
from deimv2.model.optional import require
from deimv2.model.ports import Port


def read(path: Path) -> Inspection:
    onnx = require("onnx", ONNX.extra)
    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    except Exception as error:  # protobuf's DecodeError has no public name
        raise broken(path, error) from error
    graph = model.graph
    if not graph.output:
        raise broken(path, "it holds no graph")
    stored = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        port = _port(onnx, value)
        if free := [str(side) or "a side" for side in port.shape if not isinstance(side, int)]:
            raise InputError(
                f"'{path}' leaves {' and '.join(free)} of its input free ({port}), expected "
                "numbers; name a file that deimv2 export wrote"
            )
    ports = {
        value.name: _port(onnx, value) for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes = {name: port.shape for name, port in ports.items()}
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    makers = {name: node.op_type for node in graph.node for name in node.output}
    card = {entry.key: entry.value for entry in model.metadata_props}.get(KEY)
    return Inspection(
        artifact=path.name,
        size=path.stat().st_size,
        metadata=len(card.encode()) if card else 0,
        card=parsed_card(card, path),
        inputs=[ports[value.name] for value in graph.input if value.name not in stored],
        outputs=[ports[value.name] for value in graph.output],
        operations=[_operation(node, shapes, makers) for node in graph.node],
        delegates=(),
        constants=[
            Constant(t.name, _type(onnx, t.data_type), tuple(t.dims), _bytes(onnx, t))
            for t in graph.initializer
        ],
    )


def _operation(node: Any, shapes: Mapping[str, Any], makers: Mapping[str, str]) -> Operation:
    """An operation with its cost. Filters are [out, in, ...], transposed ones [in, out, ...]."""
    out = shapes.get(node.output[0], ())
    factors = node.input[:2]
    match node.op_type:
        case "Conv":
            macs = per_output(out, shapes[factors[1]][1:])
        case "ConvTranspose":
            macs = per_output(shapes[factors[0]], shapes[factors[1]][1:])
        case "Gemm":
            macs = per_output(out, (math.prod(shapes[factors[0]]) // out[0],))
        case "MatMul":
            macs = of_product(shapes[factors[0]], out)
        case _:
            macs = 0
    integer = macs > 0 and all(makers.get(name) == "DequantizeLinear" for name in factors)
    return Operation(node.op_type, out, macs, integer)


def _port(onnx: Any, value: Any) -> Port:
    tensor = value.type.tensor_type
    shape = tuple(d.dim_value or d.dim_param for d in tensor.shape.dim)
    return Port(value.name, shape, _type(onnx, tensor.elem_type))


def _bytes(onnx: Any, tensor: Any) -> int:
    """Not the length of `raw_data`, which is empty where the values are in another field."""
    item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return int(item * math.prod(tensor.dims))


def _type(onnx: Any, number: int) -> str:
    name = onnx.TensorProto.DataType.Name(number).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)
