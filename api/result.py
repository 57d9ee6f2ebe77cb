"""What a detector finds on a photo."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from deimv2.api.options import Pathish, to_path
from deimv2.model.detections import Detections
from deimv2.model.drawing import KINDS, draw, save_picture
from deimv2.model.errors import InputError
from deimv2.model.files import make_folder, require_target
from deimv2.model.words import plural

SHOWN = 1280  # longest side in a notebook, in pixels


class Detection(NamedTuple):
    """One of a `Result`.

    name:  of its class
    score: 0..1
    box:   corners x1, y1, x2, y2 in pixels of the photo
    label: index of the class
    id:    of its track, where a video is tracked
    """

    name: str
    score: float
    box: tuple[float, float, float, float]
    label: int
    id: int | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """What was found on one photo, best first: a `Detection` each, to go through or by number.

    image:      the photo, RGB, upright
    detections: with boxes in 0..1 of the photo, not clipped
    classes:    the class names, by label
    path:       of the photo, where it came from a file
    ids:        of the track that each detection belongs to, where a video is tracked
    """

    image: Image.Image
    detections: Detections
    classes: tuple[str, ...]
    path: Path | None = None
    ids: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.detections)

    def __iter__(self) -> Iterator[Detection]:
        x1, y1, x2, y2 = self.boxes.T.tolist()
        boxes = zip(x1, y1, x2, y2, strict=True)
        ids = self.ids or [None] * len(self)
        rows = (self.names, self.scores.tolist(), boxes, self.labels.tolist(), ids)
        return map(Detection, *rows)

    @overload
    def __getitem__(self, index: int) -> Detection: ...
    @overload
    def __getitem__(self, index: slice) -> list[Detection]: ...
    def __getitem__(self, index: int | slice) -> Detection | list[Detection]:
        return [*self][index]

    def __repr__(self) -> str:
        what = self.path or f"{self.image.width}x{self.image.height}"
        counts = ", ".join(f"{count} {name}" for name, count in Counter(self.names).items())
        return f"Result('{what}', {plural(len(self), 'detection')}{counts and ': '}{counts})"

    def _repr_jpeg_(self) -> bytes:
        """What a notebook shows."""
        shown, content = self.plot(), BytesIO()
        shown.thumbnail((SHOWN, SHOWN))
        shown.save(content, "JPEG", quality=90)
        return content.getvalue()

    @property
    def boxes(self) -> npt.NDArray[np.float32]:
        """float32 [N, 4], corners x1, y1, x2, y2 in pixels of the photo."""
        return self.detections.boxes * np.array([*self.image.size, *self.image.size], np.float32)

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """float32 [N] in 0..1."""
        return self.detections.scores

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """int32 [N], indices of the classes."""
        return self.detections.labels

    @property
    def names(self) -> list[str]:
        """The class name of each detection."""
        return [self.classes[label] for label in self.labels.tolist()]

    def one_label(self) -> "Result":
        """Of several labels on one box, the one that scores best."""
        return replace(self, detections=self.detections.one_label())

    def tracked(self, ids: Sequence[int | None]) -> "Result":
        """The detections that belong to a track, with its id; ids: as `Tracker.update` gives."""
        kept = [i for i, each in enumerate(ids) if each is not None]
        rows = self.detections.take(kept)
        return replace(self, detections=rows, ids=tuple(each for each in ids if each is not None))

    def plot(self) -> Image.Image:
        """A copy of the photo with the boxes drawn on it."""
        return draw(self.image, self.detections, self.classes, threshold=0.0, ids=self.ids)

    def save(self, path: Pathish) -> None:
        """Writes `plot()` as a .jpg or .png file."""
        path = to_path(path)
        require_target(path, list(KINDS), "the picture")
        make_folder(path.parent)
        save_picture(self.plot(), path)

    def to_json(self) -> dict[str, Any]:
        """Boxes in 0..1 of the photo, not clipped."""
        rows = zip(self.names, self.detections.to_json(), strict=True)
        return {
            "image": None if self.path is None else str(self.path),
            "width": self.image.width,
            "height": self.image.height,
            "detections": [{"name": name} | row for name, row in rows],
        } | ({} if self.ids is None else {"tracks": list(self.ids)})

    def to_supervision(self) -> Any:
        """`supervision.Detections`, where that package is installed."""
        try:
            import supervision
        except ImportError as error:
            raise InputError(
                "the package supervision is not installed, expected it for to_supervision(); "
                "pip install supervision"
            ) from error
        return supervision.Detections(
            xyxy=self.boxes,
            confidence=self.scores,
            class_id=self.labels.astype(int),
            tracker_id=None if self.ids is None else np.array(self.ids, int),
            data={"class_name": np.array(self.names)},
        )
