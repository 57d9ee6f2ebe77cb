"""Class names in other languages: from files and lists, as many as there are classes."""

import json
from pathlib import Path
from typing import Any

import pytest

from deimv2.converters.schema import SCHEMA
from deimv2.converters.translations import TAG, read_translations, require_tags
from deimv2.model.errors import InputError


def test_names_come_from_files_and_lists(tmp_path: Path) -> None:
    file = tmp_path / "pt.txt"
    file.write_text("gato\r\ncão \n\n", encoding="utf-8-sig")
    found = read_translations({"pt-BR": file, "de": ["Katze", "Hund"], "pt": str(file)}, 2)
    assert found == {"de": ("Katze", "Hund"), "pt": ("gato", "cão"), "pt-BR": ("gato", "cão")}
    assert list(found) == ["de", "pt", "pt-BR"]  # in whatever order they are given
    assert read_translations(None, 2) is None and read_translations({}, 2) is None


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["Katze"], "translation 'de' has 1 name, expected 2, one for each class"),
        (["a", "b", "c"], "translation 'de' has 3 names, expected 2, one for each class"),
        (["Katze", " "], "translation 'de' has the name ' ', expected text"),
        (["Katze", 3], "translation 'de' has the name 3, expected text"),
        (["Maus", "Maus"], "translation 'de' names 2 classes 'Maus', expected names of their own"),
    ],
)
def test_lists_that_do_not_fit_are_refused(names: list[Any], part: str) -> None:
    with pytest.raises(InputError) as error:
        read_translations({"de": names}, 2)
    assert part in str(error.value) and "\n" not in str(error.value)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "de.txt"
    file.write_text("Katze\n")
    with pytest.raises(InputError, match=r"de\.txt' has 1 name, expected 2, one for each class"):
        read_translations({"de": file}, 2)
    with pytest.raises(InputError, match="no label file at"):
        read_translations({"de": tmp_path / "none.txt"}, 2)


@pytest.mark.parametrize("tag", ["", "d", "deutsch", "pt_BR", "de-", "-de", "de-x", "de\n", "dé"])
def test_what_is_no_language_is_refused(tag: str) -> None:
    with pytest.raises(InputError, match="is no language tag, expected one of BCP 47"):
        require_tags(["fr", tag])


def test_a_language_is_given_once() -> None:
    require_tags(["de", "de-CH", "zh-Hant-TW", "es-419", "fil"])
    for tags in (["de", "de"], ["de", "fr", "DE"]):
        with pytest.raises(InputError, match=rf"language '{tags[-1]}' is given twice"):
            require_tags(tags)


def test_tags_are_those_of_the_schema() -> None:
    schema = json.loads(SCHEMA.read_text())
    assert schema["properties"]["translations"]["propertyNames"]["pattern"] == TAG
