"""Runs an `.onnx` file by ONNX Runtime, on the CPU."""

from pathlib import Path
from typing import Any

from converters.card import KEY
from converters.tools import require
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

DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(int32)": "int32"}


class OnnxRunner:
    def __init__(self, path: Path, threads: int | None = None) -> None:
        runtime = require("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # what matters is raised
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._net = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own exceptions share no base class below this
            raise broken(path, error) from error
        self._path = path
        inputs = [_port(tensor) for tensor in self._net.get_inputs()]
        self.size = frame_size(path, inputs)
        self._input = inputs[0].name
        self._order = output_order(path, [_port(tensor) for tensor in self._net.get_outputs()])
        self.labels = labels_in(self._net.get_modelmeta().custom_metadata_map.get(KEY), path)

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        try:
            outputs = self._net.run(None, {self._input: frame[None]})
        except Exception as error:  # as above
            raise broken(self._path, error) from error
        return detections(outputs, self._order)


def _port(tensor: Any) -> Port:
    return Port(tensor.name, tuple(tensor.shape), DTYPES.get(tensor.type, tensor.type))
