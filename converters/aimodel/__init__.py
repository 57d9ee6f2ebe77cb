"""`.aimodel` for Core AI."""

from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.converters.format import Format

if TYPE_CHECKING:
    from deimv2.converters.inspection import Inspection
    from deimv2.converters.metadata import ModelCard
    from deimv2.converters.runner import ArtifactRunner, Frames
    from deimv2.model import DEIMv2


class AIModel(Format):
    name = "aimodel"
    title = "Core AI"
    extra = "coreai"
    packages = ("coreai", "coreai_torch")
    precisions = ("fp32", "fp16", "int8-weight")
    platforms = ("ios",)
    by_default = False  # iOS 27 and macOS 27 are the first that run it
    folder = True
    native = False  # an interpreter: 30 times as slow as the other runtimes

    def convert(self, net: "DEIMv2", card: "ModelCard", path: Path, frames: "Frames" = ()) -> None:
        from deimv2.converters.aimodel.convert import convert

        convert(net, card, path)

    def open(self, path: Path, threads: int | None) -> "ArtifactRunner":
        from deimv2.converters.aimodel.run import CoreAIRunner

        return CoreAIRunner(path, threads)

    def inspect(self, path: Path) -> "Inspection":
        from deimv2.converters.aimodel.inspect import read

        return read(path)

    def check(self, path: Path, card: "ModelCard") -> None:
        from deimv2.converters.aimodel.convert import check

        check(path, card)


AIMODEL = AIModel()
