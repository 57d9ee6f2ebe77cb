"""Photos with annotated objects to train on, checked before the training starts.

Category ids become 0..C-1 in their order, names are kept. What cannot be trained on is left out,
and `Findings` says how often, with examples; only what leaves nothing to train on, or makes the
file unreadable, raises InputError.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deimv2.model.errors import InputError
from deimv2.model.words import counted, plural
from deimv2.training.data.layouts import Part, locate
from deimv2.training.data.mending import Size
from deimv2.training.data.reading import read_coco, size_of
from deimv2.training.data.records import Record, is_number, named

EXAMPLES = 3  # that a finding lists
OTHER_SIZE = (
    "photos of another size than annotated, left out; use those that were annotated, or scale the "
    "boxes with them"
)
Boxes = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """A photo on disk with N objects: labels int64 [N], boxes [N, 4] as x1, y1, x2, y2 in pixels.

    size: (width, height) as annotated, None where the file does not say it.
    """

    path: Path
    labels: Labels
    boxes: Boxes
    size: Size | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """names: of the classes, by label."""

    samples: Sequence[Sample]
    names: tuple[str, ...]


@dataclass
class Findings:
    """What was found in a data set that a person should know of, by what was done about it."""

    notes: list[str] = field(default_factory=list)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, what: str, example: str) -> None:
        self.counts[what] += 1
        if len(self.examples[what]) < EXAMPLES:
            self.examples[what].append(example)

    def lines(self) -> list[str]:
        """One line per finding: what, how many, examples."""
        return self.notes + [
            f"{counted(count, what)}: {'; '.join(self.examples[what])}"
            + ("; ..." if count > EXAMPLES else "")
            for what, count in self.counts.items()
        ]


def read_dataset(part: Part) -> tuple[Dataset, Findings]:
    """Raises InputError for annotations that cannot be read, or leave no object."""
    path, findings = part.annotations, Findings()
    coco = read_coco(part)
    findings.notes = coco.notes
    labels = {row["id"]: i for i, row in enumerate(coco.categories)}
    images = {row["id"]: row for row in coco.images}
    objects: dict[int, list[tuple[int, list[float]]]] = {key: [] for key in images}
    for i, row in coco.annotations.items():
        box = _usable_box(i, row, images, coco.sizes, labels, findings)
        if box is not None:
            objects[row["image_id"]].append((labels[row["category_id"]], box))
    samples = [
        _sample(path, coco.sizes[key], objects[key])
        for key, path in _photos(part.images, images, findings).items()
        if _as_annotated(path, images[key]["file_name"], coco.sizes[key], findings)
    ]
    if not any(len(sample.labels) for sample in samples):
        problems = "; ".join(findings.lines()) or "no usable box"
        raise InputError(
            f"'{path}' with the photos in '{part.images}' leaves no object to train on "
            f"({problems}); name the folder that 'file_name' is relative to, or correct the file"
        )
    used = {int(label) for sample in samples for label in sample.labels}
    for i, row in enumerate(coco.categories):
        if i not in used:
            findings.add("classes without a box", row["name"])
    return Dataset(samples, tuple(row["name"] for row in coco.categories)), findings


def photo_pixels(photo: Size, size: tuple[int, int]) -> float:
    """Pixels of a photo (width, height) for one of the input (H, W) that it is enlarged to in both
    directions; 1 for any other photo."""
    return min(1.0, max(photo[0] / size[1], photo[1] / size[0]))


def smaller_than(side: float, dataset: Dataset, size: tuple[int, int]) -> tuple[int, int]:
    """How many boxes have a side below so many pixels once photos are stretched to (H, W), or
    before, as the augmentation judges them, and how many there are, of photos whose size is
    known."""
    small = boxes = 0
    for sample in dataset.samples:
        if sample.size is not None and len(sample.boxes):
            scale = np.array([size[1] / sample.size[0], size[0] / sample.size[1]])
            sides = sample.boxes[:, 2:] - sample.boxes[:, :2]
            least = side * photo_pixels(sample.size, size)
            small += int(((sides < least) | (sides * scale < side)).any(axis=1).sum())
            boxes += len(sides)
    return small, boxes


def _photos(folder: Path, images: dict[int, Record], findings: Findings) -> dict[int, Path]:
    """The paths of the photos that are there, by id."""
    names = [image["file_name"] for image in images.values()]
    paths, shortened = locate(folder, names)
    if shortened:
        findings.notes.append(
            f"{plural(shortened, 'photo')} found in '{folder}' without the folders that the file "
            "names start with"
        )
    found = {}
    for key, name, path in zip(images, names, paths, strict=True):
        if path is None:
            findings.add("photos missing, left out", name)
        else:
            found[key] = path
    return found


def _as_annotated(path: Path, name: str, size: Size | None, findings: Findings) -> bool:
    """Whether a photo's header says the size of its annotation, or either says nothing."""
    if size is None or (found := size_of(path)) is None or found == size:
        return True
    findings.add(OTHER_SIZE, other_size(name, found, size))
    return False


def other_size(photo: Path | str, found: Size, size: Size) -> str:
    """Of a photo that does not have the size of its annotation."""
    return (
        f"'{photo}' has {found[0]} x {found[1]} pixels when upright, expected "
        f"{size[0]} x {size[1]} as annotated"
    )


def _sample(path: Path, size: Size | None, objects: list[tuple[int, list[float]]]) -> Sample:
    labels = np.array([label for label, _ in objects], np.int64)
    boxes = np.array([box for _, box in objects], np.float32).reshape(-1, 4)
    return Sample(path, labels, boxes, size)


def _usable_box(
    index: int,
    row: Record,
    images: dict[int, Record],
    sizes: dict[int, Size | None],
    labels: dict[int, int],
    findings: Findings,
) -> list[float] | None:
    """x1, y1, x2, y2 inside the photo, None for an annotation that is not trained on."""
    box = row["bbox"]
    where = f"{named('annotations', index, row)} has bbox {box}"
    if row["image_id"] not in images:
        findings.add("boxes of unknown photos, left out", f"image_id {row['image_id']}")
        return None
    if row["category_id"] not in labels:
        findings.add("boxes of unknown categories, left out", f"id {row['category_id']}")
        return None
    if row.get("iscrowd"):
        findings.add("boxes around crowds, left out", where)
        return None
    if len(box) != 4 or not all(map(is_number, box)):
        findings.add("boxes of other than four numbers, left out", where)
        return None
    x, y, width, height = map(float, box)
    if min(width, height) <= 0:
        findings.add("boxes without area, left out", where)
        return None
    size = sizes[row["image_id"]]
    if size is None:
        return [x, y, x + width, y + height]
    clipped = np.clip([x, y, x + width, y + height], 0, [*size, *size]).tolist()
    name = images[row["image_id"]]["file_name"]
    where += f" on '{name}' of {size[0]} x {size[1]} pixels"
    if clipped[2] - clipped[0] < 1 or clipped[3] - clipped[1] < 1:
        findings.add("boxes with less than a pixel in their photos, left out", where)
        return None
    if max(abs(a - b) for a, b in zip(clipped, [x, y, x + width, y + height], strict=True)) > 1:
        findings.add("boxes beyond their photos, clipped", where)
    return clipped
