"""Where the parts of a data set lie, in the layouts that tools write.

COCO files in any usual place, YOLO (`data.yaml`, `images/`, `labels/`), Pascal VOC
(`JPEGImages/`, `Annotations/`, `ImageSets/`, or .xml beside the photos) and Hugging Face's
`metadata.jsonl`. What annotates a part is a file or a folder, and its kind says how it is read
(`deimv2.training.data.reading`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deimv2.model.errors import InputError
from deimv2.model.images import SUFFIXES
from deimv2.training.data.description import above, labels_of, read_yaml, yaml_file

NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
LAYOUTS = (
    "train/ with photos and one .json file, data.yaml with images/ and labels/ (YOLO), or "
    "JPEGImages/ and Annotations/ (VOC)"
)


@dataclass(frozen=True)
class Part:
    """A folder of photos, and what annotates them: a COCO file, a `metadata.jsonl`, a list of
    photos (.txt), or a folder of labels (.txt or .xml).

    merged: where a `data.yaml` lists several, these, with it as the annotations and its folder.
    description: the `data.yaml` that names the part and says what its labels mean.
    """

    images: Path
    annotations: Path
    merged: tuple["Part", ...] = ()
    description: Path | None = None

    @property
    def pieces(self) -> tuple["Part", ...]:
        """Itself, or what it is merged of."""
        return self.merged or (self,)


def find_part(folder: Path, name: str) -> Part | None:
    """The part "train", "val" or "test" of a data set, None if it has none.

    folder: or the `data.yaml` itself, whatever its name. One without parts, of photos and their
    annotations, is "train". Raises InputError when in doubt.
    """
    if (yolo := yaml_file(folder)) is not None:
        return _yolo(yolo, name)
    if not folder.is_dir():
        raise InputError(
            f"no folder at '{folder}', expected a data set, or its data.yaml; check the path"
        )
    for stem in NAMES[name]:
        found = set(_named(folder, stem))
        if len(found) > 1:
            names = ", ".join(sorted(str(part.annotations) for part in found))
            raise InputError(
                f"'{folder}' has several files for '{name}' ({names}), expected one; name it with "
                "--images and --annotations"
            )
        if found:
            return found.pop()
    return whole(folder) if name == "train" else None


def part_names(folder: Path) -> list[str]:
    """Those of NAMES that a data set has."""
    if (yolo := yaml_file(folder)) is not None:
        content = read_yaml(yolo)
        return [name for name, keys in NAMES.items() if any(map(content.get, keys))]
    return [n for n, stems in NAMES.items() if any(any(_named(folder, stem)) for stem in stems)]


def whole(folder: Path) -> Part | None:
    """A folder whose photos are in no parts."""
    files = sorted(folder.glob("*.json"))
    inside = folder / "images"
    images = inside if inside.is_dir() else folder
    if len(files) == 1 and (inside.is_dir() or has_photos(folder)):
        return Part(images, files[0])
    if (folder / "metadata.jsonl").is_file():
        return Part(folder, folder / "metadata.jsonl")
    if (folder / "JPEGImages").is_dir() and (folder / "Annotations").is_dir():
        return Part(folder / "JPEGImages", folder / "Annotations")
    if inside.is_dir() and any((folder / "labels").glob("*.txt")):
        return Part(inside, folder / "labels")
    return None


def _named(folder: Path, stem: str) -> Iterator[Part]:
    """Parts whose folder of photos, file or list has a name that starts with the stem."""
    split = folder / "ImageSets" / "Main" / f"{stem}.txt"
    if split.is_file() and (folder / "JPEGImages").is_dir():
        yield Part(folder / "JPEGImages", split)
        return
    places = [*folder.glob(f"{stem}*"), *(folder / "images").glob(f"{stem}*")]
    for images in [place for place in places if place.is_dir()]:
        inside = images / "images"
        photos = inside if inside.is_dir() else images
        yield from (Part(photos, each) for each in _beside(folder, images))
    files = [*folder.glob(f"{stem}*.json"), *folder.glob(f"annotations/*{stem}*.json")]
    if not any(place.is_dir() for place in places) and len(files) == 1:
        inside = folder / "images"
        yield Part(inside if inside.is_dir() else folder, files[0])


def _beside(folder: Path, images: Path) -> list[Path]:
    """What annotates a part's folder of photos, the first kind that there is."""
    name = images.name
    candidates = [
        [folder / "annotations" / f"instances_{name}.json"],
        sorted(images.glob("*.json")),
        [images / "metadata.jsonl"],
        [folder / f"{name}.json", folder / "annotations" / f"{name}.json"],
        [folder / "labels" / name, images / "labels"],
        [images] if any(images.glob("*.xml")) else [],
    ]
    for each in candidates:
        if found := [path for path in each if path.exists()]:
            return found
    return []


