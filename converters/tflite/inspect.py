"""Reads a `.tflite`. What XNNPACK takes, and the GPU, is asked of the runtime."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from deimv2.converters.runner import parsed_card
from deimv2.converters.tflite import TFLITE
from deimv2.converters.tflite.gpu import GpuRunner, RefusedError
from deimv2.converters.tflite.run import card_of, open_interpreter
from deimv2.model.optional import require
from deimv2.model.ports import Port

XNNPACK, GPU = "XNNPACK", "GPU"
BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
MOVING = ("MAX_POOL_2D", "PAD", "RESHAPE", "SLICE", "TRANSPOSE")
INT8 = ("int8", "uint8")
FLOATS = ("float32", "float16")
# XNNPACK adds int8 values whose steps are within these factors of the result's
# (tensorflow/lite/delegates/xnnpack/xnnpack_delegate.cc, CheckTensorsInputOutputScale).
STEPS = 2.0**-10, 2.0**8


@dataclass(frozen=True)
class Tensor:
    """step: the quantization scale, None where there is none; buffer: 0 for an activation."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    step: float | None
    buffer: int
    size: int

    @property
    def constant(self) -> bool:
        return self.size > 0


@dataclass(frozen=True)
class Node:
    kind: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


def read(path: Path) -> Inspection:
    interpreter = open_interpreter(path)
    schema = require("ai_edge_litert.schema_py_generated", TFLITE.extra)
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    types = {value: name.lower() for name, value in vars(schema.TensorType).items()}
    tensors = [_tensor(types, model, graph.Tensors(i)) for i in range(graph.TensorsLength())]
    nodes = _nodes(schema, model, graph, tensors)
    inside, calls = delegated(interpreter)
    taken = {node.kind for i, node in enumerate(nodes) if i in inside}
    operations = []
    for i, node in enumerate(nodes):
        reason = None if i in inside else why_not(node, taken)
        operations.append(
            Operation(
                node.kind, node.outputs[0].shape, macs(node), is_integer(node),
                {XNNPACK: reason} if reason else {},
            )
        )  # fmt: skip
    card = card_of(model)
    ins, outs = _ports(model, graph, tensors)
    return Inspection(
        artifact=path.name,
        size=path.stat().st_size,
        metadata=len(card.encode()) if card else 0,
        card=parsed_card(card, path),
        inputs=ins,
        outputs=outs,
        operations=operations,
        delegates=(Delegate(XNNPACK, "LiteRT on this machine", calls),),
        constants=[
            Constant(t.name, t.dtype, t.shape, t.size)
            for t in {t.buffer: t for t in tensors if t.constant}.values()
        ],
    )


def on_gpu(inspection: Inspection, path: Path) -> Inspection:
    """With the GPU as its first delegate. Raises CheckError for a file that ends its process, and
    InputError where there is no GPU and no driver."""
    try:
        runner = GpuRunner(path, float32=False)
    except RefusedError as error:
        refused, told = error.kinds, "LiteRT's GPU accelerator"
    else:
        refused, told = (), f"LiteRT on {runner.adapter}"
        runner.close()
    operations = [
        replace(op, outside={**op.outside, GPU: "the accelerator does not take it"})
        if op.kind in refused
        else op
        for op in inspection.operations
    ]
    gpu = Delegate(GPU, told, None if refused else 1)
    delegates = (gpu, *inspection.delegates)
    return replace(inspection, operations=operations, delegates=delegates)


def delegated(interpreter: Any) -> tuple[set[int], int]:
    """Indices of the nodes inside delegates, and how many calls of delegates there are.

    The interpreter lists the nodes of the file and then one for each call. Inside a call is what
    leads from its inputs to its outputs.
    """
    details = interpreter._get_ops_details()
    calls = [node for node in details if node["op_name"] == "DELEGATE"]
    makers = {
        tensor: node
        for node in details
        if node["op_name"] != "DELEGATE"
        for tensor in node["outputs"]
    }
    inside: set[int] = set()
    for call in calls:
        given, wanted = set(call["inputs"]), list(call["outputs"])
        while wanted:
            node = makers.get(tensor := wanted.pop())
            if tensor not in given and node is not None and node["index"] not in inside:
                inside.add(node["index"])
                wanted += list(node["inputs"])
    return inside, len(calls)


def why_not(node: Node, taken: set[str]) -> str:
    """Why XNNPACK does not take a node, as far as the file shows it. taken: kinds that it takes."""
    if node.kind not in taken:
        return "none of its kind is taken"
    for tensor in (*node.inputs, *node.outputs):
        if not tensor.constant and tensor.dtype not in FLOATS and tensor.step is None:
            return f"is on {tensor.dtype}, expected float or int8"
    if node.kind in ("ADD", "SUB") and (result := node.outputs[0].step) is not None:
        ratios = [tensor.step / result for tensor in node.inputs if tensor.step is not None]
        if not all(STEPS[0] <= ratio < STEPS[1] for ratio in ratios):
            return "one input's int8 step is too far from the result's"
    return "not with these shapes or options"


