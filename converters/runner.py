"""What all runtimes share: the contract of an artifact, and the errors of one that breaks it."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from deimv2.converters.contract import EXPECTED, OUTPUTS
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError, first_line
from deimv2.model.ports import Port

Frame = npt.NDArray[np.uint8]
Frames = Sequence[Frame]


class Stopwatch:
    """seconds: of the runtime's own call in the last detection; the rest is this package's."""

    seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start


class Runner(Protocol):
    """A detector that is ready to run.

    size:   (H, W) of the frames it takes
    labels: the class names it carries inside, None if it carries none
    """

    size: tuple[int, int]
    labels: list[str] | None

    def detect(self, frame: Frame) -> Detections:
        """Detections of one RGB frame, uint8 [H, W, 3]. Raises InputError for any other frame."""
        ...


class ArtifactRunner(Runner, Protocol):
    """order: which of the artifact's outputs are boxes, scores and labels."""

    order: tuple[int, int, int]


def frame_size(path: Path, inputs: Sequence[Port]) -> tuple[int, int]:
    """(H, W) of the one input, uint8 [1, H, W, 3]. Raises InputError for any other inputs."""
    match [(port.dtype, *port.shape) for port in inputs]:
        case [("uint8", 1, int(height), int(width), 3)]:
            return height, width
    raise _foreign(path, "takes", inputs, "one frame uint8 [1, H, W, 3]")


def image_size(path: Path, inputs: Sequence[Port]) -> tuple[int, int]:
    """(H, W) of the one input, an RGB image. Raises InputError for any other inputs."""
    match [(port.dtype, *port.shape) for port in inputs]:
        case [("RGB", int(height), int(width))]:
            return height, width
    raise _foreign(path, "takes", inputs, "one RGB image [H, W]")


def output_order(path: Path, outputs: Sequence[Port]) -> tuple[int, int, int]:
    """Which outputs are boxes, scores and labels; type and rank tell them apart, in any order.

    Raises InputError unless they are those of `contract`.
    """
    places = {(port.dtype, len(port.shape)): i for i, port in enumerate(outputs)}
    found = [places[each.kind] for each in OUTPUTS if each.kind in places]
    if len(outputs) == len(found) == len(OUTPUTS):
        boxes, scores, labels = found
        count = outputs[boxes].shape[1]
        if all(
            outputs[i].shape == each.shape(count) for i, each in zip(found, OUTPUTS, strict=True)
        ):
            return boxes, scores, labels
    raise _foreign(path, "gives", outputs, EXPECTED)


def _foreign(path: Path, verb: str, ports: Sequence[Port], expected: str) -> InputError:
    found = ", ".join(map(str, ports[:4])) or "nothing"
    more = f" and {len(ports) - 4} more" if ports[4:] else ""
    theirs = ", whose --weights takes the release's own" if path.suffix == ".onnx" else ""
    return InputError(
        f"'{path}' {verb} {found}{more}, expected {expected}; use a file of 'deimv2 export'{theirs}"
    )


def require_frame(frame: Frame, size: tuple[int, int]) -> None:
    if frame.dtype != np.uint8 or frame.shape != (*size, 3):
        raise InputError(
            f"the frame is {frame.dtype} {list(frame.shape)}, expected uint8 "
            f"{[*size, 3]}; use deimv2.model.images.resize"
        )


def detections(outputs: Sequence[Any], order: tuple[int, int, int]) -> Detections:
    """Drops the batch axis, and copies: some runtimes hand out their own memory."""
    boxes, scores, labels = (np.array(outputs[i][0]) for i in order)
    return Detections(boxes, scores, labels)


def detection_row(queries: int) -> np.dtype[np.void]:
    """What a worker process writes of one frame: the bytes of boxes, scores and labels."""
    return np.dtype([(each.name, each.dtype, each.shape(queries)[1:]) for each in OUTPUTS])


def detections_in(data: bytes, queries: int) -> list[Detections]:
    """The detections of each frame in what a worker wrote, as `detection_row` has them."""
    rows = np.frombuffer(data, detection_row(queries)).copy()  # bytes cannot be written to
    return [Detections(row["boxes"], row["scores"], row["labels"]) for row in rows]


def parsed_card(card: str | None, path: Path) -> Mapping[str, Any] | None:
    """What an artifact's card says, None where it carries no card."""
    if card is None:
        return None
    try:
        found = json.loads(card)
    except ValueError:
        found = None
    match found:
        case Mapping() if isinstance(labels := found.get("labels"), list):
            if all(isinstance(label, str) for label in labels):
                return found
    raise InputError(
        f"'{path}' carries an unreadable card, expected JSON with a list 'labels'; export it again"
    )


def labels_in(card: str | None, path: Path) -> list[str] | None:
    """The class names in the text of an artifact's card, None where it carries no card."""
    found = parsed_card(card, path)
    return None if found is None else found["labels"]


def broken(path: Path, error: object) -> InputError:
    """For a file that a runtime refuses, with the runtime's first line as the reason."""
    reason = first_line(error)[:160].rstrip(". ")
    return InputError(
        f"'{path}' is no whole {path.suffix} file that runs here ({reason}); "
        "export or copy it again"
    )
