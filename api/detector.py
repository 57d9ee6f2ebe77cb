"""A detector that is ready to run, whatever file it comes from, and what it finds on a photo.

detector = deimv2.load("artifacts/atto/deimv2-atto-fp32.tflite")
result = detector("photo.jpg", threshold=0.4)
result.boxes, result.scores, result.names
"""

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from deimv2.api.options import Pathish, as_path, require_path
from deimv2.api.result import Result
from deimv2.converters import format_of
from deimv2.converters.artifact import open_model
from deimv2.converters.format import CPU, GPU
from deimv2.converters.manifest import SCORE_THRESHOLD, check_beside, require_no_export
from deimv2.converters.runner import Runner
from deimv2.model.defaults import own_defaults
from deimv2.model.errors import InputError
from deimv2.model.files import is_checkpoint
from deimv2.model.images import as_photo, load_photo, resize
from deimv2.model.labels import known_names
from deimv2.model.numbers import require_given, require_numbers
from deimv2.model.variants import VARIANTS
from deimv2.model.weights.places import (
    fetch,
    fetch_repository,
    in_folder,
    require_no_training,
)
from deimv2.model.words import plural, shown

Photo = Pathish | Image.Image | npt.NDArray[np.uint8]
RELEASED = "coco"  # weights of a variant
PYTORCHS = ("cuda", "mps")  # devices of checkpoints, beside the CPU
Photos = list[Any] | tuple[Any, ...]  # of Photo


class Detector:
    """A detector ready to run; call it with a photo.

    source:  the file
    runner:  takes frames of its own size
    classes: the class names, by label
    """

    def __init__(self, source: Path, runner: Runner, classes: Sequence[str]) -> None:
        self.source, self.runner, self.classes = source, runner, tuple(classes)
        self._turn = Lock()  # a runtime takes one frame at a time, whatever thread it comes from

    def __reduce__(self) -> NoReturn:
        raise InputError(
            f"{self!r} cannot be copied or sent to another process, as its runtime is of this one; "
            "load it there with deimv2.load"
        )

    def __repr__(self) -> str:
        height, width = self.size
        classes = plural(len(self.classes), "class", "classes")
        return f"Detector('{self.source}', {height}x{width}, {classes})"

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen in a checkpoint's file ("weights under 'ema'") and taken off names, and
        that it is made for int8 where it computes in float."""
        return notes_of(self.runner)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) that photos are stretched to."""
        return self.runner.size

    @overload
    def __call__(self, photo: Photo, threshold: float = SCORE_THRESHOLD) -> Result: ...
    @overload
    def __call__(self, photo: Photos, threshold: float = SCORE_THRESHOLD) -> list[Result]: ...
    def __call__(
        self, photo: Photo | Photos, threshold: float = SCORE_THRESHOLD
    ) -> Result | list[Result]:
        """Detections that score more than `threshold`.

        photo: a path, a PIL image, an RGB array uint8 [H, W, 3], or a list of them, which gives a
        list. Threads may share a detector; they take turns. Raises InputError for what is no photo,
        or a label without a name.
        """
        require_given(threshold=threshold)
        if isinstance(photo, list | tuple):
            return [self(each, threshold) for each in photo]
        image, path = as_image(photo)
        frame = resize(image, self.size)
        with self._turn, own_defaults():
            found = self.runner.detect(frame)
        if not found.finite:
            raise InputError(
                f"'{self.source}' gives values that are no numbers (NaN or infinite), expected "
                "boxes and scores; check the weights, or export again"
            )
        found = found.above(threshold)
        found.require_names(self.classes)
        return Result(image, found, self.classes, path)


def as_image(photo: object) -> tuple[Image.Image, Path | None]:
    """RGB, and the path of one that came from a file. Raises InputError for anything else."""
    match photo:
        case str() | PathLike():
            path = Path(photo)
            return load_photo(path), path
        case Image.Image():
            return as_photo(photo), None
        case np.ndarray() if photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3:
            return as_photo(Image.fromarray(photo)), None
    what = shown(photo)
    if hasattr(photo, "dtype") and hasattr(photo, "shape"):  # an array, or a tensor
        what = f"{type(photo).__name__} {photo.dtype} {list(photo.shape)}"
    raise InputError(
        f"{what} is not a photo, expected a path, a PIL image or an RGB array uint8 [H, W, 3]"
    )


@own_defaults()
def load(
    source: Pathish,
    *,
    weights: Pathish = RELEASED,
    labels: Pathish | None = None,
    variant: str | None = None,
    precision: str = "fp32",
    threads: int | None = None,
    device: str = CPU,
) -> Detector:
    """Opens a detector.

    source:    an artifact (`.tflite`, `.pte`, `.mlpackage`, `.aimodel`, `.onnx`), a checkpoint
               (`.pth`, `.safetensors`, a folder of the Hub's), the name of a variant, or
               "owner/name" of a repository of the Hub, which "hf://" may precede
    weights:   of a variant: "coco", the released ones, "demo", or a file
    labels:    file of class names, one per line; None: those stored in the model, or COCO's
    variant:   of a checkpoint; None: recognised from its tensors
    precision: of a checkpoint: "fp32", or "int8", rounding as its int8 artifacts do
    threads:   of the CPU; None leaves it to the runtime
    device:    "gpu": a `.tflite` on LiteRT's GPU accelerator; "cuda" or "mps": a checkpoint there

    Raises InputError for a file that is missing, broken or of an unknown kind, one whose hash
    differs from the manifest's beside it, classes without names, or a device that is not here.
    """
    rounding = rounds(precision)
    require_path(weights, "weights ")
    path, variant = locate(source, str(weights), variant)
    runner = open_runner(path, variant, threads, rounding, device)
    return Detector(path, runner, class_names(path, runner, labels))


