"""COCO annotation files: which photos, which classes, which boxes.

A file of any origin is read: ids may be sparse (COCO's 80 categories have ids up to 90), unordered
or start at 0, file names may lie in subfolders, `area` and `iscrowd` may be absent. Places stand in
for ids: photos in the order of the file, classes in the order of their ids. Whatever would make the
result wrong without a word raises InputError instead.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deimv2.model.errors import InputError
from deimv2.model.words import plural
from deimv2.training.data.layouts import Part, locate
from deimv2.training.data.reading import read_coco
from deimv2.training.data.records import Record, is_number, malformed, named

SHOWN = 3  # names that a message lists
NONE = -1  # no class of the annotations
BEYOND = 1.0  # pixels that a box may reach beyond its photo, by rounding


@dataclass(frozen=True)
class Photo:
    """name: relative to the folder of photos. size: (width, height) in pixels, None if not said."""

    name: str
    size: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class Annotations:
    """N annotated boxes on P photos, of C classes.

    path:         the file they come from, for messages
    names:        the class names, in the order of the category ids
    category_ids: as the file has them, sorted
    boxes:        float64 [N, 4], x, y, width, height in pixels of the photo
    areas:        float64 [N], the object's area in pixels; width x height where the file has none
    crowd:        bool [N], one box around many objects, which the evaluation ignores
    photo:        int32 [N], index into `photos`
    label:        int32 [N], index into `names`
    notes:        what a person should know of them, a line each
    """

    path: Path
    photos: tuple[Photo, ...]
    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    boxes: npt.NDArray[np.float64]
    areas: npt.NDArray[np.float64]
    crowd: npt.NDArray[np.bool_]
    photo: npt.NDArray[np.int32]
    label: npt.NDArray[np.int32]
    notes: tuple[str, ...] = ()

    def first(self, count: int) -> "Annotations":
        """Those of the first `count` photos of the file, all of them if there are fewer."""
        kept = self.photo < count
        return replace(
            self,
            photos=self.photos[:count],
            boxes=self.boxes[kept],
            areas=self.areas[kept],
            crowd=self.crowd[kept],
            photo=self.photo[kept],
            label=self.label[kept],
        )

    def find(self, folder: Path) -> list[Path]:
        """The photos' paths. Raises InputError unless all of them are in the folder."""
        if not folder.is_dir():
            raise InputError(
                f"no folder at '{folder}', expected the photos of '{self.path}'; check the path"
            )
        names = [photo.name for photo in self.photos]
        paths, _ = locate(folder, names)
        missing = [name for name, path in zip(names, paths, strict=True) if path is None]
        if missing:
            count = "none" if len(missing) == len(paths) else f"{len(paths) - len(missing)}"
            more = ", ..." if len(missing) > SHOWN else ""
            raise InputError(
                f"{count} of the {len(paths)} photos of '{self.path}' are in '{folder}', "
                f"{len(missing)} are missing ({_quoted(missing[:SHOWN])}{more}); name the folder "
                "that 'file_name' is relative to, or copy them there"
            )
        return [path for path in paths if path is not None]


def read_annotations(source: Path | Part, limit: int | None = None) -> Annotations:
    """Reads a COCO file, or what else annotates a part of a data set.

    limit: keep the first photos only; None keeps all. Raises InputError for annotations that are
    missing or of no known kind, have an entry that is malformed or refers to nothing, or no box to
    find on the photos kept.
    """
    part = source if isinstance(source, Part) else Part(source.parent, source)
    path, coco = part.annotations, read_coco(part)
    rows = coco.annotations
    classes = {row["id"]: place for place, row in enumerate(coco.categories)}
    photos = {row["id"]: place for place, row in enumerate(coco.images)}
    for i, row in rows.items():
        for key, known in (("image_id", photos), ("category_id", classes)):
            if row[key] not in known:
                raise malformed(path, f"annotations[{i}]", key, row[key], "the id of an entry")
    found = Annotations(
        path=path,
        photos=tuple(Photo(row["file_name"], coco.sizes[row["id"]]) for row in coco.images),
        names=tuple(category["name"] for category in coco.categories),
        category_ids=tuple(classes),
        boxes=np.array([_box(path, i, row) for i, row in rows.items()], np.float64),
        areas=np.array([_area(path, i, row) for i, row in rows.items()], np.float64),
        crowd=np.array([_crowd(path, i, row) for i, row in rows.items()], bool),
        photo=np.array([photos[row["image_id"]] for row in rows.values()], np.int32),
        label=np.array([classes[row["category_id"]] for row in rows.values()], np.int32),
    )
    kept = found if limit is None else found.first(limit)
    kept = replace(kept, notes=(*coco.notes, *_odd(kept)))
    if kept.crowd.all():
        raise InputError(
            f"'{path}' has no box to find on the {plural(len(kept.photos), 'photo')} asked for, "
            "expected at least one; use another file or a higher limit"
        )
    return kept