def locate(folder: Path, names: Sequence[str]) -> tuple[list[Path | None], int]:
    """The photo of each name, None where there is none, and how many were found by the end of their
    name alone.

    Many tools write names below a root of their own: "train/0.jpg", or a whole path of another
    machine. The folders that are not there are taken off, unless two names would be one photo.
    """
    ends = [_end_that_is_there(folder, Path(name)) for name in names]
    uses = Counter(ends)
    found: list[Path | None] = []
    shortened = 0
    for name, end in zip(names, ends, strict=True):
        if end is None or (end != Path(name) and uses[end] > 1):
            found.append(None)
        else:
            found.append(folder / end)
            shortened += end != Path(name)
    return found, shortened


def _end_that_is_there(folder: Path, name: Path) -> Path | None:
    ends = (Path(*name.parts[i:]) for i in range(len(name.parts)))
    return next((end for end in ends if (folder / end).is_file()), None)


def has_photos(folder: Path) -> bool:
    return any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())


# -- YOLO


def described_by(annotations: Path) -> Path | None:
    """The nearest `data.yaml` above that names these labels, of a part or within one."""
    files = map(yaml_file, above(annotations))
    return next((file for file in files if file and _names(file, annotations.resolve())), None)


def _names(file: Path, annotations: Path) -> bool:
    for name in NAMES:
        try:
            part = _yolo(file, name)
        except InputError:
            continue  # of another part, or no data set's
        pieces = () if part is None else part.pieces
        if any(annotations.is_relative_to(piece.annotations.resolve()) for piece in pieces):
            return True
    return False


def _yolo(file: Path, name: str) -> Part | None:
    content = read_yaml(file)
    entry = next((content[key] for key in NAMES[name] if content.get(key)), None)
    if entry is None:
        return None
    entries = entry if isinstance(entry, list) else [entry]
    pieces = tuple(_yolo_piece(file, content.get("path"), name, str(each)) for each in entries)
    if not any(piece.annotations.exists() for piece in pieces):
        raise InputError(
            f"no folder at '{pieces[0].annotations}', expected the labels of the photos in "
            f"'{pieces[0].images}', a .txt file for each; put them there"
        )
    return pieces[0] if len(pieces) == 1 else Part(file.parent, file, pieces, file)


def _yolo_piece(file: Path, root: object, name: str, entry: str) -> Part:
    places = _places(file, root, entry)
    images = next((place for place in places if place.exists()), None)
    if images is None:
        raise InputError(
            f"'{file}' says '{entry}' for '{name}', which is not there (nor "
            f"'{places[-1]}'); correct the file"
        )
    if images.is_file():
        return Part(images.parent, images, description=file)
    inside = images / "images"
    images = inside if inside.is_dir() else images
    return Part(images, labels_of(images), description=file)


def _places(file: Path, root: object, entry: str) -> list[Path]:
    """Where the entry may mean: below the root that the file names, beside the file, and, as some
    exporters write it, one folder too high."""
    start = file.parent / str(root) if root else file.parent
    below = entry
    while below.startswith("../"):
        below = below.removeprefix("../")
    return [start / entry, file.parent / entry, file.parent / below]
