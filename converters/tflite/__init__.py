"""`.tflite` for LiteRT."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.converters.format import GPU, GPU_FLOAT32, Format

if TYPE_CHECKING:
    from deimv2.converters.inspection import Inspection, Scaled
    from deimv2.converters.metadata import ModelCard
    from deimv2.converters.runner import ArtifactRunner, Frames
    from deimv2.model import DEIMv2


class TFLite(Format):
    name = "tflite"
    title = "LiteRT"
    extra = "litert"
    packages = ("litert_torch", "ai_edge_litert", "ai_edge_quantizer")
    precisions = ("fp32", "fp16", "int8", "int8x16", "int8-weight")
    platforms = ("android", "web")
    devices = (GPU, GPU_FLOAT32)
    arm64 = "litert"

    def convert(self, net: "DEIMv2", card: "ModelCard", path: Path, frames: "Frames" = ()) -> None:
        from deimv2.converters.tflite.convert import convert

        convert(net, card, path, frames)

    def open(self, path: Path, threads: int | None) -> "ArtifactRunner":
        from deimv2.converters.tflite.run import LiteRTRunner

        return LiteRTRunner(path, threads)

    def inspect(self, path: Path) -> "Inspection":
        from deimv2.converters.tflite.inspect import read

        return read(path)

    def inspect_on(self, path: Path, device: str) -> "Inspection":
        from deimv2.converters.tflite.inspect import on_gpu

        return on_gpu(self.inspect(path), path)

    def scales(self, path: Path) -> "Iterable[Scaled]":
        from deimv2.converters.tflite.inspect import scales

        return scales(path)

    def open_on(self, path: Path, processor: str) -> "ArtifactRunner":
        from deimv2.converters.tflite.gpu import GpuRunner

        return GpuRunner(path, float32=processor == GPU_FLOAT32)


TFLITE = TFLite()
