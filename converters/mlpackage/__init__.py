"""`.mlpackage` for Core ML."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.converters.format import Format

if TYPE_CHECKING:
    from deimv2.converters.inspection import Inspection, Scaled
    from deimv2.converters.metadata import ModelCard
    from deimv2.converters.runner import ArtifactRunner, Frames
    from deimv2.model import DEIMv2


class MLPackage(Format):
    name = "mlpackage"
    title = "Core ML"
    extra = "coreml"
    packages = ("coremltools",)
    precisions = ("fp32", "fp16", "int8", "int8-weight")
    platforms = ("ios",)
    folder = True
    input = "image"
    native = False

    def convert(self, net: "DEIMv2", card: "ModelCard", path: Path, frames: "Frames" = ()) -> None:
        from deimv2.converters.mlpackage.convert import convert

        convert(net, card, path)

    def open(self, path: Path, threads: int | None) -> "ArtifactRunner":
        from deimv2.converters.mlpackage.run import open_package_runner

        return open_package_runner(path, threads)

    def inspect(self, path: Path) -> "Inspection":
        from deimv2.converters.mlpackage.inspect import read

        return read(path)

    def check(self, path: Path, card: "ModelCard") -> None:
        from deimv2.converters.mlpackage.convert import check_package

        check_package(path, card)

    def scales(self, path: Path) -> "Iterable[Scaled]":
        from deimv2.converters.mlpackage.inspect import scales

        return scales(path)

    def reference(self, path: Path) -> "ArtifactRunner":
        from deimv2.converters.mlpackage.run import ReferenceRunner

        return ReferenceRunner(path)

    def processors(self) -> tuple[str, ...]:
        """Core ML's choices of compute units, on a Mac."""
        from deimv2.converters.mlpackage.run import UNITS, on_mac

        return UNITS if on_mac() else ()

    def open_on(self, path: Path, processor: str) -> "ArtifactRunner":
        from deimv2.converters.mlpackage.run import CoreMLRunner

        return CoreMLRunner(path, processor)


MLPACKAGE = MLPackage()