def macs(node: Node) -> int:
    out = node.outputs[0].shape
    shapes = [tensor.shape for tensor in node.inputs]
    match node.kind:
        case "CONV_2D" | "FULLY_CONNECTED":
            return per_output(out, shapes[1][1:])
        case "DEPTHWISE_CONV_2D":  # [1, height, width, channels]
            return per_output(out, shapes[1][1:3])
        case "TRANSPOSE_CONV":  # the output's shape, [out, height, width, in], the map
            return per_output(shapes[2], shapes[1][:3])
        case "BATCH_MATMUL":
            return of_product(shapes[0], out)
    return 0


def is_integer(node: Node) -> bool:
    """Both factors are int8. The map of a transposed convolution stands behind its filter."""
    factors = node.inputs[1:3] if node.kind == "TRANSPOSE_CONV" else node.inputs[:2]
    return macs(node) > 0 and all(t.dtype in INT8 and t.step is not None for t in factors)


def _tensor(types: Mapping[int, str], model: Any, tensor: Any) -> Tensor:
    """types: the names of the numbers that tensors have as their types."""
    quantized = tensor.Quantization()
    step = None
    if quantized is not None and quantized.ScaleLength():
        step = float(quantized.Scale(0))
    shape = tuple(int(tensor.Shape(i)) for i in range(tensor.ShapeLength()))
    size = int(model.Buffers(tensor.Buffer()).DataLength())
    name = tensor.Name().decode(errors="replace")
    return Tensor(name, shape, types[tensor.Type()], step, tensor.Buffer(), size)


def _nodes(schema: Any, model: Any, graph: Any, tensors: Sequence[Tensor]) -> list[Node]:
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    nodes = []
    for i in range(graph.OperatorsLength()):
        op = graph.Operators(i)
        code = model.OperatorCodes(op.OpcodeIndex())
        kind = (code.CustomCode() or b"").decode() or names[code.BuiltinCode()]
        given = [op.Inputs(j) for j in range(op.InputsLength())]
        made = [op.Outputs(j) for j in range(op.OutputsLength())]
        # -1: an optional input, left out
        nodes.append(Node(kind, [tensors[j] for j in given if j >= 0], [tensors[j] for j in made]))
    return nodes


def _ports(model: Any, graph: Any, tensors: Sequence[Tensor]) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs, by the names of the signature where there is one."""
    names = {}
    if model.SignatureDefsLength():
        signature = model.SignatureDefs(0)
        entries = [signature.Inputs(i) for i in range(signature.InputsLength())]
        entries += [signature.Outputs(i) for i in range(signature.OutputsLength())]
        names = {entry.TensorIndex(): entry.Name().decode() for entry in entries}

    def port(index: int) -> Port:
        tensor = tensors[index]
        return Port(names.get(index, tensor.name), tensor.shape, tensor.dtype)

    return (
        [port(graph.Inputs(i)) for i in range(graph.InputsLength())],
        [port(graph.Outputs(i)) for i in range(graph.OutputsLength())],
    )


def scales(path: Path) -> Iterator[Scaled]:
    """The scales of weights, and those that follow from others: of biases, and of what operations
    give that only move values."""
    schema = require("ai_edge_litert.schema_py_generated", TFLITE.extra)
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    codes = {getattr(schema.BuiltinOperator, kind): kind for kind in (*BIASED, *MOVING)}

    def of(index: int) -> Scales:
        stated = graph.Tensors(index).Quantization()
        found = stated.ScaleAsNumpy() if stated is not None and stated.ScaleLength() else []
        return np.array(found, np.float64)

    for i in range(graph.OperatorsLength()):
        op = graph.Operators(i)
        kind = codes.get(model.OperatorCodes(op.OpcodeIndex()).BuiltinCode())
        if kind in BIASED and op.InputsLength() == 3 and op.Inputs(2) >= 0:
            given, weight, stated = (of(op.Inputs(j)) for j in range(3))
            last, follows = op.Inputs(2), given * weight if len(given) else given
            if len(given) and len(weight):
                yield Weight(graph.Tensors(op.Inputs(1)).Name().decode(errors="replace"), weight)
        elif kind in MOVING:
            last, follows, stated = op.Outputs(0), of(op.Inputs(0)), of(op.Outputs(0))
        else:
            continue
        if len(follows) and len(stated):
            yield Twice(graph.Tensors(last).Name().decode(errors="replace"), follows, stated)
