"""Annotations of every layout, as the content of a COCO file.

One reader each; what follows (`dataset` for training, `deimv2.evaluation.annotations`) knows COCO's
form alone.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image

from deimv2.model.errors import InputError
from deimv2.model.images import DAMAGED, SUFFIXES, find_photos
from deimv2.model.words import plural
from deimv2.training.data.copies import merge
from deimv2.training.data.description import (
    above,
    is_file,
    labels_of,
    read_key_points,
    read_names,
    yaml_file,
)
from deimv2.training.data.layouts import Part, described_by, locate
from deimv2.training.data.mending import (
    Box,
    Size,
    alike,
    around,
    mend,
    require_own_ids,
    require_own_names,
    require_pixels,
)
from deimv2.training.data.records import PLACE, Record, read_json, read_text, records

TURNED = (5, 6, 7, 8)  # values of EXIF's orientation that exchange width and height
MOST_CLASSES = 10_000  # beyond that a number of a class is an error

# A photo: its name relative to the folder, its size, objects with category_id, bbox and PLACE.
AnnotatedPhoto = tuple[str, Size | None, list[Record]]


@dataclass(frozen=True)
class Coco:
    """The lists of a COCO file: entries have the keys that a detector needs, of the right types,
    and ids of their own, and each photo is there once; categories stand in the order of their ids.
    annotations: by their place in the file. sizes: of the photos as annotated, by id. notes: what
    was mended, a line each."""

    categories: list[Record]
    images: list[Record]
    annotations: dict[int, Record]
    sizes: dict[int, Size | None]
    notes: list[str]


def read_coco(part: Part) -> Coco:
    """Raises InputError for annotations that are of no known kind, or contradict themselves."""
    path, content = part.annotations, _content(part)
    notes = mend(content)
    categories = records(path, content, "categories", id=int, name=str)
    images = records(path, content, "images", id=int, file_name=str)
    rows = records(path, content, "annotations", image_id=int, category_id=int, bbox=list)
    photos = {(row["id"], row["file_name"]): row for row in images}
    require_own_ids(path, "image", [*photos.values()], "photos", "file_name")
    require_own_ids(path, "category", categories, "classes", "name")
    names = [row["name"] for row in categories]
    require_own_names(path, names)
    images, sizes, annotations, merged = merge(path, images, dict(enumerate(rows)))
    require_pixels(path, sizes, [*annotations.values()])
    categories = sorted(categories, key=lambda row: int(row["id"]))
    return Coco(categories, images, annotations, sizes, notes + merged + alike(names))


def _content(part: Part) -> dict[str, Any]:
    path = part.annotations
    if part.merged:
        return _yolo(part)
    if path.is_dir() and path.suffix != ".json":
        voc = any(path.glob("*.xml"))
        return _voc(part, [*_photos(part)]) if voc else _yolo(part)
    if path.suffix == ".jsonl":
        return _jsonl(part)
    if path.suffix == ".txt":
        voc = len(path.parents) > 2 and (path.parents[2] / "Annotations").is_dir()
        files = path.parents[2] / "Annotations" if voc else path
        return _voc(Part(part.images, files), _listed(part)) if voc else _yolo(part)
    return dict(read_json(path))


def _photos(part: Part) -> list[Path]:
    if part.annotations.suffix == ".txt":
        return _listed(part)
    return find_photos(part.images, below=True)


def size_of(photo: Path) -> tuple[int, int] | None:
    """(width, height) of a photo when upright, from its header; None where it cannot be read."""
    try:
        with Image.open(photo) as image:
            exif = image.getexif()
            # Of TIFF, some versions of Pillow give the size when upright.
            width, height = (exif[0x0100], exif[0x0101]) if image.format == "TIFF" else image.size
            return (height, width) if exif.get(0x0112) in TURNED else (width, height)
    except (*DAMAGED, KeyError, Image.DecompressionBombError):
        return None


def as_coco(names: Sequence[str], photos: Sequence[AnnotatedPhoto]) -> dict[str, Any]:
    images, annotations = [], []
    for i, (name, size, objects) in enumerate(photos):
        known = {} if size is None else {"width": size[0], "height": size[1]}
        images.append({"id": i, "file_name": name} | known)
        annotations += [{"image_id": i, "iscrowd": 0, **each} for each in objects]
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _require_boxes(part: Part, photos: Sequence[AnnotatedPhoto], files: int) -> None:
    """Raises InputError for labels without a box. files: how many of them belong to the photos."""
    if any(objects for _, _, objects in photos):
        return
    labels = f"no box in the {plural(files, 'label file')} of" if files else "no label file for"
    damaged = sum(size is None for _, size, _ in photos)
    unread = f", {damaged} of which cannot be read" if damaged else ""
    raise InputError(
        f"'{part.annotations}' has {labels} the {plural(len(photos), 'photo')} in "
        f"'{part.images}'{unread}, expected at least one; correct the labels, or use other photos"
    )


# -- YOLO: a text file for each photo, "class centre-x centre-y width height" in shares of the photo


def _yolo(part: Part) -> dict[str, Any]:
    names, key_points = _yolo_described(part)
    rows = []
    labelled = [*_labelled(part)]
    for labels, photo in labelled:
        size = size_of(photo)
        objects = [] if size is None else [*_yolo_objects(labels, size, len(names), key_points)]
        rows.append((_relative(photo, part.images), size, objects))
    _require_boxes(part, rows, sum(labels.is_file() for labels, _ in labelled))
    return as_coco(names, rows)


def _labelled(part: Part) -> Iterator[tuple[Path, Path]]:
    """Each photo after its file of labels."""
    for piece in part.pieces:
        for photo in _photos(piece):
            yield _label_file(piece, photo), photo


def _relative(photo: Path, folder: Path) -> str:
    inside = photo.is_relative_to(folder)
    return photo.relative_to(folder).as_posix() if inside else str(photo.absolute())


def _label_file(part: Part, photo: Path) -> Path:
    if part.annotations.is_dir() and photo.is_relative_to(part.images):
        inside = part.annotations / photo.relative_to(part.images).with_suffix(".txt")
        return inside if inside.is_file() else part.annotations / f"{photo.stem}.txt"
    return labels_of(photo.parent) / f"{photo.stem}.txt"


def _yolo_described(part: Part) -> tuple[list[str], int]:
    """The class names, and how many numbers of key points follow each box: from the `data.yaml`
    that names the part, else from the nearest above, or `classes.txt`."""
    found = (yaml_file(folder) or folder / "classes.txt" for folder in above(part.annotations))
    nearest = next((each for each in found if each.is_file()), None)
    file = part.description or described_by(part.annotations) or nearest
    if file is None:
        raise InputError(
            f"no data.yaml or classes.txt above '{part.annotations}', expected the class names of "
            "YOLO labels; put one into the data set's folder"
        )
    listed = file.name == "classes.txt"
    names = read_text(file).rstrip().splitlines() if listed else read_names(file)
    require_own_names(file, names)
    return names, 0 if listed else read_key_points(file)


def _yolo_objects(
    file: Path, size: tuple[int, int], classes: int, key_points: int
) -> Iterator[Record]:
    """Of one photo. A line of more numbers is a polygon, of which the box is taken."""
    if not file.is_file():
        return  # a photo without any object
    width, height = size
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        where = f"line {number} of '{file}'"
        index, numbers = _yolo_line(where, line, classes, key_points)
        if max(numbers) > 2:
            raise InputError(
                f"{where} has the value {max(numbers):g}, expected shares of the photo's width and "
                "height, from 0 to 1, not pixels; divide them"
            )
        if len(numbers) == 4:
            x, y, w, h = numbers
            box = [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height]
        else:
            box = around([n * (height if i % 2 else width) for i, n in enumerate(numbers)])
        yield {"category_id": index, "bbox": box, PLACE: where}


def _yolo_line(where: str, line: str, classes: int, key_points: int) -> tuple[int, list[float]]:
    """A line's class, and the numbers of its box or polygon."""
    try:
        label, *values = line.split()
        number, numbers = float(label), [float(value) for value in values]
        index = int(number) if number.is_integer() else -1
    except ValueError:
        index, numbers = -1, []
    count = len(numbers)
    if key_points and count > 4:
        if count != 4 + key_points:
            raise InputError(
                f"{where} has {count} numbers after its class, expected 4 of a box, or "
                f"{4 + key_points} with the key points that 'kpt_shape' in data.yaml names; "
                "correct one of them"
            )
        numbers = numbers[:4]
    elif _shows_key_points(numbers):
        raise InputError(
            f"{where} has key points after its box, expected 'kpt_shape: [{(count - 4) // 3}, 3]' "
            "in a data.yaml above the labels, which says so; add it"
        )
    elif count > 4 and count % 2:
        raise InputError(
            f"{where} has {count} numbers after its class, expected 4 of a box or pairs of a "
            "polygon: one is too many; if it is a confidence, these are predictions, not labels; "
            "drop it from each line"
        )
    if not 0 <= index < classes or len(numbers) < 4 or len(numbers) % 2:
        raise InputError(
            f"{where} is '{line.strip()[:60]}', expected a class from 0 to {classes - 1} and x, y, "
            "width, height; correct the file"
        )
    return index, numbers


