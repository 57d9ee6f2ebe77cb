"""`.pte` for ExecuTorch."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.converters.format import Format

if TYPE_CHECKING:
    from deimv2.converters.inspection import Inspection, Scaled
    from deimv2.converters.metadata import ModelCard
    from deimv2.converters.runner import ArtifactRunner, Frames
    from deimv2.model import DEIMv2


XNNPACK, COREML = DELEGATES = ("xnnpack", "coreml")
TITLES = {XNNPACK: "XNNPACK", COREML: "Core ML"}  # as the manifest and `inspect` have them


class Pte(Format):
    """delegate: who computes. Core ML is on Apple's devices alone, and computes in float here."""

    name = "pte"
    title = "ExecuTorch"
    extra = "executorch"
    packages: tuple[str, ...] = ("executorch",)
    # XNNPACK has no convolution with int8 weights alone.
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")
    platforms = ("android", "ios")
    arm64 = "executorch"

    def __init__(self, delegate: str = XNNPACK) -> None:
        self.delegate = delegate
        if delegate == COREML:
            self.packages = ("executorch", "coremltools")
            self.precisions = ("fp32", "fp16")

    @property
    def label(self) -> str:
        return "" if self.delegate == XNNPACK else f"-{self.delegate}"

    def convert(
        self, net: "DEIMv2", card: "ModelCard", path: Path, gather: bool, frames: "Frames" = ()
    ) -> None:
        from deimv2.converters.pte.convert import convert

        convert(net, card, path, gather, self.delegate == COREML)

    def open(self, path: Path, threads: int | None) -> "ArtifactRunner":
        from deimv2.converters.pte.coreml import CoreMLProgramRunner, is_for_coreml
        from deimv2.converters.pte.inspect import read_parts
        from deimv2.converters.pte.run import ExecuTorchRunner

        if is_for_coreml(path):
            return CoreMLProgramRunner(path, threads, *read_parts(path))
        return ExecuTorchRunner(path, threads)

    def timed(self, path: Path) -> bool:
        from deimv2.converters.pte.coreml import is_for_coreml

        return not is_for_coreml(path)

    def inspect(self, path: Path) -> "Inspection":
        from deimv2.converters.pte.inspect import read

        return read(path)

    def scales(self, path: Path) -> "Iterable[Scaled]":
        from deimv2.converters.pte.inspect import scales

        return scales(path)


PTE = Pte()
