"""Artifacts and checkpoints behind one interface: a frame goes in, detections come out.

runner = open_model("artifacts/atto/deimv2-atto-fp32.tflite")
detections = runner.detect(resize(load_photo("photo.jpg"), runner.size))
"""

from os import PathLike
from pathlib import Path

from evaluation.runtimes.base import Runner
from evaluation.runtimes.checkpoint import CheckpointRunner, open_checkpoint
from evaluation.runtimes.coreml import open_package_runner
from evaluation.runtimes.executorch import ExecuTorchRunner
from evaluation.runtimes.litert import LiteRTRunner
from evaluation.runtimes.onnx import OnnxRunner
from model.errors import InputError

__all__ = ["CheckpointRunner", "Runner", "open_checkpoint", "open_model"]

CHECKPOINTS = (".pth", ".pt", ".safetensors")
KINDS = ".tflite, .pte, .mlpackage or .onnx artifact, or a .pth or .safetensors checkpoint"


def open_model(path: str | PathLike[str], threads: int | None = None) -> Runner:
    """Opens an artifact or a checkpoint, by its suffix. threads: None leaves it to the runtime.

    Raises MissingExtraError if the runtime is not installed, and InputError for a file that is
    missing, broken, of another kind, or no DEIMv2 artifact.
    """
    path = Path(path)
    folder = path.suffix == ".mlpackage"
    if not (path.is_dir() if folder else path.is_file()):
        found = "a folder" if path.is_dir() else "a file" if path.is_file() else "no file"
        raise InputError(f"{found} at '{path}', expected a {KINDS}; check the path")
    if threads is not None and threads < 1:
        raise InputError(f"{threads} threads asked for, expected at least 1")
    match path.suffix:
        case ".tflite":
            return LiteRTRunner(path, threads)
        case ".pte":
            return ExecuTorchRunner(path, threads)
        case ".onnx":
            return OnnxRunner(path, threads)
        case ".mlpackage":
            return open_package_runner(path, threads)
        case suffix if suffix in CHECKPOINTS:
            return open_checkpoint(path)
    raise InputError(f"'{path}' ends in '{path.suffix}', expected a {KINDS}; check the path")
