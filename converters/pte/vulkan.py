"""Vulkan inside a `.pte`: ExecuTorch's delegate for the GPUs of Android phones.

ExecuTorch's wheel converts for it and cannot run it, so no file has been run by Vulkan here. What
a file holds is computed operation by operation in PyTorch instead (`vulkan_run.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from deimv2.converters.inspection import Constant, Operation, of_product, per_output
from deimv2.converters.pte import PTE, TITLES
from deimv2.model.optional import quiet, require

VULKAN = TITLES["vulkan"]
FRAME, MISSING = "reads the uint8 frame", "no such operation"
TYPES = {
    "BOOL": torch.bool, "UINT8": torch.uint8, "INT8": torch.int8, "INT32": torch.int32,
    "INT64": torch.int64, "FLOAT16": torch.float16, "FLOAT32": torch.float32,
    "FLOAT64": torch.float64,
}  # fmt: skip
ATEN = torch.ops.aten


def partitioner() -> Any:
    with quiet(None):
        part: Any = require("executorch.backends.vulkan.partitioner.vulkan_partitioner", PTE.extra)
    return part.VulkanPartitioner()


def rewritten(program: ExportedProgram, example: tuple[torch.Tensor, ...]) -> ExportedProgram:
    """Without the two operations that the delegate lacks, which would split its part in 13.

    max(a, b) is -min(-a, -b) to the bit. The one floor is of a row's number, which is not negative,
    ahead of a cast to int32, which drops the fraction by itself.
    """
    module = program.module()
    assert isinstance(module, fx.GraphModule)
    graph = module.graph
    for node in list(graph.nodes):
        with graph.inserting_before(node):
            if node.target == ATEN.maximum.default:
                given = tuple(graph.call_function(ATEN.neg.default, (x,)) for x in node.args)
                least = graph.call_function(ATEN.minimum.default, given)
                node.replace_all_uses_with(graph.call_function(ATEN.neg.default, (least,)))
            elif node.target == ATEN.floor.default and any(map(to_int32, node.users)):
                node.replace_all_uses_with(node.args[0])
            else:
                continue
        graph.erase_node(node)
    module.recompile()
    return torch.export.export(module, example)


def to_int32(node: fx.Node) -> bool:
    return bool(node.target == ATEN.to.dtype and node.args[1] == torch.int32)


def reason(types: Sequence[str]) -> str:
    """Why a kernel on these types is outside."""
    return FRAME if "BYTE" in types else MISSING


def tensors(graph: Any) -> dict[int, Any]:
    """The graph's tensors, by their places."""
    return {
        place: value["value"]
        for place, value in enumerate(graph["values"])
        if value["value_type"] == "VkTensor"
    }


def made_by(graph: Any, call: Mapping[str, Any]) -> list[int]:
    """Where the results of an operation go: its last argument, or those that this lists."""
    last = call["args"][-1]
    value = graph["values"][last]
    return list(value["value"]["items"]) if value["value_type"] == "ValueList" else [last]


def operations(graph: Any) -> list[Operation]:
    """Without what only copies constants to the GPU."""
    found, values = [], tensors(graph)
    for call in graph["chain"]:
        kind = call["name"].split(".")[1]
        if kind == "prepack":
            continue
        out = values[made_by(graph, call)[0]]["dims"]
        shapes = [values[i]["dims"] for i in call["args"] if i in values]
        match kind:
            case "convolution" | "conv_with_clamp":
                macs = per_output(out, shapes[1][1:])
            case "linear":
                macs = per_output(out, shapes[0][-1:])
            case "bmm" | "mm":
                macs = of_product(shapes[0], out)
            case _:
                macs = 0
        found.append(Operation(kind, tuple(out), macs))
    return found


def constants(graph: Any, call: int) -> list[Constant]:
    found = []
    for tensor in tensors(graph).values():
        if (index := tensor["constant_id"]) >= 0:
            stored = graph["constants"][index]
            name = stored["named_key"] or f"call {call}, constant {index}"
            type_ = str(TYPES[tensor["datatype"]]).removeprefix("torch.")
            found.append(Constant(name, type_, tuple(tensor["dims"]), stored["length"]))
    return found
