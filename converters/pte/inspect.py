"""Reads a `.pte`, and the graphs of its delegates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deimv2.converters.inspection import (
    Constant,
    Delegate,
    Inspection,
    Operation,
    Scaled,
    Scales,
    Twice,
    Weight,
    of_product,
    per_output,
)
from deimv2.converters.pte import BACKENDS, TITLES, coreml, vulkan
from deimv2.converters.pte.convert import CARD_METHOD
from deimv2.converters.pte.program import NAMES, Program
from deimv2.converters.runner import parsed_card
from deimv2.model.ports import Port

XNNPACK = TITLES["xnnpack"]
# Scales below it have fewer than two digits: they are read as JSON, with six decimals.
MIN_SCALE = 1e-4
# XNNPACK's names of types: q is quantized, c per channel, d and p while it runs.
XNN_NAMES = {
    "fp32": "float32", "pfp32": "float32", "fp16": "float16", "bf16": "bfloat16", "int32": "int32",
    "qint8": "int8", "quint8": "uint8", "qcint8": "int8", "qdint8": "int8", "qpint8": "int8",
    "qint32": "int32", "qcint32": "int32", "qcint4": "int4", "qbint4": "int4",
}  # fmt: skip
# Operations that ExecuTorch's partitioner offers to XNNPACK
# (executorch/backends/xnnpack/partition/config, version 1.5).
OFFERED = frozenset({
    "_clone_dim_order", "_native_batch_norm_legit_no_training", "_softmax", "_to_dim_order_copy",
    "abs", "add", "addmm", "avg_pool2d", "bmm", "cat", "ceil", "choose_qparams_affine", "clamp",
    "clone", "constant_pad_nd", "convolution", "cos", "dequantize_affine",
    "dequantize_per_tensor", "div", "exp", "floor", "gelu", "hardswish", "hardtanh", "leaky_relu",
    "linear", "log", "max", "max_pool2d", "maximum", "mean", "minimum", "mm", "mul", "neg",
    "permute_copy", "pow", "prelu", "quantize_affine", "quantize_per_tensor", "relu", "rsqrt",
    "sigmoid", "sin", "slice_copy", "sqrt", "sub", "tanh", "unsqueeze_copy",
    "upsample_bilinear2d", "view_copy",
})  # fmt: skip


def read(path: Path) -> Inspection:
    return read_parts(path)[0]


def read_parts(path: Path) -> tuple[Inspection, Program]:
    """As `read`, and the program itself."""
    program = Program.read(path)
    plan = program.forward
    kind = program.delegate
    operations: list[Operation] = []
    constants = _constants(plan)
    calls = 0
    for what, step in program.steps():
        if what == "KernelCall":
            operations.append(_kernel(plan, step, kind))
        elif what == "DelegateCall":
            inside, stored = _delegated(program, plan["delegates"][step["delegate_index"]], calls)
            operations += inside
            constants |= {each.name: each for each in stored}
            calls += 1
    given = program.plans.get(CARD_METHOD, {}).get("values", [])
    card = next((v["val"]["string_val"] for v in given), None)
    found = Inspection(
        artifact=path.name,
        size=len(program.data),
        metadata=len(card.encode()) if card else 0,
        card=parsed_card(card, path),
        inputs=_ports(plan, "inputs"),
        outputs=_ports(plan, "outputs"),
        operations=operations,
        delegates=(
            coreml.delegates(calls)
            if kind == "coreml"
            else (Delegate(TITLES[kind], "the file itself", calls),)
        ),
        constants=list(constants.values()),
    )
    return found, program


def _delegated(
    program: Program, delegate: Mapping[str, Any], call: int
) -> tuple[list[Operation], list[Constant]]:
    """What a delegate computes in a call, and its constants."""
    if delegate["id"] == BACKENDS["coreml"]:
        return coreml.operations(program.path, program.part(delegate))
    graph = program.graph(delegate)
    if delegate["id"] == BACKENDS["vulkan"]:
        return vulkan.operations(graph), vulkan.constants(graph, call)
    values = {value["id_out"]: value for value in map(_value, graph["xvalues"])}
    return [_node(node, values) for node in graph["xnodes"]], _delegated_constants(graph, call)


def _node(node: Mapping[str, Any], values: Mapping[int, Any]) -> Operation:
    """A node of XNNPACK's graph. Filters: [out, height, width, in], of depthwise [1, h, w, out]."""
    kind = node["xnode_union_type"].removeprefix("XNN")
    content = node["xnode_union"]
    given = [content.get(key) for key in ("input1_id", "filter_id", "input2_id")]
    factors = [values[i] for i in given if i is not None]
    made = values[content["output_id"] if "output_id" in content else content["output_value_id"]]
    out = made["dims"]
    shapes = [value["dims"] for value in factors]
    match kind:
        case "Conv2d":
            macs = per_output(out, shapes[1][1:])
        case "DepthwiseConv2d":
            macs = per_output(out, shapes[1][1:3])
        case "ConvTranspose2d":
            sides = content["kernel_height"], content["kernel_width"]
            macs = per_output(shapes[0], (*sides, content["group_output_channels"]))
        case "FullyConnected":
            macs = per_output(out, (math.prod(shapes[1]) // out[-1],))
        case "BatchMatrixMultiply":
            macs = of_product(shapes[0], out)
        case _:
            macs = 0
    integer = macs > 0 and all(_xnn_type(value) in ("int8", "uint8") for value in factors)
    return Operation(kind, tuple(out), macs, integer)


def _value(value: Mapping[str, Any]) -> Any:
    content = value["xvalue_union"]
    return content.get("tensor_value", content)  # inside a quantized one


def _xnn_type(value: Mapping[str, Any]) -> str:
    return XNN_NAMES[value["datatype"].removeprefix("xnn_datatype_")]


def _kernel(plan: Any, call: Mapping[str, Any], delegate: str) -> Operation:
    """A call of a kernel outside delegates. Its last argument is its output."""
    operator = plan["operators"][call["op_index"]]
    kind = operator["name"].split("::")[-1]
    values = [plan["values"][i] for i in call["args"]]
    tensors = [value["val"] for value in values if value["val_type"] == "Tensor"]
    shapes = [tensor["sizes"] for tensor in tensors]
    out = shapes[-1] if shapes else []
    match kind:
        case "mm" | "bmm" | "linear":
            macs = per_output(out, shapes[0][-1:])
        case "addmm":
            macs = per_output(out, shapes[1][-1:])
        case "convolution":
            (transposed,) = (v["val"]["bool_val"] for v in values if v["val_type"] == "Bool")
            macs = per_output(shapes[0] if transposed else out, shapes[1][1:])
        case _:
            macs = 0
    types = [tensor["scalar_type"] for tensor in tensors]
    outside: Mapping[str, str]
    match delegate:
        case "coreml":
            outside = coreml.OUTSIDE
        case "vulkan":
            outside = {vulkan.VULKAN: vulkan.reason(types)}
        case _:
            outside = {XNNPACK: _reason(kind, types)}
    return Operation(kind, tuple(out), macs, outside=outside)


def _reason(kind: str, types: Sequence[str]) -> str:
    if kind not in OFFERED:
        return "no such operation"
    for type_ in types:
        if type_ not in ("FLOAT", "HALF", "CHAR"):
            return f"is on {NAMES.get(type_, type_)}, expected float or int8"
    return "not with these arguments"


def _constants(plan: Any) -> dict[str, Constant]:
    """Constants of the kernels outside delegates, by their places."""
    found = {}
    for value in plan["values"]:
        tensor = value["val"]
        if value["val_type"] == "Tensor" and tensor["data_buffer_idx"]:
            type_, shape = tensor["scalar_type"], tuple(tensor["sizes"])
            place = f"buffer {tensor['data_buffer_idx']}"
            size = math.prod(shape) * np.dtype(NAMES[type_]).itemsize
            found[place] = Constant(place, NAMES[type_], shape, size)
    return found


def _delegated_constants(graph: Any, call: int) -> list[Constant]:
    found = []
    for value in map(_value, graph["xvalues"]):
        if index := value["constant_buffer_idx"]:
            place = graph["constant_data"][index]
            name = place["named_key"] or f"call {call}, constant {index}"
            shape = tuple(value["dims"])
            found.append(Constant(name, _xnn_type(value), shape, place["size"]))
    return found


def _ports(plan: Any, side: str) -> list[Port]:
    """Inputs or outputs, which are in order and have no names."""
    tensors = [plan["values"][index]["val"] for index in plan[side]]
    return [
        Port(f"#{i}", tuple(tensor["sizes"]), NAMES[tensor["scalar_type"]])
        for i, tensor in enumerate(tensors)
    ]


def scales(path: Path) -> Iterator[Scaled]:
    """The scales of weights, and of biases, which follow from those of input and weight."""
    program = Program.read(path)
    named = program.named()
    for delegate in program.forward["delegates"]:
        if delegate["id"] != BACKENDS["xnnpack"]:
            continue
        graph = program.graph(delegate)
        values = {_value(value)["id_out"]: value["xvalue_union"] for value in graph["xvalues"]}

        def of(index: int, graph: Any = graph, values: Any = values) -> Scales:
            params = values[index].get("quant_params", {}) if index in values else {}
            if place := params.get("scale_buffer_idx"):
                stored = named[graph["constant_data"][place]["named_key"]]
                return np.frombuffer(stored, np.float32).astype(np.float64)
            return np.atleast_1d(np.array(params.get("scale", []), np.float64))

        for node in graph["xnodes"]:
            content = node["xnode_union"]
            if "filter_id" in content:
                ids = (content[key] for key in ("input1_id", "filter_id", "bias_id"))
                given, weight, bias = map(of, ids)
                if len(given) and len(weight):
                    yield Weight(f"weight {content['filter_id']}", weight)
                if len(given) and len(weight) and len(bias) and given.min() > MIN_SCALE:
                    yield Twice(f"bias {content['bias_id']}", given * weight, bias)
