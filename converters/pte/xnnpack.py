"""XNNPACK inside a `.pte`, and what ExecuTorch 1.5.1 leaves undone for it in float16.

XNNPACK casts between float16 and float32, but ExecuTorch does not offer it that: each cast is a
kernel of its own, slow, and splits the delegate's part in two. Here casts become an operation that
ExecuTorch does not know, with all that it needs to hand it over. A GELU, which XNNPACK has in
float32 alone, is computed between two of them. And the weights of convolutions are written in
float32, twice the bytes; here they stay in float16 (docs/decisions/003).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from deimv2.converters.pte import PTE
from deimv2.model.optional import require

FLOATS = {torch.float16, torch.float32}
BACKEND = "executorch.backends.xnnpack"


@torch.library.custom_op("deimv2::cast", mutates_args=())
def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype, copy=True)


@cast.register_fake
def _(x: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.empty_like(x, dtype=dtype)


def with_casts() -> Any:
    """A pass over ExecuTorch's edge program that makes casts between the two types `cast`, and a
    GELU of float16 one of float32. Some casts were added on the way there: PyTorch computes a SiLU
    in float32."""
    bases = require("executorch.exir.pass_base", PTE.extra)
    edge = require("executorch.exir.dialects._ops", PTE.extra).ops.edge
    cast = edge.deimv2.cast.default

    class WithCasts(bases.ExportPass):  # type: ignore[misc, name-defined]
        def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
            call = super().call_operator
            copies = op == edge.dim_order_ops._to_dim_order_copy.default
            if copies and {args[0].data.dtype, kwargs.get("dtype")} == FLOATS:
                return call(cast, (args[0], kwargs["dtype"]), {}, meta)
            if op == edge.aten.gelu.default and args[0].data.dtype == torch.float16:
                wide = call(cast, (args[0], torch.float32), {}, meta)
                return call(cast, (call(op, (wide,), kwargs, meta), torch.float16), {}, meta)
            return call(op, args, kwargs, meta)

    return WithCasts()


def partitioner() -> Any:
    """ExecuTorch's, which takes `cast` too."""
    configs = require(f"{BACKEND}.partition.config", PTE.extra)
    generic = require(f"{BACKEND}.partition.config.generic_node_configs", PTE.extra)
    partition = require(f"{BACKEND}.partition.xnnpack_partitioner", PTE.extra)
    visitor = require(f"{BACKEND}.operators.node_visitor", PTE.extra)
    schema = require(f"{BACKEND}.serialization.xnnpack_graph_schema", PTE.extra)

    class CastConfig(generic.GenericNodePartitionerConfig):  # type: ignore[misc, name-defined]
        target_name = "cast.default"

        def supported_precision_types(self) -> list[Any]:
            return [generic.ConfigPrecisionType.FP32]

    class Cast(visitor.NodeVisitor):  # type: ignore[misc, name-defined]
        target = "deimv2.cast.default"

        def define_node(self, node: Any, graph: Any, ids: dict[Any, int], handle: int) -> None:
            (source,) = node.all_input_nodes
            for each in (source, node):
                self.define_tensor(each, graph, ids)
            convert = schema.XNNConvert(input_id=ids[source], output_id=ids[node], flags=0)
            graph.xnodes.append(schema.XNode(xnode_union=convert, debug_handle=handle))

    visitor.register_node_visitor(Cast)
    return partition.XnnpackPartitioner(configs=[*configs.ALL_PARTITIONER_CONFIGS, CastConfig])


@contextmanager
def with_halves_kept() -> Iterator[None]:
    """Within the block, ExecuTorch writes constants that are in float16 as they are. It has no
    option for that, so its method that writes a constant is replaced."""
    visitor: Any = require(f"{BACKEND}.operators.node_visitor", PTE.extra)
    define = visitor.NodeVisitor.define_tensor

    def define_as_it_is(
        self: Any, tensor: Any, *args: Any, force_fp32: bool = False, **options: Any
    ) -> None:
        forced = force_fp32 and tensor.meta["val"].dtype != torch.float16
        define(self, tensor, *args, force_fp32=forced, **options)

    visitor.NodeVisitor.define_tensor = define_as_it_is
    try:
        yield
    finally:
        visitor.NodeVisitor.define_tensor = define
