"""Artifacts of any format, by their suffix: made, run and read.

runner = open_model("artifacts/atto/deimv2-atto-fp32.tflite")
detections = runner.detect(resize(load_photo("photo.jpg"), runner.size))

inspection = inspect("artifacts/atto/deimv2-atto-fp32.tflite")
inspection.macs, inspection.integer_share, inspection.delegated_share("XNNPACK")
"""

import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.converters import FORMATS, Format, artifact_format, format_of
from deimv2.converters.format import CPU
from deimv2.converters.inspection import Inspection, Scaled
from deimv2.converters.metadata import ModelCard
from deimv2.converters.runner import Frames, Runner, broken
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import is_checkpoint
from deimv2.model.numbers import require_numbers
from deimv2.model.optional import quiet

if TYPE_CHECKING:
    from deimv2.model import DEIMv2

SUFFIXES = [each.suffix for each in FORMATS.values()]
KINDS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} artifact"
# What reading content raises that contradicts itself.
CONTRADICTIONS = (
    LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError,
    subprocess.SubprocessError, struct.error,
)  # fmt: skip


def convert(
    format: Format, net: "DEIMv2", card: ModelCard, path: Path, log: Path, frames: Frames = ()
) -> None:
    """Writes one artifact. What the toolchain prints goes to `log`.

    Raises CheckError when the toolchain fails or its file is not as it should be.
    """
    try:
        with quiet(log):
            format.convert(net, card, path, frames)
    except (CheckError, InputError, OSError):
        raise
    except Exception as error:  # toolchains raise anything
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise CheckError(
            f"{format.title} could not convert it ({reason}); see {log.name}"
        ) from error


def open_model(path: str | PathLike[str], threads: int | None = None) -> Runner:
    """Opens an artifact or a checkpoint. threads: None leaves it to the runtime.

    Raises MissingExtraError if the runtime is not installed, and InputError for a file that is
    missing, broken, of another kind, or no DEIMv2 artifact.
    """
    path = Path(path)
    format = format_of(path)
    kinds = f"{KINDS}, or a .pth or .safetensors checkpoint"
    if not (path.is_file() if format is None else format.is_at(path)):
        found = "a folder" if path.is_dir() else "a file" if path.is_file() else "no file"
        raise InputError(f"{found} at '{path}', expected a {kinds}; check the path")
    require_numbers(threads=threads)
    if format is not None:
        return format.open(path, threads)
    if is_checkpoint(path):
        from deimv2.converters.checkpoint import open_checkpoint

        return open_checkpoint(path)
    raise InputError(f"'{path}' ends in '{path.suffix}', expected a {kinds}; check the path")


def inspect(path: str | PathLike[str], device: str = CPU) -> Inspection:
    """Reads what is in an artifact, from the file itself; nothing is run.

    device: if not the CPU, it is asked what it takes of the file.

    Raises MissingExtraError if the format's toolchain is not installed, and InputError for a file
    that is missing, broken or of another kind.
    """
    path = Path(path)
    format = format_of(path)
    if format is None and path.is_file():
        raise InputError(f"'{path}' ends in '{path.suffix}', expected one of {', '.join(SUFFIXES)}")
    if format is None or not format.is_at(path):
        raise InputError(
            f"no artifact at '{path}', expected one of {', '.join(SUFFIXES)}; check the path"
        )
    with reading(path):
        return format.inspect(path) if device == CPU else format.inspect_on(path, device)


def scales_of(path: Path) -> list[Scaled]:
    """The int8 scales that the format's reader finds. Raises InputError for a broken file."""
    with reading(path):
        return list(artifact_format(path).scales(path))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what content that contradicts itself raises into InputError, one line with the path."""
    try:
        with quiet(None):
            yield
    except (InputError, CheckError):
        raise
    except CONTRADICTIONS as error:
        raise broken(path, f"{type(error).__name__}: {error}") from error
