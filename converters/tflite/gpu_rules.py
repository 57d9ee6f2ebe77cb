"""What LiteRT's GPU delegate takes, by its documentation: its compiled check is in no package.

Sources: the operations and their limits in tensorflow/lite/tools/versioning/gpu_compatibility.cc,
the rule on types in tensorflow/lite/delegates/gpu/common/model_builder.cc (GetOpsToReplace), the
list of operations at https://ai.google.dev/edge/litert/performance/gpu. A device may take less.
"""

from collections.abc import Sequence
from typing import Protocol

GPU = "GPU"
OPERATIONS = frozenset({
    "ABS", "ADD", "ADD_N", "ATAN2", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CAST", "CEIL",
    "CONCATENATION", "CONV_2D", "COS", "CUMSUM", "DENSIFY", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "DIV", "DYNAMIC_UPDATE_SLICE", "ELU", "EMBEDDING_LOOKUP", "EQUAL", "EXP",
    "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER", "GELU", "GREATER",
    "GREATER_EQUAL", "HARD_SWISH", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND",
    "LOGISTIC", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG",
    "NOT_EQUAL", "ONE_HOT", "PACK", "PAD", "PADV2", "POW", "PRELU", "QUANTIZE", "REDUCE_MAX",
    "REDUCE_MIN", "REDUCE_PROD", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SELECT", "SELECT_V2", "SIGN", "SIN", "SLICE", "SOFTMAX",
    "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE",
    "STABLEHLO_CLAMP", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TILE", "TRANSPOSE",
    "TRANSPOSE_CONV",
})  # fmt: skip
FLOATS = ("float32", "float16")
# Inputs of whole numbers that have a meaning of their own, by position.
INDICES = {"EMBEDDING_LOOKUP": 0, "GATHER": 1, "ONE_HOT": 0, "SELECT": 0, "SELECT_V2": 0}
MAX_DIMENSIONS = 4


class TensorLike(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def step(self) -> float | None: ...
    @property
    def constant(self) -> bool: ...


class NodeLike(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def inputs(self) -> Sequence[TensorLike]: ...
    @property
    def outputs(self) -> Sequence[TensorLike]: ...


def why_not_on_gpu(node: NodeLike) -> str | None:
    """Why the delegate does not take a node, None if no rule speaks against it."""
    if node.kind not in OPERATIONS:
        return "no such operation"
    if node.kind == "CAST":
        return _cast(node)
    indices = INDICES.get(node.kind)
    values = [t for i, t in enumerate(node.inputs) if i != indices]
    for tensor in (*values, *node.outputs):
        if not tensor.constant and tensor.dtype not in (*FLOATS, "bool") and tensor.step is None:
            return f"is on {tensor.dtype}, expected float or int8"
        if len(tensor.shape) > MAX_DIMENSIONS:
            return f"has {len(tensor.shape)} dimensions, expected up to {MAX_DIMENSIONS}"
    if node.kind in ("SLICE", "STRIDED_SLICE") and len(node.inputs[0].shape) not in (3, 4):
        return f"slices {len(node.inputs[0].shape)} dimensions, expected 3 or 4"
    if node.kind in ("PAD", "PADV2", "MIRROR_PAD") and node.inputs[1].shape[0] not in (3, 4):
        return f"pads {node.inputs[1].shape[0]} dimensions, expected 3 or 4"
    if node.kind in ("EMBEDDING_LOOKUP", "GATHER"):
        ids = node.inputs[INDICES[node.kind]]
        if len(ids.shape) != 1:
            return f"has indices of {len(ids.shape)} dimensions, expected 1"
    if node.kind == "MUL" and _crosses(node.inputs[0].shape, node.inputs[1].shape):
        return "multiplies two tensors that both grow, expected one not less in any dimension"
    return None


def _cast(node: NodeLike) -> str | None:
    types = node.inputs[0].dtype, node.outputs[0].dtype
    numbers = {"float32", "int32"}
    if set(types) <= numbers or ("bool" in types and set(types) & set(FLOATS)):
        return None
    return f"casts {types[0]} to {types[1]}, expected float32, int32 or bool"


def _crosses(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    if len(one) != len(other):
        return False
    pairs = list(zip(one, other, strict=True))
    return any(a < b for a, b in pairs) and any(a > b for a, b in pairs)
