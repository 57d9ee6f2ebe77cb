"""One door to the four converters."""

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from converters.card import ModelCard
from converters.tools import quiet
from model import DEIMv2
from model.errors import CheckError, InputError, MissingExtraError

MODULES = {"tflite": "litert", "mlpackage": "coreml", "pte": "executorch", "onnx": "onnx"}
TOOLCHAINS = {
    "tflite": ("litert_torch", "ai_edge_litert", "ai_edge_quantizer"),
    "mlpackage": ("coremltools",),
    "pte": ("executorch",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
}


def require_toolchains(kinds: Iterable[str]) -> None:
    """Raise MissingExtraError unless all that these formats need is installed; imports nothing."""
    for kind in kinds:
        for package in TOOLCHAINS[kind]:
            if find_spec(package) is None:
                raise MissingExtraError(package, MODULES[kind])


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
