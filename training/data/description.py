"""What describes a YOLO data set: `data.yaml`, its class names, and where labels lie."""

import os.path
from pathlib import Path
from typing import Any

from deimv2.model.errors import InputError
from deimv2.model.optional import require

# Of paths that files name. Unlike Path's own, they are False of one that is too long for the disk.
is_there, is_file = os.path.exists, os.path.isfile
YAML = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")


def yaml_file(folder: Path) -> Path | None:
    """The file that describes a YOLO data set: in its root, or given itself."""
    if folder.suffix.lower() in (".yaml", ".yml") and folder.is_file():
        return folder
    return next((folder / name for name in YAML if (folder / name).is_file()), None)


def above(annotations: Path) -> list[Path]:
    """Folders where what describes labels is looked for."""
    return [folder for folder in [annotations, *annotations.parents][:4] if folder.is_dir()]


def labels_of(images: Path) -> Path:
    """The folder of labels: the last `images` in the path becomes `labels`."""
    parts = list(images.parts)
    for i in reversed(range(len(parts))):
        if parts[i] == "images":
            return Path(*parts[:i], "labels", *parts[i + 1 :])
    return images


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