def _shows_key_points(numbers: Sequence[float]) -> bool:
    """Whether a line can only be a box with key points: each has a third number, 0 to 2 for how
    visible it is, and a polygon has no 2."""
    visible = set(numbers[6::3])
    return len(numbers) % 3 == 1 and 2 in visible and visible <= {0, 1, 2}


# -- Pascal VOC: an XML file for each photo


def _voc(part: Part, photos: Sequence[Path]) -> dict[str, Any]:
    files = sorted(part.annotations.glob("*.xml"))
    objects = {file.stem: _voc_objects(file) for file in files}
    names = sorted({name for each in objects.values() for name, _ in each})
    rows = []
    for photo in photos:
        found: list[Record] = [
            {
                "category_id": names.index(name),
                "bbox": box,
                PLACE: f"'{part.annotations / photo.stem}.xml'",
            }
            for name, box in objects.get(photo.stem, [])
        ]
        rows.append((_relative(photo, part.images), size_of(photo), found))
    _require_boxes(part, rows, sum(photo.stem in objects for photo in photos))
    return as_coco(names, rows)


def _voc_objects(file: Path) -> list[tuple[str, Box]]:
    try:
        root = ElementTree.parse(file).getroot()
        found = []
        for each in root.iter("object"):
            corners = [float(each.findtext(f"bndbox/{k}") or "") for k in _CORNERS]
            left, top, right, bottom = corners
            name = (each.findtext("name") or "").strip()
            if not name:
                raise ValueError("an object has no name")
            found.append((name, [left, top, right - left, bottom - top]))
    # LookupError: of an unknown encoding
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(
            f"'{file}' is not a Pascal VOC annotation ({error}); expected objects with a name and "
            "a bndbox; correct the file"
        ) from error
    return found


