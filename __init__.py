"""DEIMv2, real-time object detectors without NMS, on phones.

detector = deimv2.load("artifacts/atto-int8/deimv2-atto-int8.tflite")
result = detector("photo.jpg", threshold=0.4)
result.boxes, result.scores, result.names

Everything is imported on first use: this takes no time, and PyTorch seconds.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from deimv2.model.later import later

if TYPE_CHECKING:
    from deimv2.api.benchmarking import benchmark
    from deimv2.api.detector import Detector, load
    from deimv2.api.evaluating import Evaluation, evaluate
    from deimv2.api.exporting import Export, export
    from deimv2.api.notebook import NotebookProgress
    from deimv2.api.predicting import predict
    from deimv2.api.quantizing import Quantized, quantize
    from deimv2.api.reporting import report
    from deimv2.api.result import Detection, Result
    from deimv2.api.tracking import Tracker
    from deimv2.api.training import Training, train
    from deimv2.api.verifying import verify
    from deimv2.model.errors import CheckError, InputError
    from deimv2.model.progress import Progress
    from deimv2.model.variants import VARIANTS

_PLACES = {
    "CheckError": "model.errors",
    "Detection": "api.result",
    "Detector": "api.detector",
    "Evaluation": "api.evaluating",
    "Export": "api.exporting",
    "InputError": "model.errors",
    "NotebookProgress": "api.notebook",
    "Progress": "model.progress",
    "Quantized": "api.quantizing",
    "Result": "api.result",
    "Tracker": "api.tracking",
    "Training": "api.training",
    "VARIANTS": "model.variants",
    "benchmark": "api.benchmarking",
    "evaluate": "api.evaluating",
    "export": "api.exporting",
    "load": "api.detector",
    "predict": "api.predicting",
    "quantize": "api.quantizing",
    "report": "api.reporting",
    "train": "api.training",
    "verify": "api.verifying",
}
__all__ = [
    "VARIANTS", "CheckError", "Detection", "Detector", "Evaluation", "Export", "InputError",
    "NotebookProgress", "Progress", "Quantized", "Result", "Tracker", "Training", "benchmark",
    "evaluate", "export", "load", "predict", "quantize", "report", "train", "verify",
]  # fmt: skip

try:
    __version__ = version("deimv2")
except PackageNotFoundError:  # imported from a folder that nobody installed
    __version__ = "0"


__getattr__ = later(__name__, {name: f"deimv2.{place}" for name, place in _PLACES.items()})


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
