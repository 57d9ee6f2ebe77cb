"""What a `.tflite` stores in which type."""

from pathlib import Path

from deimv2.cli.main import main

DATA = Path(__file__).parents[2] / "data" / "garments" / "val"


def test_linear_layers_of_int8_stay_so_and_float_ones_are_halved(tmp_path: Path) -> None:
    """Of N, whose encoder has linear layers in int8."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    given = ["--variant", "n", "--weights", "random", "--image-size", "320", "--precision", "int8"]
    given += ["--calibration", str(DATA), "--calibration-photos", "2", "--format", "tflite"]
    assert main(["export", *given, "--no-verify", "--output", str(tmp_path)]) == 0
    model = read_model(str(tmp_path / "deimv2-n-int8.tflite"))
    graph = model.subgraphs[0]
    linear = [
        tuple(graph.tensors[i].type for i in op.inputs[:2])
        for op in graph.operators
        if model.operatorCodes[op.opcodeIndex].builtinCode == BuiltinOperator.FULLY_CONNECTED
    ]
    assert set(linear) == {
        (TensorType.INT8, TensorType.INT8), (TensorType.FLOAT32, TensorType.FLOAT32),
    }  # fmt: skip
    halves = [tensor for tensor in graph.tensors if tensor.type == TensorType.FLOAT16]
    assert len(halves) == linear.count((TensorType.FLOAT32, TensorType.FLOAT32))
