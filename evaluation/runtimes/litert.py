"""Runs a `.tflite` file by LiteRT, with its XNNPACK delegate."""

from pathlib import Path
from typing import Any

import numpy as np

from converters.card import KEY
from converters.tools import quiet, require
from evaluation.runtimes.base import (
    Frame,
    Port,
    broken,
    detections,
    frame_size,
    labels_in,
    output_order,
    require_frame,
)
from model.detections import Detections


class LiteRTRunner:
    def __init__(self, path: Path, threads: int | None = None) -> None:
        litert = require("ai_edge_litert.interpreter", "litert")
        try:
            with quiet(None):
                self._net = litert.Interpreter(str(path), num_threads=threads)
                self._net.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise broken(path, error) from error
        self._path = path
        inputs, outputs = self._net.get_input_details(), self._net.get_output_details()
        self.size = frame_size(path, [_port(tensor) for tensor in inputs])
        self._order = output_order(path, [_port(tensor) for tensor in outputs])
        self._input = inputs[0]["index"]
        self._outputs = [tensor["index"] for tensor in outputs]
        self.labels = labels_in(essentials(path), path)

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        self._net.set_tensor(self._input, frame[None])
        try:
            self._net.invoke()
        except RuntimeError as error:
            raise broken(self._path, error) from error
        return detections([self._net.get_tensor(i) for i in self._outputs], self._order)


def _port(tensor: Any) -> Port:
    return Port(tensor["name"], tuple(map(int, tensor["shape"])), np.dtype(tensor["dtype"]).name)


def essentials(path: Path) -> bytes | None:
    """The metadata buffer of a file that the interpreter has already accepted."""
    schema = require("ai_edge_litert.schema_py_generated", "litert")
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == KEY.encode():
            return bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    return None