def require_unloaded(given: Sequence[str], expected: str) -> None:
    """Raises InputError for options of `load` beside a detector, which is loaded already."""
    if given:
        raise InputError(
            f"{', '.join(given)} given with a detector that is loaded already, expected "
            f"{expected}; give it to deimv2.load"
        )


def rounds(precision: str) -> bool:
    """Whether a checkpoint is to round. Raises InputError for a precision that only files have."""
    if precision not in ("fp32", "int8"):
        raise InputError(f"a checkpoint in '{precision}', expected fp32 or int8; export it first")
    return precision == "int8"


def locate(source: Pathish, weights: str, variant: str | None) -> tuple[Path, str | None]:
    """The file, and the variant where it is known."""
    require_path(source)
    name, path = str(source), Path(source)
    if name in VARIANTS:
        file = fetch(weights, name)
        if not is_checkpoint(file):
            raise InputError(
                f"weights are '{weights}', expected coco, demo or a file of weights; name one"
            )
        return file, name
    if weights != RELEASED:
        raise InputError(
            f"weights '{weights}' are for the name of a variant, '{name}' is none; leave them out"
        )
    repository = re.sub("^hf:/{1,2}", "", name)  # a path has lost one of the two
    parts = repository.split("/")
    marked = repository != name or not path.suffix
    if marked and len(parts) == 2 and all(parts) and not path.exists():
        return fetch_repository(repository), variant
    if path.is_dir() and format_of(path) is None:
        require_one_model(path)
        return in_folder(path), variant
    if not path.suffix and not path.exists():
        raise InputError(
            f"no model at '{name}', expected a file, owner/name of a repository of the Hub, or one "
            f"of the variants {', '.join(VARIANTS)}; check the name"
        )
    return path, variant


def require_one_model(folder: Path) -> None:
    """Raises InputError for the folder of an export, or a training, which is not one model."""
    require_no_export(folder)
    require_no_training(folder)


def open_runner(
    path: Path,
    variant: str | None,
    threads: int | None = None,
    rounding: bool = False,
    device: str = CPU,
) -> Runner:
    """An artifact that a manifest lies beside must be the one that the manifest describes.

    threads: of the CPU; None leaves it to the runtime. For a checkpoint it holds for all of
    PyTorch. rounding: a checkpoint rounds as its int8 artifacts do.
    """
    require_numbers(threads=threads)
    threads = None if threads is None else int(threads)  # LiteRT takes none of NumPy's
    if is_checkpoint(path):
        return open_by_pytorch(path, variant, threads, rounding, device)
    if rounding:
        raise InputError(
            f"--precision is for checkpoints, '{path}' is none; leave it out: an artifact has one"
        )
    if variant is not None:
        raise InputError(
            f"--variant {variant} is for checkpoints, '{path}' is none; leave it out: "
            "an artifact is of one variant"
        )
    check_beside(path)
    if device == CPU:
        return open_model(path, threads)
    format = format_of(path)
    if format is None or not format.is_at(path) or device not in format.devices:
        raise foreign_device(path, device)
    if threads is not None:
        raise InputError(f"--threads is for the CPU, found --device {device}; leave it out")
    return format.open_on(path, device)


def open_by_pytorch(
    path: Path, variant: str | None, threads: int | None, rounding: bool, device: str
) -> Runner:
    """A checkpoint. PyTorch is loaded here, as it takes seconds and artifacts do not need it."""
    import torch

    from deimv2.converters.checkpoint import open_checkpoint
    from deimv2.training.distributed import usable_device

    if str(device).partition(":")[0] not in (CPU, *PYTORCHS):
        raise foreign_device(path, device)
    if threads is not None:
        torch.set_num_threads(threads)
    return open_checkpoint(path, variant, rounding, usable_device(device))


def foreign_device(path: Path, device: str) -> InputError:
    return InputError(
        f"'{path}' does not run on '{device}', expected a .tflite for {GPU}, or a checkpoint for "
        f"{' or '.join(PYTORCHS)}; leave --device out"
    )


def notes_of(runner: Runner) -> tuple[str, ...]:
    """Of a checkpoint, as `Detector.notes`."""
    notes: tuple[str, ...] = getattr(runner, "notes", ())
    return notes


def class_count(runner: Runner) -> int | None:
    """How many classes a model has, None for an artifact that carries no class names."""
    if net := getattr(runner, "net", None):
        count: int = net.num_classes
        return count
    return None if runner.labels is None else len(runner.labels)


def class_names(path: Path, runner: Runner, file: Pathish | None) -> Sequence[str]:
    """From `file`, else from inside the model, else COCO's for a checkpoint of 80 classes."""
    names = known_names(class_count(runner), as_path(file), runner.labels)
    if names is None:
        raise InputError(
            f"'{path}' carries no class names, expected them inside or in a file; add --labels FILE"
        )
    return names
