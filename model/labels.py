"""Class names, of a text file (one per line, UTF-8) or stored with a model."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from deimv2.model.coco import COCO_LABELS
from deimv2.model.errors import InputError


def read_labels_file(path: Path, count: int | None = None) -> list[str]:
    """The names, without surrounding blanks. count: how many there must be, None if not known.

    Raises InputError for a file that is missing, not UTF-8 text, has an empty line before its end,
    or another number of lines.
    """
    path = Path(path)
    if not path.exists() or path.is_dir():  # it may be a pipe
        raise InputError(f"no label file at '{path}', expected text with one class name per line")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"'{path}' is not UTF-8 text (byte {error.start}), expected one class name per line; "
            "save it as UTF-8"
        ) from error
    if "\0" in text:
        raise InputError(f"'{path}' is a binary file, expected text with one class name per line")
    labels = [line.strip() for line in text.rstrip().split("\n")]
    if "" in labels:
        raise InputError(
            f"line {labels.index('') + 1} of '{path}' is empty, expected one class name per line; "
            "remove the line or name the class"
        )
    require_names(labels, f"'{path}'")
    require_count(labels, path, count)
    return labels


def require_count(
    names: Sequence[str], file: Path, count: int | None, model: str = "the model"
) -> None:
    """Raises InputError for another number of names in `file` than the classes of `model`, a name
    for the message; count: None if not known."""
    if count not in (None, len(names)):
        raise InputError(
            f"'{file}' has {len(names)} class names, expected {count} as {model} has; "
            "use the label list that it was trained with"
        )


def require_names(names: Sequence[object], source: str, fix: str = "rename them") -> None:
    """Raises InputError for a name that is no text on one line, and where two classes share one.

    source: what has the names, and fix: what to do about them, both for the message.
    """
    for label, name in enumerate(names):
        if not is_name(name):
            raise InputError(
                f"{source} has the name {name!r:.60}, expected text on one line for class "
                f"{label}; {fix}"
            )
    if len(set(names)) < len(names):
        twice, uses = Counter(names).most_common(1)[0]
        raise InputError(
            f"{source} names {uses} classes '{twice}', expected names of their own; {fix}"
        )


def is_name(name: object) -> bool:
    """Text on one line that UTF-8 can hold: it has no half of a surrogate pair."""
    return (
        isinstance(name, str)
        and bool(name.strip())
        and len(name.splitlines()) == 1
        and not re.search("[\0\ud800-\udfff]", name)
    )


def names_in_config(path: Path) -> list[str] | None:
    """The class names under `id2label` in the `config.json` of a Hub repository, "" for null; None
    without that file or entry."""
    try:
        names = json.loads(path.read_bytes())["id2label"]
        return ["" if names[key] is None else str(names[key]) for key in sorted(names, key=int)]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def known_names(
    count: int | None, file: Path | None, stored: Sequence[str] | None
) -> Sequence[str] | None:
    """The class names of a model with `count` classes (None: nobody knows how many).

    From the file, else as `stored_names`. Raises InputError for a file that does not fit, and for
    stored names that are none.
    """
    if file is not None:
        return read_labels_file(file, count)
    names = stored_names(count, stored)
    if names is not None:
        require_names(names, "the model", "name its classes with --labels FILE")
    return names


def stored_names(count: int | None, stored: Sequence[str] | None) -> Sequence[str] | None:
    """The names stored with the model, unchecked; else COCO's for 80 classes, else None."""
    if stored is not None and count in (None, len(stored)):
        return stored
    return COCO_LABELS if count == len(COCO_LABELS) else None
