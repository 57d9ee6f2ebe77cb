"""Whether the int8 steps (scales) that a file states twice are the same both times.

An int8 layer adds its int32 bias to products of input and weight, so in `.tflite` and `.pte` the
bias's step is the product of theirs. In `.mlpackage` a value is quantized and dequantized by the
same step. A scale that was changed in one place contradicts the other. A weight's scale in
`.mlpackage` stands in one place alone, and is not checked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from converters.litert import open_interpreter
from converters.tools import quiet
from evaluation.inspect.executorch import GRAPH, PROGRAM, decode, payload
from evaluation.mil.package import rebuild
from evaluation.runtimes.executorch import HEADER

Scales = npt.NDArray[np.float64]
NEAR = 0.01  # `.pte` is read by way of JSON, with six decimals
LEAST = 1e-4  # of which those below leave less than two digits
BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


class Twice(NamedTuple):
    """A step as it follows from other tensors, and as it is stated; one, or one per channel."""

    name: str
    follows: Scales
    stated: Scales


def contradiction(path: Path) -> str | None:
    """One sentence on the steps that contradict each other most, None where none do.

    Raises InputError for a package that cannot be read.
    """
    reader = {".tflite": _of_litert, ".pte": _of_executorch, ".mlpackage": _of_coreml}[path.suffix]
    worst, factor, count = None, 1.0, 0
    with quiet(None):
        for each in reader(path):
            ratios = each.stated / each.follows
            ratio = float(ratios[np.abs(np.log(ratios)).argmax()])
            if abs(np.log(ratio)) > NEAR:
                count += 1
                if worst is None or abs(np.log(ratio)) > abs(np.log(factor)):
                    worst, factor = each, ratio
    if worst is None:
        return None
    return (
        f"{count} int8 scales contradict the tensors they follow from, first '{worst.name[-60:]}' "
        f"by a factor of {factor:.4g}, expected 1: the scale of it, its weight or its input was "
        "changed after the conversion; export again"
    )


def _of_litert(path: Path) -> Iterator[Twice]:
    interpreter = open_interpreter(path)
    tensors = {each["index"]: each for each in interpreter.get_tensor_details()}

    def scales(index: int) -> Scales:
        return np.array(tensors[index]["quantization_parameters"]["scales"], np.float64)

    for node in interpreter._get_ops_details():
        if node["op_name"] in BIASED and len(node["inputs"]) == 3:
            given, weight, bias = map(scales, node["inputs"])
            if len(given) and len(weight) and len(bias):
                yield Twice(tensors[node["inputs"][2]]["name"], given * weight, bias)


def _of_executorch(path: Path) -> Iterator[Twice]:
    data = path.read_bytes()
    program = decode(PROGRAM, data)
    start = HEADER.unpack_from(data)[-2]
    named = {
        each["key"]: program["segments"][each["segment_index"]] for each in program["named_data"]
    }
    (plan,) = (each for each in program["execution_plan"] if each["name"] == "forward")
    for delegate in plan["delegates"]:
        graph = decode(GRAPH, payload(path, data, program, delegate))
        values = {_tensor(value)["id_out"]: value["xvalue_union"] for value in graph["xvalues"]}

        def scales(index: int, graph: Any = graph, values: Any = values) -> Scales:
            params = values[index].get("quant_params", {}) if index in values else {}
            if place := params.get("scale_buffer_idx"):
                stored = named[graph["constant_data"][place]["named_key"]]
                found = data[start + stored["offset"] :][: stored["size"]]
                return np.frombuffer(found, np.float32).astype(np.float64)
            return np.atleast_1d(np.array(params.get("scale", []), np.float64))

        for node in graph["xnodes"]:
            content = node["xnode_union"]
            if "filter_id" in content:
                ids = (content[key] for key in ("input1_id", "filter_id", "bias_id"))
                given, weight, bias = map(scales, ids)
                if len(given) and len(weight) and len(bias) and given.min() > LEAST:
                    yield Twice(f"bias {content['bias_id']}", given * weight, bias)


def _tensor(value: Any) -> Any:
    return value["xvalue_union"].get("tensor_value", value["xvalue_union"])


def _of_coreml(path: Path) -> Iterator[Twice]:
    for op in rebuild(path).operations:
        if op.op_type == "quantize":
            for behind in op.outputs[0].child_ops:
                if behind.op_type == "dequantize":
                    follows, stated = (np.atleast_1d(each.scale.val) for each in (op, behind))
                    yield Twice(behind.name, follows.astype(np.float64), stated.astype(np.float64))
