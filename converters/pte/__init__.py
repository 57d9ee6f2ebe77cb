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


XNNPACK, COREML, VULKAN = DELEGATES = ("xnnpack", "coreml", "vulkan")
# What the manifest and `inspect` call them, and what programs call them.
TITLES = {XNNPACK: "XNNPACK", COREML: "Core ML", VULKAN: "Vulkan"}
BACKENDS = {XNNPACK: "XnnpackBackend", COREML: "CoreMLBackend", VULKAN: "VulkanBackend"}


def delegate_of(path: Path) -> str:
    """The delegate of a file, by the backend's name in the program; XNNPACK if it names none."""
    with path.open("rb") as file:
        start = file.read(1 << 20)
    return next((each for each in (COREML, VULKAN) if BACKENDS[each].encode() in start), XNNPACK)


class Pte(Format):
    """delegate: one of DELEGATES, which computes the file. Core ML is for Apple's devices, Vulkan
    for Android's GPUs; files for either are in float."""

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
        if delegate != XNNPACK:
            self.precisions = ("fp32", "fp16")

    @property
    def label(self) -> str:
        return "" if self.delegate == XNNPACK else f"-{self.delegate}"

    def convert(self, net: "DEIMv2", card: "ModelCard", path: Path, frames: "Frames" = ()) -> None:
        from deimv2.converters.pte.convert import convert

        convert(net, card, path, self.delegate)

    def open(self, path: Path, threads: int | None) -> "ArtifactRunner":
        delegate = delegate_of(path)
        if delegate == XNNPACK:
            from deimv2.converters.pte.run import ExecuTorchRunner

            return ExecuTorchRunner(path, threads)
        from deimv2.converters.pte.coreml import CoreMLProgramRunner
        from deimv2.converters.pte.inspect import read_parts
        from deimv2.converters.pte.vulkan_run import VulkanProgramRunner

        runner = CoreMLProgramRunner if delegate == COREML else VulkanProgramRunner
        return runner(path, threads, *read_parts(path))

    def timed(self, path: Path) -> bool:
        return delegate_of(path) == XNNPACK

    def not_run(self, path: Path) -> str | None:
        return TITLES[VULKAN] if delegate_of(path) == VULKAN else None

    def inspect(self, path: Path) -> "Inspection":
        from deimv2.converters.pte.inspect import read

        return read(path)

    def scales(self, path: Path) -> "Iterable[Scaled]":
        from deimv2.converters.pte.inspect import scales

        return scales(path)


PTE = Pte()
