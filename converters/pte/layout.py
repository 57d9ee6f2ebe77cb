"""A frame of a `.pte` for XNNPACK stays as it comes, in NHWC.

PyTorch's network wants NCHW and XNNPACK's convolutions NHWC, so ExecuTorch has the frame
transposed there and back, the latter in int8 by a kernel that is slow for three channels. None of
its passes sees that the two cancel, and a delegate takes no input but a contiguous one
(docs/decisions/014).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deimv2.converters.pte import PTE
from deimv2.model.optional import require

TRANSPOSE = "XNNStaticTranspose"


@contextmanager
def without_transpositions_that_cancel() -> Iterator[None]:
    """Within the block, ExecuTorch writes XNNPACK's graphs without such pairs. It has no place for
    passes of others, so its function that writes a graph is replaced."""
    module: Any = require("executorch.backends.xnnpack.xnnpack_preprocess", PTE.extra)
    write = module.serialize_xnnpack_binary

    def write_without(graph: Any, constants: bytearray) -> Any:
        cancel(graph)
        return write(graph, constants)

    module.serialize_xnnpack_binary = write_without
    try:
        yield
    finally:
        module.serialize_xnnpack_binary = write


def cancel(graph: Any) -> None:
    """Takes out, in place, each pair of transpositions of an `XNNGraph` that gives back what it was
    given; the first of a pair stays where something else reads it."""
    made = {node.xnode_union.output_id: node.xnode_union for node in graph.xnodes}
    for back in filter(transposes, list(made.values())):
        there: Any = made.get(back.input_id)
        if back.output_id in graph.output_ids or not transposes(there):
            continue
        if [there.perm[axis] for axis in back.perm] == list(range(len(back.perm))):
            for reader in readers(graph, back.output_id):
                read_instead(reader, back.output_id, there.input_id)
            drop(graph, back)
            if there.output_id not in graph.output_ids and not readers(graph, there.output_id):
                drop(graph, there)


def transposes(operation: Any) -> bool:
    return type(operation).__name__ == TRANSPOSE


def readers(graph: Any, value: int) -> list[Any]:
    """The operations that take the value of this number."""
    return [node.xnode_union for node in graph.xnodes if value in inputs(node.xnode_union).values()]


def inputs(operation: Any) -> dict[str, int]:
    fields = vars(operation).items()
    return {name: value for name, value in fields if name.endswith("_id") and name != "output_id"}


def read_instead(operation: Any, value: int, other: int) -> None:
    for name, given in inputs(operation).items():
        if given == value:
            setattr(operation, name, other)


def drop(graph: Any, operation: Any) -> None:
    graph.xnodes[:] = [node for node in graph.xnodes if node.xnode_union is not operation]
    graph.xvalues[:] = [v for v in graph.xvalues if number(v) != operation.output_id]


def number(value: Any) -> int:
    """The number of an `XValue`; that of a quantized one is in the tensor inside it."""
    content = value.xvalue_union
    return int(getattr(content, "tensor_value", content).id_out)
