"""Runs a `.tflite` file by LiteRT, with its XNNPACK delegate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deimv2.converters.metadata import KEY
from deimv2.converters.runner import (
    Frame,
    Stopwatch,
    broken,
    detections,
    frame_size,
    labels_in,
    output_order,
    require_frame,
)
from deimv2.converters.tflite import TFLITE
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError, MissingExtraError
from deimv2.model.optional import quiet, require
from deimv2.model.ports import Port

DISPATCH = "DISPATCH_OP"  # the operation that stands for what an NPU's compiler took


class LiteRTRunner:
    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._net = _opened(path, threads)
        self._path, self.inside = path, Stopwatch()
        inputs, outputs = self._net.get_input_details(), self._net.get_output_details()
        self.size = frame_size(path, [_port(tensor) for tensor in inputs])
        self.order = output_order(path, [_port(tensor) for tensor in outputs])
        self.queries = int(outputs[self.order[1]]["shape"][1])
        self._input = inputs[0]["index"]
        self._outputs = [tensor["index"] for tensor in outputs]
        self.labels = labels_in(read_card(path), path)

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        self._net.set_tensor(self._input, frame[None])
        try:
            with self.inside:
                self._net.invoke()
        except RuntimeError as error:
            raise broken(self._path, error) from error
        return detections([self._net.get_tensor(i) for i in self._outputs], self.order)


def open_foreign(path: Path, threads: int) -> Callable[[], None]:
    """What runs a `.tflite` of anybody once, on random numbers from 0 to 1 (integers: 0 to 255).

    Raises InputError for a file that does not open.
    """
    net = _opened(path, threads)
    random = np.random.default_rng(0)
    for tensor in net.get_input_details():
        values = random.random(tensor["shape"], np.float32)
        scale = 255 if np.issubdtype(tensor["dtype"], np.integer) else 1
        net.set_tensor(tensor["index"], (scale * values).astype(tensor["dtype"]))
    run: Callable[[], None] = net.invoke
    return run


def _opened(path: Path, threads: int | None) -> Any:
    """LiteRT's interpreter of a file. Raises InputError for one that does not open."""
    try:
        with quiet(None):
            return open_interpreter(path, threads)
    except MissingExtraError:  # a ValueError too
        raise
    except (ValueError, RuntimeError) as error:
        if DISPATCH in str(error):
            raise InputError(
                f"'{path}' is compiled for an NPU and runs on that alone; use the .tflite that it "
                "was compiled from"
            ) from error
        raise broken(path, error) from error


def _port(tensor: Any) -> Port:
    return Port(tensor["name"], tuple(map(int, tensor["shape"])), np.dtype(tensor["dtype"]).name)


def open_interpreter(path: Path, threads: int | None = None) -> Any:
    """LiteRT's interpreter, ready to run; ValueError or RuntimeError for a broken file."""
    litert: Any = require("ai_edge_litert.interpreter", TFLITE.extra)
    interpreter = litert.Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def read_card(path: Path) -> str | None:
    """The card's text in a `.tflite` that the interpreter accepts, None where it has none."""
    schema = require("ai_edge_litert.schema_py_generated", TFLITE.extra)
    # Read in place: unpacking the model into objects takes seconds.
    return card_of(schema.Model.GetRootAs(path.read_bytes(), 0))


def card_of(model: Any) -> str | None:
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == KEY.encode():
            return bytes(model.Buffers(entry.Buffer()).DataAsNumpy()).decode(errors="replace")
    return None
