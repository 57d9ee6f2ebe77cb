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
    unreadable: Callable[[str], None],
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> tuple[Part, Part]:
    """Writes `folder`/train.json and val.json, COCO annotations of the photos; one in HELD_OUT is
    in the second.

    unreadable: gets the reason for each photo that is left out. Raises InputError, before anything
    is written, where fewer than MIN_PHOTOS are left.
    """
    require_enough(len(photos))
    photos = [photo.parent.resolve() / photo.name for photo in photos]
    root = Path(os.path.commonpath([photo.parent for photo in photos]))
    rows: dict[str, list[dict[str, object]]] = {"train": [], "val": []}
    boxes: dict[str, list[dict[str, object]]] = {"train": [], "val": []}
    for path in progress(photos):
        try:
            photo = load_photo(path)
        except InputError as error:
            unreadable(str(error))
            continue
        i = sum(map(len, rows.values()))
        part = "val" if i % HELD_OUT == HELD_OUT - 1 else "train"
        width, height = photo.size
        (found,) = detect(net, resize(photo, net.image_size))
        rows[part].append(
            {"id": i, "file_name": str(path.relative_to(root)), "width": width, "height": height}
        )
        for label, (x, y, w, h) in _boxes(found, photo.size):
            box = {"id": len(boxes[part]) + 1, "image_id": i, "category_id": label + 1}
            boxes[part].append(box | {"bbox": [x, y, w, h], "area": w * h, "iscrowd": 0})
    require_enough(sum(map(len, rows.values())), len(photos))
    for part in rows:
        content = {
            "info": {"description": MADE_BY},
            "images": rows[part],
            "annotations": boxes[part],
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
        }
        write_whole(folder / f"{part}.json", json.dumps(content).encode())
    return Part(root, folder / "train.json"), Part(root, folder / "val.json")


def require_enough(readable: int, photos: int | None = None) -> None:
    """photos: how many there are, once it is known which can be read. Raises InputError."""
    if readable < MIN_PHOTOS:
        of_them = "" if photos is None else f" that can be read, of {photos},"
        raise InputError(
            f"{readable} photos{of_them} to learn from, expected at least {MIN_PHOTOS}, "
            "better some hundred; name a folder with more"
        )


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
