"""What a `.tflite` stores in which type."""

from pathlib import Path

import pytest

from deimv2.api.calibration import to_int8
from deimv2.converters.metadata import ModelCard
from deimv2.converters.tflite import TFLITE
from deimv2.model.weights.sources import load

DATA = Path(__file__).parents[2] / "data" / "garments" / "val"


@pytest.mark.long
def test_linear_layers_of_int8_stay_so_and_float_ones_are_halved(tmp_path: Path) -> None:
    """Of N, whose encoder has linear layers in int8."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    loaded = load("n", "random", None, (256, 256))
    to_int8(loaded, "random", DATA, 8)
    path, net = tmp_path / "n.tflite", loaded.net
    card = ModelCard(
        "n", "int8", net.image_size, net.variant.decoder.queries, loaded.labels, "random", "0" * 64
    )
    TFLITE.convert(net, card, path)
    model = read_model(str(path))
    graph = model.subgraphs[0]
    linear = [
        tuple(graph.tensors[i].type for i in op.inputs[:2])
        for op in graph.operators
        if model.operatorCodes[op.opcodeIndex].builtinCode == BuiltinOperator.FULLY_CONNECTED
    ]
    assert set(linear) == {
        (TensorType.INT8, TensorType.INT8), (TensorType.FLOAT32, TensorType.FLOAT32),
    }  # fmt: skip
    assert any(tensor.type == TensorType.FLOAT16 for tensor in graph.tensors)
