"""The int8 layers of an artifact, as its file says them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from coremltools.converters.mil.mil import types
from flatbuffers.number_types import Float32Flags, Uint8Flags
from flatbuffers.table import Table

from deimv2.converters.pte.program import Program
from deimv2.mil.package import rebuild

QUANTIZED, PER_TENSOR = 2, 2  # members of the unions of XNNPACK's values and their parameters
PASSING = ("cast", "maximum", "minimum", "relu", "reshape", "transpose", "squeeze", "expand_dims")
Steps = tuple[float, int]  # scale and zero point


class Layer(NamedTuple):
    """weight: the scale of each output channel."""

    weight: tuple[float, ...]
    input: Steps
    output: Steps


def read_layers(path: Path) -> list[Layer]:
    readers = {".tflite": of_litert, ".pte": of_executorch, ".mlpackage": of_coreml}
    return list(readers[path.suffix](path))


def of_litert(path: Path) -> Iterator[Layer]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=plain)
    tensors = {each["index"]: each for each in interpreter.get_tensor_details()}

    def steps(index: int) -> Steps:
        found = tensors[index]["quantization_parameters"]
        (scale,), (zero_point,) = found["scales"], found["zero_points"]
        return float(scale), int(zero_point)

    for node in interpreter._get_ops_details():
        given, made = node["inputs"], node["outputs"]
        if len(given) < 2 or tensors[given[1]]["dtype"] is not np.int8:
            continue
        if node["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            weight = tensors[given[1]]["quantization_parameters"]
            assert not weight["zero_points"].any()
            yield Layer(tuple(weight["scales"].tolist()), steps(given[0]), steps(made[0]))


def of_executorch(path: Path) -> Iterator[Layer]:
    program = Program.read(path)
    named = program.named()
    for delegate in program.forward["delegates"]:
        stored, graph = program.payload(delegate), program.graph(delegate)
        for value, scale in zip(graph["xvalues"], exact(stored), strict=True):
            value["scale"] = scale

        def scales(index: int, graph: Any = graph) -> list[float]:
            return np.frombuffer(named[graph["constant_data"][index]["named_key"]], np.float32)

        values = {
            value["xvalue_union"].get("tensor_value", value["xvalue_union"])["id_out"]: value
            for value in graph["xvalues"]
        }
        for node in graph["xnodes"]:
            content = node["xnode_union"]
            weight = values[content["filter_id"]]["xvalue_union"] if "filter_id" in content else {}
            if weight.get("quant_params_type") == "PerChannelQuant":
                params = weight["quant_params"]
                found = params["scale"] or scales(params["scale_buffer_idx"])
                ends = (values[content[key]] for key in ("input1_id", "output_id"))
                yield Layer(tuple(map(float, found)), *map(_xnnpack_steps, ends))


def _xnnpack_steps(value: Any) -> Steps:
    return value["scale"], int(value["xvalue_union"]["quant_params"]["zero_point"])


def exact(graph: bytes) -> Iterator[float | None]:
    """The scale of every value of XNNPACK's graph, None where it has none of its own.

    JSON has six decimals of it, so it is read from the flatbuffer: fields by their place in
    executorch/backends/xnnpack/serialization/schema.fbs.
    """
    root = Table(graph, int.from_bytes(graph[:4], "little"))
    values = root.Vector(_place(root, 2))
    for i in range(root.VectorLen(_place(root, 2))):
        value = Table(graph, root.Indirect(values + 4 * i))
        tensor = Table(graph, value.Indirect(value.Pos + _place(value, 1)))
        if value.Get(Uint8Flags, value.Pos + _place(value, 0)) != QUANTIZED:
            yield None
            continue
        params = Table(graph, tensor.Indirect(tensor.Pos + _place(tensor, 2)))
        whole = tensor.Get(Uint8Flags, tensor.Pos + _place(tensor, 1)) == PER_TENSOR
        yield params.Get(Float32Flags, params.Pos + _place(params, 0)) if whole else None


def _place(table: Any, field: int) -> int:
    return int(table.Offset(4 + 2 * field))


def of_coreml(path: Path) -> Iterator[Layer]:
    for op in rebuild(path).operations:
        if op.op_type not in ("conv", "linear"):
            continue
        weight, given = op.weight.op, op.x.op
        if weight.op_type != "constexpr_affine_dequantize" or given.op_type != "dequantize":
            continue
        assert weight.zero_point is None or not weight.zero_point.val.any()
        made = _stored(op.outputs[0])
        if made is not None:  # else it computes in float, of weights that are stored as int8
            yield Layer(tuple(np.ravel(weight.scale.val).tolist()), _coreml_steps(given), made)


def _stored(value: Any) -> Steps | None:
    """Of the quantize that a layer's values reach through what only limits or moves them."""
    while len(value.child_ops) == 1:
        (op,) = value.child_ops
        if op.op_type == "quantize":
            return _coreml_steps(op)
        if op.op_type not in PASSING:
            break
        value = op.outputs[0]
    return None


def _coreml_steps(op: Any) -> Steps:
    """Of a quantize or dequantize. What starts at 0 is stored as uint8: -128 is 0 then."""
    zero_point = 0 if op.zero_point is None else int(op.zero_point.val)
    stored = op.input if op.op_type == "dequantize" else op.outputs[0]
    return float(op.scale.val), zero_point - 128 * (stored.dtype is types.uint8)
