"""One door to the four converters."""

from importlib import import_module
from pathlib import Path

from converters.card import ModelCard
from converters.tools import quiet
from model import DEIMv2
from model.errors import CheckError, InputError

MODULES = {"tflite": "litert", "mlpackage": "coreml", "pte": "executorch", "onnx": "onnx"}


def use_gather(kind: str, accelerator: bool) -> bool:
    """Whether deformable sampling gathers or goes through tents (`converters.graph.sampling`).

    Tents where a delegate has to take the whole decoder: always in Core ML, elsewhere on request.
    On CPUs see docs/decisions/002-sampling.md for the measurements.
    """
    return kind != "mlpackage" and not accelerator


def convert(
    kind: str, net: DEIMv2, card: ModelCard, path: Path, accelerator: bool, log: Path
) -> None:
    """Write one artifact of format `kind`. What the toolchain prints goes to `log`.

    Raises CheckError when the toolchain fails or its file is not as it should be.
    """
    module = import_module(f"converters.{MODULES[kind]}")
    try:
        with quiet(log):
            module.convert(net, card, path, use_gather(kind, accelerator))
    except (CheckError, InputError, OSError):
        raise
    except Exception as error:  # toolchains raise anything
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise CheckError(
            f"{MODULES[kind]} could not convert it ({reason}); see {log.name}"
        ) from error
