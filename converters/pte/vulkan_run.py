"""Computes what a `.pte` for Vulkan says, operation by operation, in PyTorch on the CPU.

Graphs, weights, types and the order of operations are those in the file; the operations are
PyTorch's, and of those that the delegate fused, ExecuTorch's own definitions. So a wrong file
shows, and what Vulkan and a phone's GPU make of a right one does not.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deimv2.converters.inspection import Inspection
from deimv2.converters.pte import PTE
from deimv2.converters.pte.computed import ComputedRunner
from deimv2.converters.pte.program import NAMES, Program
from deimv2.converters.pte.vulkan import TYPES, made_by, tensors
from deimv2.converters.runner import Frame, broken, detections, require_frame
from deimv2.model.detections import Detections
from deimv2.model.optional import quiet, require

LIBRARIES = ("aten", "et_vk")  # whose operations are computed
CAST = "_to_dim_order_copy"  # to the type of its result: the file does not say it again
FIELDS = {  # of values that are no tensors
    "Int": "int_val", "Double": "double_val", "Bool": "bool_val", "String": "string_val",
    "IntList": "items", "DoubleList": "items", "BoolList": "items",
}  # fmt: skip


class VulkanProgramRunner(ComputedRunner):
    """The file's operations, one after the other."""

    def __init__(
        self, path: Path, threads: int | None, found: Inspection, program: Program
    ) -> None:
        super().__init__(path, threads, found)
        with quiet(None):  # it registers what the delegate fuses
            require("executorch.backends.vulkan.custom_ops_lib", PTE.extra)
        self._program = program
        delegates = program.forward["delegates"]
        self._graphs = [Graph(program.graph(each), program.named()) for each in delegates]

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        plan = self._program.forward
        (given,) = plan["inputs"]
        values = {given: torch.tensor(frame)[None]}
        try:
            for what, step in self._program.steps():
                if what == "DelegateCall":
                    self._graphs[step["delegate_index"]].run(step["args"], values)
                elif what == "KernelCall":
                    run_kernel(plan, step, values)
        except Exception as error:  # of operations that contradict each other, PyTorch raises any
            raise broken(self._path, error) from error
        return detections([values[place].numpy() for place in plan["outputs"]], self.order)


class Graph:
    """A graph of the delegate, its constants ready."""

    def __init__(self, content: Any, named: Mapping[str, bytes]) -> None:
        self._content, self._tensors = content, tensors(content)
        self._constants = {}
        for place, tensor in self._tensors.items():
            if tensor["constant_id"] >= 0:
                stored = named[content["constants"][tensor["constant_id"]]["named_key"]]
                flat = torch.frombuffer(bytearray(stored), dtype=TYPES[tensor["datatype"]])
                self._constants[place] = flat.reshape(tensor["dims"])

    def run(self, places: Sequence[int], outer: dict[int, Tensor]) -> None:
        """places: in the program, of the graph's inputs and then its outputs."""
        values = dict(self._constants)
        given = self._content["input_ids"]
        for place, source in zip(given, places, strict=False):
            values[place] = outer[source].to(TYPES[self._tensors[place]["datatype"]])
        for call in self._content["chain"]:
            library, operation, overload = call["name"].split(".")
            made = made_by(self._content, call)
            arguments = [self._argument(i, values) for i in call["args"][:-1]]
            results = compute(library, operation, overload, arguments)
            for place, result in zip(made, results, strict=True):
                tensor = self._tensors[place]
                values[place] = result.to(TYPES[tensor["datatype"]]).reshape(tensor["dims"])
        for place, target in zip(self._content["output_ids"], places[len(given) :], strict=True):
            outer[target] = values[place]

    def _argument(self, place: int, values: Mapping[int, Tensor]) -> Any:
        value = self._content["values"][place]
        match value["value_type"]:
            case "VkTensor":
                return values[place]
            case "ValueList":
                return [self._argument(i, values) for i in value["value"]["items"]]
            case "Null":
                return None
            case "Double" if abs(value["value"]["double_val"]) > torch.finfo(torch.float32).max:
                return math.copysign(math.inf, value["value"]["double_val"])  # a bound that is none
            case kind:
                return value["value"][FIELDS[kind]]


def run_kernel(plan: Any, call: Mapping[str, Any], values: dict[int, Tensor]) -> None:
    """A kernel outside the delegate: what it makes are its last arguments, and a list of these."""
    operator = plan["operators"][call["op_index"]]
    library, operation = operator["name"].split("::")
    arguments = [plan["values"][place] for place in call["args"]]
    made = arguments[-1]["val"]["items"] if arguments[-1]["val_type"] == "TensorList" else None
    targets = call["args"][-1:] if made is None else made
    given = [
        values[place] if value["val_type"] == "Tensor" else _plain(value)
        for place, value in zip(call["args"], arguments, strict=True)
        if place in values or value["val_type"] not in ("Tensor", "TensorList")
    ]
    for place, result in zip(targets, compute(library, operation, "default", given), strict=True):
        type_ = NAMES[plan["values"][place]["val"]["scalar_type"]]
        values[place] = result.to(getattr(torch, type_))


def _plain(value: Mapping[str, Any]) -> Any:
    return None if value["val_type"] == "Null" else value["val"][FIELDS[value["val_type"]]]


def compute(library: str, operation: str, overload: str, given: Sequence[Any]) -> list[Tensor]:
    """given: in the order of the operation's schema."""
    if operation == CAST:
        return [given[0]]
    if library not in LIBRARIES:
        raise ValueError(f"no operation {library}.{operation} is computed here")
    made = getattr(getattr(getattr(torch.ops, library), operation), overload)
    arguments = zip(made._schema.arguments, given, strict=False)
    result = made(**{each.name: converted(value, str(each.type)) for each, value in arguments})
    return list(result) if isinstance(result, tuple | list) else [result]


def converted(value: Any, kind: str) -> Any:
    """Equal numbers stand in a graph once, under the type of the first: 0 may come as 0.0."""
    if isinstance(value, bool | int | float):
        for name, type_ in (("bool", bool), ("int", int)):
            if kind in (name, f"Optional[{name}]") and type_(value) == value:
                return type_(value)
    return value
