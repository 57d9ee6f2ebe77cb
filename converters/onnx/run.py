"""Runs an `.onnx` file by ONNX Runtime, on the CPU."""

from pathlib import Path

from deimv2.converters.onnx.convert import interface, open_session, read_card
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
