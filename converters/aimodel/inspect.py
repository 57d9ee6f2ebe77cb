"""Reads an `.aimodel`: its operations with their shapes and types.

Core AI decides on the device what the Neural Engine computes. Here stand the rules that Apple
documents; an operation that none of them names may still run elsewhere.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from deimv2.converters.aimodel.asset import (
    interface,
    operations,
    read_card,
    read_graph,
    tensor,
)
from deimv2.converters.inspection import (
    MAX_DIMENSIONS,
    NEURAL_ENGINE,
    Constant,
    Delegate,
    Inspection,
    Operation,
    bits_of,
    of_product,
    per_output,
)
from deimv2.converters.runner import parsed_card
from deimv2.model.files import size_of

TYPES = ("float16", "int8", "int16")
PREFIXES = ("coreai.decomposable.", "coreai.")
STORED = "coreai.blockwise_shift_scale"
DEQUANTIZED = (STORED, "coreai.dequantize")


def read(path: Path) -> Inspection:
    graph = read_graph(path)
    inputs, outputs = interface(graph)
    made = [op for op in operations(graph) if op.name != "coreai.output"]
    card = read_card(path)
    return Inspection(
        artifact=path.name,
        size=size_of(path),
        metadata=len(card.encode()) if card else 0,
        card=parsed_card(card, path),
        inputs=inputs,
        outputs=outputs,
        operations=[_operation(op) for op in made if op.name != "coreai.constant"],
        delegates=(Delegate(NEURAL_ENGINE, "the rules that are documented"),),
        constants=list(_constants(op for op in made if op.name == "coreai.constant")),
    )


def why_not(types: Sequence[tuple[tuple[int, ...], str]]) -> str | None:
    """Why the Neural Engine does not take an operation on values of these shapes and types, None if
    no rule says so.

    https://github.com/apple/coreai-models, skills/skills/model-authoring/references/
    neural_engine_rules.md: float16, int8 and int16, up to five dimensions.
    """
    if others := sorted({dtype for _, dtype in types} - set(TYPES)):
        return f"is typed {others[0]}, expected {' or '.join(TYPES)}"
    if most := max((len(shape) for shape, _ in types if len(shape) > MAX_DIMENSIONS), default=0):
        return f"has {most} dimensions, expected up to {MAX_DIMENSIONS}"
    return None


def _operation(op: Any) -> Operation:
    """An operation with its cost. Filters are [out, in, ...]."""
    kind = op.name
    for prefix in PREFIXES:
        kind = kind.removeprefix(prefix)
    out, _ = tensor(op.results[0].type)
    factors: Sequence[Any] = ()
    macs = 0
    match kind:
        case "conv2d":
            factors = op.operands[:2]
            macs = per_output(out, tensor(factors[1].type)[0][1:])
        case "batch_matmul" | "broadcasting_batch_matmul":
            factors = op.operands[:2]
            macs = of_product(tensor(factors[0].type)[0], out)
    moving = [value for value in op.operands if maker(value) not in ("coreai.constant", STORED)]
    reason = why_not([tensor(value.type) for value in [*moving, *op.results]])
    return Operation(
        kind,
        out,
        macs,
        bool(macs) and all(maker(factor) in DEQUANTIZED for factor in factors),
        {NEURAL_ENGINE: reason} if reason else {},
    )


def maker(value: Any) -> str:
    """The operation that makes a value; empty for an input."""
    return str(getattr(value.owner, "name", ""))


def _constants(made: Iterator[Any]) -> Iterator[Constant]:
    """A constant that repeats one number is stored as that number."""
    for place, op in enumerate(made):
        shape, dtype = tensor(op.results[0].type)
        one = getattr(op.attributes["value"], "is_splat", False)
        count = 1 if one else math.prod(shape)
        yield Constant(f"constant {place}", dtype, shape, count * bits_of(dtype) // 8)