_CORNERS = ("xmin", "ymin", "xmax", "ymax")


# -- lists of photos


def _listed(part: Part) -> list[Path]:
    """The photos that a .txt file lists: paths, or names without a suffix as VOC has them.

    Those below another root are found by the end of their name, as in COCO files.
    """
    rows = read_text(part.annotations).replace("\\", "/").splitlines()
    listed = [row.strip() for row in rows if row.strip()]
    if not listed:
        raise InputError(
            f"'{part.annotations}' lists no photo, expected one a line; correct the list"
        )
    names = list(dict.fromkeys(listed))
    found = [_named_photo(part, name) for name in names]
    for folder in (part.images, part.annotations.parent):
        if None in found:
            ends, _ = locate(folder, names)
            found = [path or end for path, end in zip(found, ends, strict=True)]
    photos = {name: path for name, path in zip(names, found, strict=True) if path is not None}
    if len(photos) < len(names):
        raise InputError(
            f"'{part.annotations}' lists '{names[found.index(None)]}', which is not in "
            f"'{part.images}'; correct the list, or bring the photo back"
        )
    return [photos[name] for name in listed]


def _named_photo(part: Part, row: str) -> Path | None:
    name, _, mark = row.rpartition(" ")
    # VOC's mark of whether the list's class is on the photo
    names = [row, name.strip()] if mark in ("-1", "0", "1") else [row]
    places = [
        place
        for each in names
        for place in (
            part.images / each,
            part.annotations.parent / each,
            *(part.images / f"{each}{suffix}" for suffix in sorted(SUFFIXES)),
        )
    ]
    return next(filter(is_file, places), None)


# -- Hugging Face: a line of JSON for each photo


def _jsonl(part: Part) -> dict[str, Any]:
    rows = []
    for number, line in enumerate(read_text(part.annotations).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            given = row["objects"]
            labels = next(given[k] for k in ("category", "categories", "label") if k in given)
            if not all(map(_is_label, labels)):
                raise ValueError
            pairs = list(zip(labels, given["bbox"], strict=True))
            rows.append((str(row["file_name"]), pairs, f"line {number} of '{part.annotations}'"))
        except (ValueError, LookupError, TypeError, StopIteration) as error:
            raise InputError(
                f"line {number} of '{part.annotations}' is not an annotated photo, expected "
                f"file_name and objects with bbox and category (names, or numbers from 0 to "
                f"{MOST_CLASSES - 1}); correct the file"
            ) from error
    labels = {label for _, pairs, _ in rows for label, _ in pairs}
    if not labels:
        raise InputError(f"no objects in '{part.annotations}', expected some; use another file")
    numbered = all(type(label) is int for label in labels)
    order = [str(i) for i in range(max(labels) + 1)] if numbered else sorted(map(str, labels))
    photos = []
    for name, pairs, place in rows:
        objects: list[Record] = [
            {"category_id": order.index(str(label)), "bbox": box, PLACE: place}
            for label, box in pairs
        ]
        photos.append((name, size_of(part.images / name), objects))
    return as_coco(order, photos)


def _is_label(label: Any) -> bool:
    numbered = type(label) is int and 0 <= label < MOST_CLASSES
    return numbered or isinstance(label, str)
