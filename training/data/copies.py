"""Photos that a file has several entries for, as tools write that make one for each box.

Each entry lacks the boxes of the others, so that one photo would be taught and measured as several
that contradict each other. They are merged.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from deimv2.model.errors import InputError
from deimv2.model.words import plural
from deimv2.training.data.mending import Size, annotated_size
from deimv2.training.data.records import Record

Annotations = dict[int, Record]  # by their place in the file


def merge(
    path: Path, images: Sequence[Record], annotations: Annotations
) -> tuple[list[Record], dict[int, Size | None], Annotations, list[str]]:
    """One entry for each photo, the first; sizes by its id; the annotations; what was merged.

    A box that several entries have is one. Raises InputError for entries that are no size, or of
    several for one photo.
    """
    entries: dict[PurePosixPath, list[Record]] = defaultdict(list)
    for row in images:
        entries[PurePosixPath(row["file_name"])].append(row)
    kept = [rows[0] for rows in entries.values()]
    sizes = {rows[0]["id"]: _size(path, rows) for rows in entries.values()}
    if len(kept) == len(images):
        return kept, sizes, annotations, []
    ids = {row["id"]: rows[0]["id"] for rows in entries.values() for row in rows}
    several = [len(rows) for rows in entries.values() if len(rows) > 1]
    note = (
        f"{sum(several)} entries of {plural(len(several), 'photo')}, merged: each photo is one, "
        "with the boxes of all its entries"
    )
    return kept, sizes, _moved(annotations, ids), [note]


def _size(path: Path, rows: Sequence[Record]) -> Size | None:
    """Of one photo, by all its entries."""
    said = {size: None for row in rows if (size := annotated_size(path, row))}
    if len(said) > 1:
        raise InputError(
            f"'{path}' has {len(rows)} entries for '{rows[0]['file_name']}', of "
            f"{' and '.join(f'{w} x {h}' for w, h in said)} pixels, expected one photo of one "
            "size; were two files merged? give each photo a name of its own"
        )
    return next(iter(said), None)


def _moved(annotations: Annotations, ids: Mapping[int, int]) -> Annotations:
    """To the entries that are kept. ids: theirs, by that of any entry."""
    owners: dict[tuple[int, int, str], int] = {}
    found: Annotations = {}
    for place, row in annotations.items():
        image = ids.get(row["image_id"], row["image_id"])
        box = image, row["category_id"], str(row["bbox"])
        if owners.setdefault(box, row["image_id"]) == row["image_id"]:
            found[place] = {**row, "image_id": image}
    return found
