"""What a `.tflite` stores, written into it after the conversion by AI Edge Quantizer.

float16 means weights stored in half precision. A CPU computes them in float32, a GPU delegate in
float16. int8-weight means large weights stored as int8, and all computed as before. int8 and
int8x16 compute convolutions in integers and store linear layers, which stay in float, as float16:
LiteRT's GPU delegate refuses int8 weights of theirs with a step for each channel. So do int8 files
with convolutions that stay in float.
"""

import re
from pathlib import Path
from typing import Any

from deimv2.converters.contract import INPUT
from deimv2.converters.precision import Precision
from deimv2.converters.runner import Frames
from deimv2.converters.tflite import TFLITE
from deimv2.model.errors import CheckError
from deimv2.model.optional import require
from deimv2.quantization.rounding import MIN_WEIGHTS

SIGNATURE = "serving_default"
LINEAR = "FULLY_CONNECTED"
CONVOLUTIONS = "CONV_2D", "DEPTHWISE_CONV_2D"
INT16 = "CONV_2D"  # not depthwise ones: Qualcomm's compiler takes none with int16 activations


def store_weights(path: Path, kind: Precision, frames: Frames = ()) -> None:
    """Rewrites the file as the precision stores it. What is int8 already stays so, and weights that
    lie on their steps already are not changed.

    frames: uint8 [H, W, 3] each, to calibrate on; int8x16 alone needs them.
    """
    quantizer = require("ai_edge_quantizer.quantizer", TFLITE.extra).Quantizer(str(path))
    if kind.stores == "float16":
        store(quantizer, "ALL_SUPPORTED", half=True)
    elif kind.calibrates:
        for operation in (LINEAR, *(CONVOLUTIONS if kind.rounds else ())):
            if names := in_float(path, operation):
                pattern = rf"^({'|'.join(map(re.escape, names))})(;|$)"
                store(quantizer, operation, half=True, pattern=pattern)
    else:
        for name in (*CONVOLUTIONS, LINEAR):
            store(quantizer, name, half=False)
    types, algorithms = quantization_types()
    quantizer.update_quantization_recipe(  # the GPU takes no gather from what is dequantized
        regex=".*",
        operation_name=types.TFLOperationName.EMBEDDING_LOOKUP,
        algorithm_key=algorithms.NO_QUANTIZE,
    )
    calibrated = {} if kind.computes != "int16" else calibrate(quantizer, frames)
    quantizer.quantize(**calibrated).export_model(str(path), overwrite=True)


def in_float(path: Path, operation: str) -> list[str]:
    """The names of what operations of a kind give whose weights are float32."""
    schema = require("ai_edge_litert.schema_py_generated", TFLITE.extra)
    model = require("ai_edge_litert.tools.flatbuffer_utils", TFLITE.extra).read_model(str(path))
    kind, (graph,) = getattr(schema.BuiltinOperator, operation), model.subgraphs
    return [
        graph.tensors[op.outputs[0]].name.decode()
        for op in graph.operators
        if model.operatorCodes[op.opcodeIndex].builtinCode == kind
        and graph.tensors[op.inputs[1]].type == schema.TensorType.FLOAT32
    ]


def store(quantizer: Any, operation: str, half: bool, pattern: str = ".*") -> None:
    """Weights of an operation as float16, or large ones as int8; computed in float32 either way.

    pattern: of the names of what the operation gives.
    """
    types, algorithms = quantization_types()
    granularity = types.QuantGranularity
    weights = types.TensorQuantizationConfig(
        num_bits=16 if half else 8,
        dtype=types.TensorDataType.FLOAT if half else types.TensorDataType.INT,
        granularity=granularity.TENSORWISE if half else granularity.CHANNELWISE,
    )
    quantizer.update_quantization_recipe(
        regex=pattern,
        operation_name=types.TFLOperationName[operation],
        op_config=types.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=types.ComputePrecision.FLOAT,
            explicit_dequantize=True,
            min_weight_elements=0 if half else MIN_WEIGHTS,
        ),
        algorithm_key=algorithms.FLOAT_CASTING if half else algorithms.MIN_MAX_UNIFORM_QUANT,
    )


def calibrate(quantizer: Any, frames: Frames) -> dict[str, Any]:
    """Convolutions with int16 activations, whose ranges are what the frames reach."""
    if not frames:
        raise CheckError("int8x16 was asked for without frames, expected some to calibrate on")
    types, algorithms = quantization_types()
    quantizer.add_static_config(
        regex=".*",
        operation_name=types.TFLOperationName[INT16],
        activation_num_bits=16,
        weight_num_bits=8,
        algorithm_key=algorithms.MIN_MAX_UNIFORM_QUANT,  # keeps weights that lie on their steps
    )
    data = {SIGNATURE: [{INPUT: frame[None]} for frame in frames]}
    return {"calibration_result": quantizer.calibrate(data, num_threads=1)}


def quantization_types() -> tuple[Any, Any]:
    """AI Edge Quantizer's types and the names of its algorithms."""
    algorithms = require("ai_edge_quantizer.algorithm_manager", TFLITE.extra)
    return require("ai_edge_quantizer.qtyping", TFLITE.extra), algorithms.AlgorithmName
