"""Runs an `.onnx` file by ONNX Runtime, on the CPU."""

from pathlib import Path
from typing import Any

from deimv2.converters.metadata import KEY
from deimv2.converters.onnx import ONNX
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
from deimv2.model.detections import Detections
from deimv2.model.errors import MissingExtraError
from deimv2.model.optional import require
from deimv2.model.ports import Port

TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(int32)": "int32"}


class OnnxRunner:
    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            self._net = open_session(path, threads)
        except MissingExtraError:
            raise
        except Exception as error:  # its own exceptions share no base class below this
            raise broken(path, error) from error
        self._path, self.inside = path, Stopwatch()
        inputs, outputs = interface(self._net)
        self.size = frame_size(path, inputs)
        self._input = inputs[0].name
        self.order = output_order(path, outputs)
        self.labels = labels_in(read_card(self._net), path)

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        try:
            with self.inside:
                outputs = self._net.run(None, {self._input: frame[None]})
        except Exception as error:  # as above
            raise broken(self._path, error) from error
        return detections(outputs, self.order)


def open_session(path: Path, threads: int | None = None) -> Any:
    """ONNX Runtime's session on the CPU; raises one of its own errors for a broken file."""
    runtime = require("onnxruntime", ONNX.extra)
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # what matters is raised
    if threads is not None:
        options.intra_op_num_threads = threads
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def interface(session: Any) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs of a session."""
    inputs, outputs = (
        [
            Port(value.name, tuple(value.shape), TYPES.get(value.type, value.type))
            for value in values
        ]
        for values in (session.get_inputs(), session.get_outputs())
    )
    return inputs, outputs


def read_card(session: Any) -> str | None:
    """The card's text in a session's file, None where it has none."""
    return session.get_modelmeta().custom_metadata_map.get(KEY)
