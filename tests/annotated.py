"""A small annotated set on the project's photographs, and a detector that says what it is told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model.detections import Detections

CATEGORIES = {1: "cat", 2: "dog", 90: "kite"}  # sparse, as COCO's are


@dataclass(frozen=True)
class Box:
    """box: x, y, width, height in 0..1 of the photo; category: an id."""

    photo: int
    category: int
    box: tuple[float, float, float, float]
    score: float = 1.0
    crowd: bool = False


def sizes() -> list[tuple[int, int]]:
    found = []
    for path in PHOTOGRAPHS:
        with Image.open(path) as photo:
            found.append(photo.size)
    return found


def content(boxes: Sequence[Box], categories: dict[int, str] | None = None) -> dict[str, Any]:
    """What an annotation file holds: every photograph, whether it has boxes or not."""
    named = CATEGORIES if categories is None else categories
    rows = []
    for i, box in enumerate(boxes):
        width, height = sizes()[box.photo]
        x, y, w, h = np.multiply(box.box, [width, height, width, height]).tolist()
        rows.append(
            {"id": i, "image_id": 7 * box.photo, "category_id": box.category}
            | {"bbox": [x, y, w, h], "area": w * h, "iscrowd": int(box.crowd)}
        )
    return {
        "images": [
            {"id": 7 * i, "file_name": path.name, "width": width, "height": height}
            for i, (path, (width, height)) in enumerate(zip(PHOTOGRAPHS, sizes(), strict=True))
        ],
        "categories": [{"id": key, "name": name} for key, name in reversed(named.items())],
        "annotations": rows,
    }


def write_set(folder: Path, boxes: Sequence[Box], categories: dict[int, str] | None = None) -> Path:
    """The photographs in `folder/images`; returns the annotation file beside it."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for path in PHOTOGRAPHS:
        (folder / "images" / path.name).write_bytes(path.read_bytes())
    file = folder / "annotations.json"
    file.write_text(json.dumps(content(boxes, categories)))
    return file


def detections(boxes: Sequence[Box], photo: int, labels: Sequence[int]) -> Detections:
    """The boxes of one photo as a detector would give them. labels: the ids, by model class."""
    rows = sorted((b for b in boxes if b.photo == photo), key=lambda b: -b.score)
    corners = [(x, y, x + w, y + h) for x, y, w, h in (b.box for b in rows)]
    return Detections(
        np.array(corners, np.float32).reshape(-1, 4),
        np.array([b.score for b in rows], np.float32),
        np.array([labels.index(b.category) for b in rows], np.int32),
    )


class Replay:
    """Gives the boxes of one photograph after the other."""

    size = (32, 64)

    def __init__(self, boxes: Sequence[Box], labels: Sequence[int] = tuple(CATEGORIES)) -> None:
        self.labels = None
        self._left = [detections(boxes, i, labels) for i in range(len(PHOTOGRAPHS))]

    def detect(self, frame: np.ndarray) -> Detections:
        assert frame.shape == (*self.size, 3)
        return self._left.pop(0)
