"""Whether the int8 steps (scales) in a file are what they must be.

Some a file states twice: an int8 layer adds its int32 bias to products of input and weight, so in
`.tflite` and `.pte` the bias's step is the product of theirs. In `.tflite`, what only moves values
keeps their step; in `.mlpackage` a value is quantized and dequantized by the same one. A scale
changed in one place contradicts the other. A weight's in `.mlpackage` stands in one place alone:
where the network is at hand, the steps of all weights are compared with its own.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import nn

from converters.litert import EXTRA
from converters.tools import quiet, require
from evaluation.inspect import CONTRADICTIONS
from evaluation.inspect.executorch import GRAPH, PROGRAM, decode, payload
from evaluation.mil.package import rebuild
from evaluation.runtimes.base import broken
from evaluation.runtimes.executorch import HEADER, check_header
from model.errors import InputError
from quantization.rounding import RoundedConv, RoundedLinear, weight_scales

Scales = npt.NDArray[np.float64]
NEAR = 0.01  # `.pte` is read by way of JSON, with six decimals
LEAST = 1e-4  # of which those below leave less than two digits
BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
MOVING = ("MAX_POOL_2D", "PAD", "RESHAPE", "SLICE", "TRANSPOSE")


class Weight(NamedTuple):
    """The steps of an int8 weight, one per output channel."""

    name: str
    steps: Scales


class Twice(NamedTuple):
    """A step as it follows from other tensors, and as it is stated; one, or one per channel."""

    name: str
    follows: Scales
    stated: Scales


def contradiction(path: Path) -> str | None:
    """One sentence on the steps that contradict each other most, None where none do.

    Raises InputError for a file that cannot be read.
    """
    found = [(each.name, _ratio(each)) for each in _read(path) if isinstance(each, Twice)]
    wrong = [(name, ratio) for name, ratio in found if abs(np.log(ratio)) > NEAR]
    if not wrong:
        return None
    name, ratio = max(wrong, key=lambda each: abs(np.log(each[1])))
    return (
        f"{len(wrong)} of {len(found)} int8 scales contradict what they follow from, most of all "
        f"'{name[-60:]}' by a factor of {ratio:.4g}, expected 1: its scale, or that of its weight "
        "or input, was changed after the conversion; export again"
    )


def expected_steps(net: nn.Module) -> list[Scales]:
    """Of the weights of a network that rounds, by output channel; packed ones in parts too.

    Those of layers that compute in float are stored as int8 where they are large, and where their
    input happens to be int8, such a layer looks like one that computes in it.
    """
    found = [np.full(1, np.float16(1 / 9 / 127), np.float64)]  # average pooling, as a convolution
    for layer in net.modules():
        if isinstance(layer, RoundedConv | RoundedLinear | nn.Conv2d | nn.Linear):
            scales = weight_scales(layer.weight).double()
            found += [each.numpy() for each in (scales, *scales.chunk(3))]
    return found


def foreign_steps(path: Path, expected: Sequence[Scales]) -> str | None:
    """One sentence on the weight whose steps are least like those of any expected one.

    None where each is like one of them. Raises InputError for a file that cannot be read.
    """
    found = [each for each in _read(path) if isinstance(each, Weight)]
    factors = [(_nearest(each.steps, expected), each.name) for each in found]
    wrong = [each for each in factors if each[0] > NEAR]
    if not wrong:
        return None
    factor, name = max(wrong)
    return (
        f"{len(wrong)} of {len(found)} int8 weights have other steps than the checkpoint's, most "
        f"of all '{name[-60:]}', in a channel by a factor of {np.exp(factor):.4g}: its scale was "
        "changed by the conversion; convert again"
    )


def _nearest(steps: Scales, expected: Sequence[Scales]) -> float:
    """The logarithm of the largest ratio of a channel, to the weight where that is smallest."""
    alike = (each for each in expected if len(each) in (1, len(steps)))
    return min((float(np.abs(np.log(steps / each)).max()) for each in alike), default=np.inf)


def _ratio(each: Twice) -> float:
    """Stated by expected step, of the channel where that is farthest from 1."""
    ratios = each.stated / each.follows
    return float(ratios[np.abs(np.log(ratios)).argmax()])


def _read(path: Path) -> list[Weight | Twice]:
    reader = {".tflite": _of_litert, ".pte": _of_executorch, ".mlpackage": _of_coreml}[path.suffix]
    try:
        with quiet(None):
            return list(reader(path))
    except InputError:
        raise
    except (*CONTRADICTIONS, struct.error) as error:
        raise broken(path, f"{type(error).__name__}: {error}") from error


def _of_litert(path: Path) -> Iterator[Weight | Twice]:
    schema = require("ai_edge_litert.schema_py_generated", EXTRA)
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    codes = {getattr(schema.BuiltinOperator, kind): kind for kind in (*BIASED, *MOVING)}

    def scales(index: int) -> Scales:
        stated = graph.Tensors(index).Quantization()
        found = stated.ScaleAsNumpy() if stated is not None and stated.ScaleLength() else []
        return np.array(found, np.float64)

    for i in range(graph.OperatorsLength()):
        op = graph.Operators(i)
        kind = codes.get(model.OperatorCodes(op.OpcodeIndex()).BuiltinCode())
        if kind in BIASED and op.InputsLength() == 3 and op.Inputs(2) >= 0:
            given, weight, stated = (scales(op.Inputs(j)) for j in range(3))
            last, follows = op.Inputs(2), given * weight if len(given) else given
            if len(given) and len(weight):
                yield Weight(graph.Tensors(op.Inputs(1)).Name().decode(errors="replace"), weight)
        elif kind in MOVING:
            last, follows, stated = op.Outputs(0), scales(op.Inputs(0)), scales(op.Outputs(0))
        else:
            continue
        if len(follows) and len(stated):
            yield Twice(graph.Tensors(last).Name().decode(errors="replace"), follows, stated)


def _of_executorch(path: Path) -> Iterator[Weight | Twice]:
    check_header(path)
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
                if len(given) and len(weight):
                    yield Weight(f"weight {content['filter_id']}", weight)
                if len(given) and len(weight) and len(bias) and given.min() > LEAST:
                    yield Twice(f"bias {content['bias_id']}", given * weight, bias)


def _tensor(value: Any) -> Any:
    return value["xvalue_union"].get("tensor_value", value["xvalue_union"])


def _of_coreml(path: Path) -> Iterator[Weight | Twice]:
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