def _odd(found: Annotations) -> Iterator[str]:
    """What counts in AP, as it does in COCO's own evaluation, but can hardly be meant."""
    empty = (found.boxes[:, 2:] == 0).any(1) & ~found.crowd
    if count := int(empty.sum()):
        yield f"{plural(count, 'box', 'boxes')} without width or height, which nothing can find"
    sizes = np.array([photo.size or (np.inf, np.inf) for photo in found.photos])[found.photo]
    ends = found.boxes[:, :2] + found.boxes[:, 2:]
    beyond = ((found.boxes[:, :2] < -BEYOND) | (ends > sizes + BEYOND)).any(1)
    if count := int(beyond.sum()):
        yield f"{plural(count, 'box', 'boxes')} reaching beyond the photo, not clipped"


def match_classes(
    annotations: Annotations, labels: Sequence[str] | None, count: int | None
) -> npt.NDArray[np.int32]:
    """Which class of the annotations each class of the model is: int32 [C].

    labels: the model's class names; None where it has none, and then its classes are taken as the
    annotations' in the order of their ids, as COCO's own are. count: how many classes the model
    has, None if not known.
    NONE for a class of the model that the annotations lack. Raises InputError unless both have the
    same number of classes and the same names, or the annotations some of the model's alone.
    """
    names, path = annotations.names, annotations.path
    if labels is not None and len(set(names)) == len(names) and set(names) < set(labels):
        return np.array([names.index(n) if n in names else NONE for n in labels], np.int32)
    if count is not None and count != len(names):
        raise InputError(
            f"the model has {plural(count, 'class', 'classes')}, '{path}' has {len(names)}; "
            "expected as many; use the annotations of the data set that it was trained on"
        )
    if labels is None or tuple(labels) == names:
        return np.arange(len(names), dtype=np.int32)
    here, there = Counter(labels), Counter(names)
    if here != there:
        raise InputError(
            f"the model's class names are not those of '{path}': only the model has "
            f"{_some(here - there)}, only the file has {_some(there - here)}; expected the same "
            "names; use the annotations of its data set, or give its names with --labels FILE"
        )
    twice = [name for name, uses in there.items() if uses > 1]
    if twice:
        raise InputError(
            f"'{path}' has more than one class named {_quoted(twice[:SHOWN])}, and not in the "
            "model's order; expected names of their own; rename them in both"
        )
    return np.array([names.index(label) for label in labels], np.int32)


def _box(path: Path, index: int, row: Record) -> list[float]:
    box: list[float] = row["bbox"]
    if len(box) == 4 and all(map(is_number, box)) and min(box[2:]) >= 0:
        return box
    expected = "[x, y, width, height] in pixels, width and height of at least 0"
    raise malformed(path, named("annotations", index, row), "bbox", box, expected)


def _area(path: Path, index: int, row: Record) -> float:
    """The segmented area where the file has one: by it COCO tells small from large objects."""
    area = row.get("area")
    if area is None:
        return float(row["bbox"][2] * row["bbox"][3])
    if is_number(area) and area >= 0:
        return float(area)
    raise malformed(path, f"annotations[{index}]", "area", area, "pixels of at least 0")


def _crowd(path: Path, index: int, row: Record) -> bool:
    crowd = row.get("iscrowd", 0)
    if crowd in (0, 1):
        return bool(crowd)
    raise malformed(path, f"annotations[{index}]", "iscrowd", crowd, "0 or 1")


def _quoted(names: Sequence[object]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _some(names: Counter[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return _quoted(list(names)[:SHOWN]) + more if names else "none"
