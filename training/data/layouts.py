"""Where the parts of a data set lie, in the layouts that tools write.

COCO files in any usual place, YOLO (`data.yaml` or `classes.txt`, `images/`, `labels/`), Pascal VOC
(`JPEGImages/`, `Annotations/`, `ImageSets/`), either with its labels beside the photos, and Hugging
Face's `metadata.jsonl`. What annotates a part is a file or a folder, and its kind says how it is
read (`deimv2.training.data.reading`).
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deimv2.model.errors import InputError
from deimv2.model.images import SUFFIXES
from deimv2.training.data.description import (
    above,
    is_file,
    is_there,
    labels_of,
    read_yaml,
    yaml_file,
)

NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
# What stands for a part in the names of folders, files and lists, as a word of its own: in "valid",
# "instances_val2017" and "train[1]", not in "interval".
WORDS = {"train": "(mini)?train(ing)?", "trainval": "train[-_.]?val",
         "val": "(mini)?val(id|idation)?", "test": "test(ing)?"}  # fmt: skip
KINDS = {"train": ("train", "trainval"), "val": ("val",), "test": ("test",)}  # the first that is
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
    for kind in KINDS[name]:
        found = set(_named(folder, kind))
        if len(found) > 1:
            names = ", ".join(sorted(str(part.annotations) for part in found))
            raise InputError(
                f"'{folder}' has several files for '{name}' ({names}), expected one; name it with "
                "--images and --annotations"
            )
        if found and kind == "trainval" and _named(folder, "val"):
            raise InputError(
                f"'{folder}' has 'trainval', which holds its 'val', and no 'train', expected "
                "photos to train on that are not measured on; add a list of them, or give --images "
                "and --annotations"
            )
        if found:
            return found.pop()
    return _of_its_own(folder) if name == "train" else None


def part_names(folder: Path) -> list[str]:
    """Those of NAMES that a data set has."""
    if (yolo := yaml_file(folder)) is not None:
        content = read_yaml(yolo)
        return [name for name, keys in NAMES.items() if any(map(content.get, keys))]
    return [n for n, kinds in KINDS.items() if any(_named(folder, kind) for kind in kinds)]


def _of_its_own(folder: Path) -> Part | None:
    """A folder whose photos are in no parts, to train on: AP is measured on what parts name."""
    part = whole(folder)
    if part is None:
        return None
    others = [each for name in ("val", "test") for each in _named(folder, name)]
    taken = sorted({str(each.annotations) for each in others if _has(part, each)})
    if taken:
        raise InputError(
            f"'{folder}' names photos to measure on ({', '.join(taken)}) and none for 'train', "
            "expected others to train on; add a file like it that names them, or give --images and "
            "--annotations"
        )
    return part


def _has(part: Part, other: Part) -> bool:
    """Whether a folder's photos include those of a part: all below it, or what one file names."""
    if part.annotations.is_dir():
        return other.images.is_relative_to(part.images)
    return other.annotations == part.annotations


def whole(folder: Path) -> Part | None:
    """A folder whose photos are in no parts."""
    images, files = _photos_of(folder), sorted(folder.glob("*.json"))
    others = [*_without_coco(folder)]
    # Beside labels of another kind, a .json may be notes.
    if others:
        files = [file for file in files if _lists_photos(file)]
    if len(files) == 1 and (images != folder or has_photos(folder)):
        return Part(images, files[0])
    if others:
        return others[0]
    files = sorted(folder.glob("annotations/*.json"))
    if len(files) == 1 and images != folder:
        return Part(_subset(images, files[0]), files[0])
    return None


def _without_coco(folder: Path) -> Iterator[Part]:
    """What annotates all of a folder's photos in other ways than COCO's, the likeliest first."""
    if (folder / "metadata.jsonl").is_file():
        yield Part(folder, folder / "metadata.jsonl")
    photos = _voc_photos(folder)
    if photos is not None and (folder / "Annotations").is_dir():
        yield Part(photos, folder / "Annotations")
    inside = folder / "images"
    if inside.is_dir() and any((folder / "labels").glob("*.txt")):
        yield Part(inside, folder / "labels")
    if has_photos(folder) and _labels_beside(folder, folder):
        yield Part(folder, folder)


def _lists_photos(file: Path) -> bool:
    """Whether a .json file may be COCO's: also one that is damaged, which its reader says."""
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return True
    return isinstance(content, dict) and "images" in content


def _photos_of(folder: Path) -> Path:
    """Where a folder's photos lie: in it, or in `images/`, or in `data/`, as FiftyOne has them."""
    images, data = folder / "images", folder / "data"
    if images.is_dir():
        return images
    return data if data.is_dir() and has_photos(data) and not has_photos(folder) else folder


def _voc_photos(folder: Path) -> Path | None:
    """Those of a Pascal VOC data set, as Label Studio has them, too."""
    photos, others = folder / "JPEGImages", folder / "images"
    if photos.is_dir():
        return photos
    return others if others.is_dir() and any(folder.glob("Annotations/*.xml")) else None


def _labels_beside(photos: Path, folder: Path) -> bool:
    """Whether photos have labels beside them. folder: of the data set, which may list classes."""
    if any(photos.glob("*.xml")):
        return True
    if not any((each / "classes.txt").is_file() for each in (photos, folder)):
        return False
    return any(photo.with_suffix(".txt").is_file() for photo in _photos_in(photos))


def _subset(images: Path, file: Path) -> Path:
    """The folder in `images/` that a file is for, as CVAT has one for each subset; else itself."""
    folders = [each for each in images.iterdir() if each.is_dir()]
    name = file.stem.lower().removeprefix("instances_")
    named = [each for each in folders if each.name.lower() == name]
    if not named and len(folders) == 1 and not has_photos(images):
        named = folders
    return named[0] if named else images


