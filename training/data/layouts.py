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
from typing import Any

from deimv2.model.errors import InputError
from deimv2.model.images import SUFFIXES
from deimv2.model.optional import require

NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
YAML = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
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


def yaml_file(folder: Path) -> Path | None:
    """The file that describes a YOLO data set: in its root, or given itself."""
    if folder.suffix.lower() in (".yaml", ".yml") and folder.is_file():
        return folder
    return next((folder / name for name in YAML if (folder / name).is_file()), None)


def described_by(annotations: Path) -> Path | None:
    """The nearest `data.yaml` above that names these labels, of a part or within one."""
    files = map(yaml_file, above(annotations))
    return next((file for file in files if file and _names(file, annotations.resolve())), None)


def above(annotations: Path) -> list[Path]:
    """Folders where what describes labels is looked for."""
    return [folder for folder in [annotations, *annotations.parents][:4] if folder.is_dir()]


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


def read_yaml(path: Path) -> dict[str, Any]:
    """Raises InputError for a file that is no data set's description, MissingExtraError without
    PyYAML."""
    yaml = require("yaml", "train")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"'{path}' is not YAML ({reason}); write it again") from error
    if not isinstance(content, dict) or "names" not in content:
        raise InputError(
            f"'{path}' has no 'names', expected a YOLO data set's description with 'train', 'val' "
            "and 'names'; use another file"
        )
    return content


def read_names(path: Path) -> list[str]:
    """The class names of a YOLO data set's description, in the order of their numbers.

    Raises InputError for what is neither a list of them nor has a name for each number from 0 on:
    labels are these numbers.
    """
    names = read_yaml(path)["names"]
    if isinstance(names, dict):
        numbered = {int(k): name for k, name in names.items() if str(k).isdecimal()}
        if len(numbered) < len(names) or numbered.keys() != set(range(len(names))):
            raise InputError(
                f"'names' in '{path}' has the keys {_shown(list(names))}, expected the numbers "
                f"from 0 to {len(names) - 1}, which the labels are; correct the file"
            )
        names = [numbered[i] for i in range(len(names))]
    if not isinstance(names, list) or not names:
        raise InputError(
            f"'names' in '{path}' is {_shown(names)}, expected a list of names, or a name for each "
            "number from 0 on; correct the file"
        )
    for i, name in enumerate(names):
        if type(name) not in (str, int, float):
            raise InputError(
                f"'names' in '{path}' has {_shown(name)} for class {i}, expected text; put it in "
                "quotes"
            )
    return [str(name) for name in names]


def read_key_points(path: Path) -> int:
    """How many numbers of key points follow each box in the labels of a YOLO data set."""
    shape = read_yaml(path).get("kpt_shape")
    if shape is None:
        return 0
    if isinstance(shape, list) and len(shape) == 2 and all(type(n) is int for n in shape):
        points, numbers = shape
        if points > 0 and numbers in (2, 3):
            return points * numbers
    raise InputError(
        f"'kpt_shape' in '{path}' is {_shown(shape)}, expected [number of key points, 2 or 3]; "
        "correct the file"
    )


def _shown(value: object) -> str:
    """In YAML, on one line."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


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


def labels_of(images: Path) -> Path:
    """The folder of labels: the last `images` in the path becomes `labels`."""
    parts = list(images.parts)
    for i in reversed(range(len(parts))):
        if parts[i] == "images":
            return Path(*parts[:i], "labels", *parts[i + 1 :])
    return images
