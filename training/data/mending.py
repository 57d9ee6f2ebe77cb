"""What COCO files of many origins have in common, mended or refused.

What is unambiguous is mended and said: ids, sizes and marks of crowds as text, back slashes in file
names, boxes that only polygons give, and Roboflow's super-category. What cannot be right is
refused.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deimv2.model.errors import InputError
from deimv2.model.words import counted
from deimv2.training.data.records import LARGEST, Record, is_number, malformed

Box = list[float]  # x, y, width, height in pixels
Size = tuple[int, int]  # width, height in pixels
IDS, SIDES, CROWDS = (
    f"{each} written as text or as 1.0, read as numbers"
    for each in ("ids", "sides of photos", "marks of crowds")
)
MOST_DIGITS = 1000  # Python refuses to read a number of more than 4300
SIDEWAYS = 0.5  # share of the boxes from which a mistake in all of them is assumed
FEWEST = 4  # boxes that show one


def around(polygon: Sequence[float]) -> Box:
    """The box around x, y, x, y, ..."""
    xs, ys = polygon[0::2], polygon[1::2]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def mend(content: dict[str, Any]) -> list[str]:
    """Mends what is unambiguous, in place; a line for each kind of it."""
    counts: Counter[str] = Counter()
    for part, keys, what in (
        ("images", ("id",), IDS), ("images", ("width", "height"), SIDES),
        ("categories", ("id",), IDS), ("annotations", ("image_id", "category_id"), IDS),
        ("annotations", ("iscrowd",), CROWDS),
    ):  # fmt: skip
        for row in _rows(content, part):
            for key in keys:
                whole = _whole(row.get(key))
                if whole is not None:
                    row[key] = whole
                    counts[what] += 1
    for row in _rows(content, "images"):
        if isinstance(row.get("file_name"), str) and "\\" in row["file_name"]:
            row["file_name"] = row["file_name"].replace("\\", "/")
            counts["slashes written backwards in file names, read as slashes"] += 1
    for row in _rows(content, "annotations"):
        polygons = row.get("segmentation")
        if not row.get("bbox") and isinstance(polygons, list) and polygons:
            points = [n for each in polygons if isinstance(each, list) for n in each]
            if len(points) >= 6 and all(map(is_number, points)):
                row["bbox"] = around(points)
                counts["boxes made of polygons"] += 1
    notes = [counted(count, what) for what, count in counts.items()]
    return notes + _drop_super_category(content)


def _rows(content: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    rows = content.get(part)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _whole(value: object) -> int | None:
    """A whole number in another form."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value) if len(value) <= MOST_DIGITS else None
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _drop_super_category(content: dict[str, Any]) -> list[str]:
    """Roboflow writes the super-category of all classes as one of them, without a box."""
    rows = _rows(content, "categories")
    used = [row.get("category_id") for row in _rows(content, "annotations")]
    for row in rows:
        others = [each for each in rows if each is not row]
        above = all(each.get("supercategory") == row.get("name") for each in others)
        if others and above and row.get("id") not in used:
            content["categories"] = others
            return [f"the category '{row.get('name')}' is that of all others, no class"]
    return []


def require_own_ids(path: Path, kind: str, rows: Sequence[Record], things: str, name: str) -> None:
    """Raises InputError where two share an id: what belongs to one would be taken for the other's.

    things: what the rows are; name: the key that names each.
    """
    (value, uses), *_ = Counter(row["id"] for row in rows).most_common(1)
    if uses > 1:
        names = [row[name] for row in rows if row["id"] == value]
        raise InputError(
            f"'{path}' uses the {kind} id {value} for {uses} {things} ({', '.join(names[:3])}), "
            f"expected ids of their own; were two files merged? renumber the {things}"
        )


def require_own_names(path: Path, names: Sequence[str]) -> None:
    """Raises InputError where they could not stand in a label list: one a line, each its own."""
    for i, name in enumerate(names):
        if len(name.splitlines()) != 1 or not name.strip():
            raise InputError(
                f"'{path}' names class {i} {name!r}, expected one line of text; name it"
            )
    if len(set(names)) < len(names):
        name, uses = Counter(names).most_common(1)[0]
        ids = ", or give their boxes one category id" if path.suffix == ".json" else ""
        raise InputError(
            f"'{path}' names {uses} classes '{name}', expected names of their own; rename them{ids}"
        )


def alike(names: Sequence[str]) -> list[str]:
    """Notes on names that are told apart by their case, or by blanks at their ends, alone."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.strip().casefold(), []).append(f"'{name}'")
    return [
        f"classes {' and '.join(group)} differ only in case or blanks, and are taken as classes of "
        "their own; rename them if they are one"
        for group in groups.values()
        if len(group) > 1
    ]


def annotated_size(path: Path, image: Record) -> Size | None:
    """Of a photo, None where its entry has none. Raises InputError for what is no size."""
    sides = width, height = image.get("width"), image.get("height")
    if sides == (None, None):
        return None
    if (
        type(width) is int
        and type(height) is int
        and all(0 < side < LARGEST for side in (width, height))
    ):
        return width, height
    where = f"image '{image['file_name']}'"
    raise malformed(
        path, where, "width, height", list(sides), "two whole numbers from 1 to 999,999,999"
    )


def require_pixels(
    path: Path, sizes: Mapping[int, Size | None], annotations: Sequence[Record]
) -> None:
    """Raises InputError where most boxes look as if they were meant in another way.

    sizes: of the photos, by id.
    """
    boxes = []
    for row in annotations:
        box, size = row["bbox"], sizes.get(row["image_id"])
        if len(box) == 4 and all(map(is_number, box)):
            boxes.append((box, size))
    if len(boxes) < FEWEST:
        return
    shares = sum(min(box) >= 0 and max(box) <= 1 for box, _ in boxes)
    if shares == len(boxes):
        raise InputError(
            f"all {len(boxes)} boxes in '{path}' lie between 0 and 1, expected pixels; multiply "
            "them by the photos' widths and heights"
        )
    beyond = sum(_beyond(box, size) for box, size in boxes)
    if beyond > SIDEWAYS * len(boxes) and all(x < z and y < t for (x, y, z, t), _ in boxes):
        raise InputError(
            f"{beyond} of {len(boxes)} boxes in '{path}' reach beyond their photos, and all look "
            "like x1, y1, x2, y2, expected x, y, width, height; subtract the first two from the "
            "others"
        )


def _beyond(box: Sequence[float], size: Size | None) -> bool:
    """Whether a box leaves its photo as x, y, width, height, and does not as two corners."""
    if size is None:
        return False
    (width, height), (x, y, z, t) = size, box
    return (x + z > width + 1 or y + t > height + 1) and z <= width + 1 and t <= height + 1