def _named(folder: Path, kind: str) -> list[Part]:
    """Parts whose folder of photos, file or list has a name that says so. kind: a key of WORDS."""
    photos, lists = _voc_photos(folder), folder.glob("ImageSets/Main/*.txt")
    if photos is not None and (split := [each for each in lists if _is_list(each, kind)]):
        return [Part(photos, each) for each in split]
    places = [*folder.glob("*"), *(folder / "images").glob("*")]
    places = [place for place in places if _starts(place, kind) and _may_be_part(folder, place)]
    parts = [Part(_photos_of(place), each) for place in places for each in _beside(folder, place)]
    if not places:
        files = [file for file in folder.glob("*.json") if _starts(file, kind)]
        files += _annotations(folder, kind)
        # COCO's own stand beside those of captions and key points.
        own = [file for file in files if file.name.lower().startswith("instances_")]
        parts = [Part(_photos_of(folder), file) for file in own or files]
    if parts or not (folder / "images").is_dir() or not (folder / "labels").is_dir():
        return parts
    lists = (each for each in folder.glob("*.txt") if _is_list(each, kind))
    return [Part(folder / "images", each) for each in lists if _lists(each, folder / "images")]


def _may_be_part(folder: Path, place: Path) -> bool:
    """Not a folder of logs."""
    return place.is_dir() and (has_photos(_photos_of(place)) or bool(_beside(folder, place)))


def _annotations(folder: Path, kind: str) -> list[Path]:
    """COCO files in `annotations/`. Where no name there has a word of its own, words within others
    count that tell files apart: "cocotrain" beside "cocoval"."""
    files = [*folder.glob("annotations/*.json")]
    found = {}
    for file in files:
        starts = (each for each in WORDS if _starts(file, each))
        # Of folders "evaluation" is one of results.
        found[file] = _kind(file.stem.lower().replace("evaluation", "val")) or next(starts, None)
    if not any(found.values()):
        within = {file: _kind(file.stem, alone=False) for file in files}
        found = within if len({*within.values()} - {None}) > 1 else found
    return [file for file in files if found[file] == kind]


def _kind(name: str, alone: bool = True) -> str | None:
    """The key of WORDS that a name has, None for one that has several. alone: not within others."""
    before, after = ("(?<![a-z])", "(?![a-z])") if alone else ("", "")
    found = {
        kind
        for kind, word in WORDS.items()
        if re.search(f"{before}{word}(set|data)?{after}", name, re.IGNORECASE)
    }
    found = {"trainval"} if "trainval" in found else found
    return found.pop() if len(found) == 1 else None


def _starts(path: Path, kind: str) -> bool:
    """Whether a name starts with a word: "trainA" and "traindata", not "trains" or "trainval"."""
    begins = re.match(f"(?i:{WORDS[kind]}(set|data)?)(?![a-z])", path.name) is not None
    return begins and _kind(path.name) in (kind, None)


def _is_list(path: Path, kind: str) -> bool:
    """Not of one class, as VOC's `cat_train.txt` is."""
    return re.fullmatch(f"{WORDS[kind]}[0-9]*", path.stem, re.IGNORECASE) is not None


def _lists(file: Path, photos: Path) -> bool:
    """Whether a .txt file may list photos, by its first line: not one of remarks."""
    rows = file.read_text(encoding="utf-8-sig", errors="replace").replace("\\", "/").split("\n")
    first = next((row.strip() for row in rows if row.strip()), None)
    if first is None:
        return True  # a list that its reader says is empty
    names = (photos / f"{first}{suffix}" for suffix in SUFFIXES)
    return Path(first).suffix.lower() in SUFFIXES or any(map(is_file, names))


def _beside(folder: Path, images: Path) -> list[Path]:
    """What annotates a part's folder of photos, the first kind that there is."""
    name = images.name
    candidates = [
        _same(folder / "annotations", f"instances_{name}.json"),
        sorted(images.glob("*.json")),
        [images / "metadata.jsonl"],
        [*_same(folder, f"{name}.json"), *_same(folder / "annotations", f"{name}.json")],
        [folder / "labels" / name, images / "labels"],
        [images] if _labels_beside(images, folder) else [],
    ]
    for each in candidates:
        if found := [path for path in each if path.exists()]:
            return found
    return []


def _same(folder: Path, name: str) -> list[Path]:
    """The file of a name, in capitals or not."""
    exact = folder / name
    if exact.exists() or not folder.is_dir():
        return [exact]
    return [each for each in folder.iterdir() if each.name.lower() == name.lower()]


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
    return next((end for end in ends if is_file(folder / end)), None)


def has_photos(folder: Path) -> bool:
    return any(_photos_in(folder))


def _photos_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


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
    foreign = _foreign(file.parent, name, places[0])
    images = next((each for each in [*places, *foreign] if is_there(each)), None)
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
    entry = below = entry.replace("\\", "/")
    start = file.parent / str(root).replace("\\", "/") if root else file.parent
    while below.startswith("../"):
        below = below.removeprefix("../")
    return [start / entry, file.parent / entry, file.parent / below]


def _foreign(folder: Path, name: str, place: Path) -> Iterator[Path]:
    """Where a path of another machine may mean: its ends that still say which part they are."""
    ends = (Path(*place.parts[i:]) for i in range(1, len(place.parts)))
    return (folder / end for end in ends if any(_kind(each) in KINDS[name] for each in end.parts))
