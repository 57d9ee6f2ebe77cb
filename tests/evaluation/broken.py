"""What breaks a good `.tflite`: changes of its flatbuffer, which LiteRT runs all the same.

Each takes the model as objects of LiteRT's schema, `ModelT`.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

Change = Callable[[Any], None]


def patch(path: Path, change: Change) -> None:
    model = flatbuffer_utils.read_model(str(path))
    change(model)
    flatbuffer_utils.write_model(model, str(path))


def outputs_swapped(model: Any) -> None:
    """Boxes go by the name of scores, and the other way round."""
    boxes, scores = (entry_of(model, name) for name in ("boxes", "scores"))
    boxes.name, scores.name = scores.name, boxes.name


def labels_shifted(model: Any) -> None:
    """1 is added to them behind all that is there."""
    graph, entry = model.subgraphs[0], entry_of(model, "labels")
    one, shifted = (copy.copy(graph.tensors[entry.tensorIndex]) for _ in range(2))
    one.name, one.shape, one.buffer = b"one", np.array([1], np.int32), len(model.buffers)
    shifted.name = b"shifted"
    buffer = schema.BufferT()
    buffer.data = bytes_of(np.int32([1]))
    model.buffers.append(buffer)
    add = schema.OperatorT()
    add.opcodeIndex = next(
        i for i, c in enumerate(model.operatorCodes) if c.builtinCode == schema.BuiltinOperator.ADD
    )
    add.builtinOptionsType, add.builtinOptions = (
        schema.BuiltinOptions.AddOptions, schema.AddOptionsT(),
    )  # fmt: skip
    count = len(graph.tensors)
    add.inputs, add.outputs = [entry.tensorIndex, count], [count + 1]
    graph.tensors += [one, shifted]
    graph.operators.append(add)
    graph.outputs = [count + 1 if i == entry.tensorIndex else i for i in graph.outputs]
    entry.tensorIndex = count + 1


def channels_reversed(model: Any) -> None:
    """The first convolution takes blue for red."""
    buffer = weight_of_first_convolution(model)
    weight = floats(buffer).reshape(-1, 3)
    buffer.data = bytes_of(weight[:, ::-1])


def normalisation_missing(model: Any) -> None:
    scale(model, lambda found: np.allclose(found, 1 / 255, rtol=1e-5), 255)


def normalised_twice(model: Any) -> None:
    scale(model, lambda found: np.allclose(found, 1 / 255, rtol=1e-5), 1 / 255)


def boxes_doubled(model: Any) -> None:
    """By the matrix that turns centre and size to corners."""
    scale(model, lambda found: len(found) == 16 and set(np.abs(found)) == {0, 0.5, 1}, 2)


def weight_damaged(model: Any) -> None:
    """One byte: the highest bit of an exponent, by which a weight becomes huge."""
    buffer = weight_of_first_convolution(model)
    data = np.array(buffer.data, np.uint8)
    data[3] ^= 0x40
    buffer.data = data


def scale(model: Any, known: Callable[[Any], bool], factor: float) -> None:
    """Multiplies the one constant that is known by its values."""
    (buffer,) = (
        b for b in model.buffers
        if b.data is not None and len(b.data) in (4, 12, 64) and known(floats(b))
    )  # fmt: skip
    buffer.data = bytes_of(floats(buffer) * np.float32(factor))


def weight_of_first_convolution(model: Any) -> Any:
    graph = model.subgraphs[0]
    code = schema.BuiltinOperator.CONV_2D
    first = next(
        op for op in graph.operators if model.operatorCodes[op.opcodeIndex].builtinCode == code
    )
    return model.buffers[graph.tensors[first.inputs[1]].buffer]


def entry_of(model: Any, name: str) -> Any:
    (entry,) = (each for each in model.signatureDefs[0].outputs if each.name.decode() == name)
    return entry


def floats(buffer: Any) -> Any:
    return np.frombuffer(np.array(buffer.data, np.uint8).tobytes(), np.float32)


def bytes_of(array: Any) -> Any:
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
