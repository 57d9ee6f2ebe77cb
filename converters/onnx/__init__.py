"""`.onnx` for ONNX Runtime, and for toolchains that start from ONNX."""

from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.converters.format import Format

if TYPE_CHECKING:
    from deimv2.converters.inspection import Inspection
    from deimv2.converters.metadata import ModelCard
    from deimv2.converters.runner import ArtifactRunner, Frames
    from deimv2.model import DEIMv2


class Onnx(Format):
    name = "onnx"
    title = "ONNX"
    extra = "onnx"
    packages = ("onnx", "onnxruntime", "onnxscript")
    precisions = ("fp32", "fp16")
    by_default = False

    def convert(self, net: "DEIMv2", card: "ModelCard", path: Path, frames: "Frames" = ()) -> None:
        from deimv2.converters.onnx.convert import convert

        convert(net, card, path)

    def open(self, path: Path, threads: int | None) -> "ArtifactRunner":
        from deimv2.converters.onnx.run import OnnxRunner

        return OnnxRunner(path, threads)

    def inspect(self, path: Path) -> "Inspection":
        from deimv2.converters.onnx.inspect import read

        return read(path)


ONNX = Onnx()
