"""Reads what is in an artifact, from the file itself; nothing is run.

inspection = inspect("artifacts/atto/deimv2-atto-fp32.tflite")
inspection.macs, inspection.integer_share, inspection.delegated_share("XNNPACK")
"""

import subprocess
from os import PathLike
from pathlib import Path

from converters.tools import quiet
from evaluation.inspect import coreml, executorch, litert, onnx
from evaluation.inspect.inspection import Constant, Delegate, Inspection, Operation
from evaluation.runtimes.base import broken
from model.errors import InputError

__all__ = ["Constant", "Delegate", "Inspection", "Operation", "inspect"]

READERS = {
    ".tflite": litert.read,
    ".pte": executorch.read,
    ".mlpackage": coreml.read,
    ".onnx": onnx.read,
}
# What reading content raises that contradicts itself.
CONTRADICTIONS = (
    LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError,
    subprocess.SubprocessError,
)  # fmt: skip


def inspect(path: str | PathLike[str]) -> Inspection:
    """Reads an artifact, by its suffix.

    Raises MissingExtraError if the format's toolchain is not installed, and InputError for a file
    that is missing, broken or of another kind.
    """
    path = Path(path)
    kinds = ", ".join(READERS)
    if path.suffix not in READERS:
        raise InputError(f"'{path}' ends in '{path.suffix}', expected one of {kinds}")
    if not (path.is_dir() if path.suffix == ".mlpackage" else path.is_file()):
        raise InputError(f"no artifact at '{path}', expected one of {kinds}; check the path")
    try:
        with quiet(None):
            return READERS[path.suffix](path)
    except InputError:
        raise
    except CONTRADICTIONS as error:
        raise broken(path, f"{type(error).__name__}: {error}") from error
