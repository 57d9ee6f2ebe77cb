"""Annotations by a network itself: what it detects on photos that nobody has annotated.

For training that is to keep what a network does, as with rounding: the float network's detections
are what the AP of the one that rounds is measured by.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch

from deimv2.model import DEIMv2
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.model.files import write_whole
from deimv2.model.images import load_photo, resize
from deimv2.model.postprocess import detect
from deimv2.training.data.layouts import Part

MIN_SCORE = 0.3
MIN_PHOTOS = 16
HELD_OUT = 5  # one in so many photos is not trained on
MADE_BY = "detections of a float network, by deimv2"


@torch.no_grad()
def annotate(
    net: DEIMv2,
    photos: Sequence[Path],
    names: Sequence[str],
    folder: Path,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> tuple[Part, Part]:
    """Writes `folder`/train.json and val.json, COCO annotations of the photos; one in HELD_OUT is
    in the second.

    Photos that cannot be read are left out. Raises InputError for less than MIN_PHOTOS.
    """
    if len(photos) < MIN_PHOTOS:
        raise InputError(
            f"{len(photos)} photos to learn from, expected at least {MIN_PHOTOS}, better some "
            "hundred; name a folder with more"
        )
    photos = [photo.parent.resolve() / photo.name for photo in photos]
    root = Path(os.path.commonpath([photo.parent for photo in photos]))
    rows: dict[str, list[dict[str, object]]] = {"train": [], "val": []}
    boxes: dict[str, list[dict[str, object]]] = {"train": [], "val": []}
    for i, path in enumerate(progress(photos)):
        part = "val" if i % HELD_OUT == HELD_OUT - 1 else "train"
        try:
            photo = load_photo(path)
        except InputError:
            continue
        width, height = photo.size
        (found,) = detect(net, resize(photo, net.image_size))
        rows[part].append(
            {"id": i, "file_name": str(path.relative_to(root)), "width": width, "height": height}
        )
        for label, (x, y, w, h) in _boxes(found, photo.size):
            boxes[part].append(
                {
                    "id": len(boxes[part]) + 1,
                    "image_id": i,
                    "category_id": label + 1,
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(names)]
    for part in rows:
        content = {
            "info": {"description": MADE_BY},
            "images": rows[part],
            "annotations": boxes[part],
            "categories": categories,
        }
        write_whole(folder / f"{part}.json", json.dumps(content).encode())
    return Part(root, folder / "train.json"), Part(root, folder / "val.json")


def _boxes(
    found: Detections, size: tuple[int, int]
) -> Iterator[tuple[int, tuple[float, float, float, float]]]:
    """Label and x, y, width, height in pixels of what is detected for sure."""
    width, height = size
    sure = found.above(MIN_SCORE)
    for label, (x1, y1, x2, y2) in zip(sure.labels.tolist(), sure.boxes.tolist(), strict=True):
        box = x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height
        if min(box[2:]) > 0:
            yield label, box
