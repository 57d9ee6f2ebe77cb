"""Class names in other languages, as `export` is given them for the manifest."""

import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from deimv2.model.errors import InputError
from deimv2.model.labels import read_labels_file, require_names
from deimv2.model.words import plural, shown

TAG = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"  # as in manifest.schema.json
Names = str | PathLike[str] | Sequence[str]  # a file, or the names themselves


def require_tags(tags: Sequence[str]) -> None:
    """Raises InputError for what is no language tag, and for one that is there twice."""
    for tag in tags:
        if not isinstance(tag, str) or not re.fullmatch(TAG, tag):
            raise InputError(
                f"'{tag}' is no language tag, expected one of BCP 47 such as de or pt-BR"
            )
    known = [tag.lower() for tag in tags]
    if twice := [tag for tag in tags if known.count(tag.lower()) > 1]:
        raise InputError(
            f"language '{twice[-1]}' is given twice, expected each once; leave one of them out"
        )


def require_translations(given: object) -> None:
    """Raises InputError, before there is a model, for what `read_translations` does not take."""
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise InputError(
            f"translations are {shown(given)}, expected files or lists of class names by language "
            "tag, as {'de': 'labels-de.txt'}"
        )
    for tag, names in given.items():
        if not isinstance(names, str | PathLike | Sequence):
            raise InputError(
                f"translation '{tag}' is {shown(names)}, expected a file or a list of class names"
            )
    require_tags(list(given))


def read_translations(
    given: Mapping[str, Names] | None, count: int
) -> dict[str, tuple[str, ...]] | None:
    """The names of `count` classes by language tag; None if none are given.

    Raises InputError for another number of names, and for what is wrong with a label file.
    """
    return {tag: _names(tag, (given or {})[tag], count) for tag in sorted(given or {})} or None


def _names(tag: str, given: Names, count: int) -> tuple[str, ...]:
    if isinstance(given, str | PathLike):
        names, source = read_labels_file(Path(given)), f"'{Path(given)}'"
    else:
        names, source = list(given), f"translation '{tag}'"
        require_names(names, source)
    if len(names) != count:
        raise InputError(
            f"{source} has {plural(len(names), 'name')}, expected {count}, one for each class; "
            "translate the model's list line by line"
        )
    return tuple(names)
