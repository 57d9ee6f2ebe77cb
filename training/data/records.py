"""Reading COCO annotation files entry by entry, with messages that name the entry."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deimv2.model.errors import InputError

Record = Mapping[str, Any]
PLACE = "deimv2 place"  # key of annotations that other layouts have: where one stands there
LARGEST = 1e9  # pixels; beyond it stand NaN, Infinity and integers that no float holds


def read_json(path: Path) -> Record:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no file"
        raise InputError(f"{found} at '{path}', expected COCO annotations (JSON); check the path")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"'{path}' is not JSON ({reason}), expected COCO annotations; copy or write it again"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"'{path}' holds a {type(content).__name__}, expected COCO annotations: an object "
            "with the lists 'images', 'annotations' and 'categories'; use another file"
        )
    return content


def read_text(path: Path) -> str:
    """In UTF-8, with or without a mark at its beginning."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"'{path}' is not text in UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error


def records(path: Path, content: Record, part: str, **keys: type) -> list[Record]:
    """One list of the file, each entry an object that has the keys with values of these types."""
    rows = content.get(part)
    if not isinstance(rows, list) or not rows:
        found = "an empty list" if rows == [] else "no list"
        raise InputError(
            f"'{path}' has {found} '{part}', expected COCO annotations with 'images', "
            "'annotations' and 'categories'; use another file"
        )
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise malformed(path, part, f"[{i}]", row, "an object")
        for key, kind in keys.items():
            if type(row.get(key)) is not kind:  # exact: true is an int to isinstance
                raise malformed(path, named(part, i, row), key, row.get(key), kind.__name__)
    return rows


def named(part: str, index: int, row: Record) -> str:
    """An entry of a list, in messages; of another layout than COCO's, by where it stands there."""
    return row.get(PLACE) or f"{part}[{index}]"


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def malformed(path: Path, where: str, key: str, value: object, expected: str) -> InputError:
    text = json.dumps(value, default=str)
    text = text if len(text) <= 80 else f"{text[:80]}..."
    return InputError(
        f"'{path}': {key} of {where} is {text}, expected {expected}; correct the file"
    )
