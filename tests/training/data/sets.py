"""Small data sets as tools write them: in each layout the same photos, boxes and classes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

SIZE = (80, 40)  # width, height
NAMES = ("cup", "plate")
# By photo: label, x, y, width, height in pixels.
OBJECTS = {"a": [(0, 8, 4, 16, 20), (1, 40, 10, 20, 20)], "b": [(1, 0, 0, 80, 40)], "c": []}


def photo(path: Path, orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", SIZE, (90, 120, 30))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


def coco(file: Path, **change: Any) -> None:
    images = [{"id": i, "file_name": f"{n}.jpg", "width": 80, "height": 40}
              for i, n in enumerate(OBJECTS)]  # fmt: skip
    rows = [
        {"id": 10 * i + k, "image_id": i, "category_id": label, "bbox": box}
        for i, objects in enumerate(OBJECTS.values())
        for k, (label, *box) in enumerate(objects)
    ]
    content = {
        "images": images,
        "annotations": rows,
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content | change))


def photos(folder: Path) -> None:
    for name in OBJECTS:
        photo(folder / f"{name}.jpg")


def yolo_lines(name: str) -> str:
    lines = [
        f"{label} {(x + w / 2) / 80} {(y + h / 2) / 40} {w / 80} {h / 40}"
        for label, x, y, w, h in OBJECTS[name]
    ]
    return "\n".join(lines)


def yolo_labels(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, objects in OBJECTS.items():
        if objects:  # a photo without any has no file
            (folder / f"{name}.txt").write_text(yolo_lines(name))


def yolo(root: Path, images: str = "images/train", entry: str = "images/train") -> None:
    photos(root / images)
    yolo_labels(root / images.replace("images", "labels"))
    (root / "data.yaml").write_text(f"train: {entry}\nval: {entry}\nnames: [cup, plate]\n")


def voc_file(path: Path, name: str) -> None:
    objects = "".join(
        f"<object><name>{NAMES[label]}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
        f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
        for label, x, y, w, h in OBJECTS[name]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation><filename>{name}.jpg</filename>{objects}</annotation>")


def voc(root: Path, images: str, annotations: str, split: bool = False) -> None:
    photos(root / images)
    for name in OBJECTS:
        voc_file(root / annotations / f"{name}.xml", name)
    if split:
        (root / "ImageSets" / "Main").mkdir(parents=True)
        (root / "ImageSets" / "Main" / "train.txt").write_text("a\nb 1\nc\n")


def jsonl(root: Path) -> None:
    photos(root)
    rows = [
        {"file_name": f"{n}.jpg", "objects": {"bbox": [box for _, *box in objects],
         "categories": [NAMES[label] for label, *_ in objects]}}
        for n, objects in OBJECTS.items()
    ]  # fmt: skip
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))


def coco_at(images: str, file: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        photos(root / images)
        coco(root / file)

    return make


def listed(root: Path) -> None:
    yolo(root)
    (root / "data.yaml").write_text("train: train.txt\nnames: {0: cup, 1: plate}\n")
    (root / "train.txt").write_text("".join(f"./images/train/{n}.jpg\n" for n in OBJECTS))


def classes_beside(
    images: str, labels: str, notes: str | None = None, train: str | None = None
) -> Callable[[Path], None]:
    """YOLO without a `data.yaml`. notes: a file that is no data; train: what its list has a line
    of for each photo."""

    def make(root: Path) -> None:
        photos(root / images)
        yolo_labels(root / labels)
        (root / "classes.txt").write_text("cup\nplate\n")
        if notes is not None:
            (root / notes).write_text('{"categories": [], "info": {}}')
        if train is not None:
            (root / "train.txt").write_text("".join(f"{train.format(n)}\n" for n in OBJECTS))

    return make
