"""From a network to artifacts: `.tflite`, `.mlpackage`, `.pte`, `.aimodel`, `.onnx`, and their
manifest."""

from pathlib import Path

from deimv2.converters.aimodel import AIMODEL
from deimv2.converters.format import Format
from deimv2.converters.mlpackage import MLPACKAGE
from deimv2.converters.onnx import ONNX
from deimv2.converters.precision import PRECISIONS, Precision
from deimv2.converters.pte import PTE
from deimv2.converters.tflite import TFLITE

__all__ = [
    "DEFAULT_FORMATS", "FORMATS", "PRECISIONS", "Format", "Precision", "artifact_format",
    "format_of",
]  # fmt: skip

FORMATS: dict[str, Format] = {each.name: each for each in (TFLITE, MLPACKAGE, PTE, ONNX, AIMODEL)}
DEFAULT_FORMATS = {name: each for name, each in FORMATS.items() if each.by_default}


def format_of(path: Path) -> Format | None:
    """The format of a path by its suffix, None for any other suffix."""
    return FORMATS.get(path.suffix.removeprefix("."))


def artifact_format(path: Path) -> Format:
    """As `format_of`, for a file that an export wrote: its suffix is one of ours."""
    return FORMATS[path.suffix.removeprefix(".")]
