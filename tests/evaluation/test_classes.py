"""Classes of a model and of annotations find each other by their names."""

from pathlib import Path

import numpy as np
import pytest

from deimv2.evaluation.annotations import NONE, Annotations, match_classes
from deimv2.model.errors import InputError
from deimv2.tests.annotated import CATEGORIES


def named(names: tuple[str, ...]) -> Annotations:
    nothing = np.zeros(0)
    return Annotations(
        Path("a.json"), (), names, tuple(range(len(names))), np.zeros((0, 4)), nothing,
        nothing.astype(bool), nothing.astype(np.int32), nothing.astype(np.int32),
    )  # fmt: skip


def test_names_in_another_order_are_matched() -> None:
    annotations = named(tuple(CATEGORIES.values()))
    assert match_classes(annotations, ["kite", "cat", "dog"], 3).tolist() == [2, 0, 1]
    assert match_classes(annotations, ["cat", "dog", "kite"], 3).tolist() == [0, 1, 2]
    assert match_classes(annotations, None, None).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "count", "part"),
    [
        (None, 4, "the model has 4 classes, 'a.json' has 3"),
        (["cat", "dog", "bird"], 3, "only the model has 'bird', only the file has 'kite'"),
        (["cat", "dog"], None, "only the model has none, only the file has 'kite'"),
    ],
)
def test_other_classes_are_refused(labels: list[str] | None, count: int | None, part: str) -> None:
    with pytest.raises(InputError) as error:
        match_classes(named(tuple(CATEGORIES.values())), labels, count)
    assert part in str(error.value)


def test_some_of_the_models_classes_match_by_name() -> None:
    """As a data set of three of COCO's classes, or a val part without the rare ones."""
    labels = ["kite", "cat", "bird", "dog"]
    found = match_classes(named(("cat", "dog", "kite")), labels, 4)
    assert found.tolist() == [2, 0, NONE, 1]


def test_two_classes_of_one_name_match_in_the_same_order_only() -> None:
    names = ("cat", "cat", "dog")
    assert match_classes(named(names), names, 3).tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="more than one class named 'cat'"):
        match_classes(named(names), ("cat", "dog", "cat"), 3)
