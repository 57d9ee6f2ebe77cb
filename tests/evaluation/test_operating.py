"""Precision, recall and the best threshold, counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from deimv2.evaluation.operating import MOST, AtScore, Matches, matches
from deimv2.tests.annotated import CATEGORIES, Box
from deimv2.tests.evaluation.test_coco import scores_of

CAT, DOG, KITE = CATEGORIES
A, B, C = (0.1, 0.1, 0.2, 0.2), (0.6, 0.1, 0.2, 0.2), (0.1, 0.6, 0.2, 0.2)
TRUTH = [Box(0, CAT, A), Box(0, CAT, B), Box(1, DOG, A), Box(3, CAT, C, crowd=True)]
FOUND = [
    Box(0, CAT, A, 0.9),  # right
    Box(3, CAT, (0.15, 0.65, 0.1, 0.1), 0.85),  # in the crowd: counts neither way
    Box(0, CAT, A, 0.8),  # the same object again
    Box(0, CAT, B, 0.7),  # right
    Box(2, DOG, A, 0.6),  # there is none on this photo
    Box(1, DOG, A, 0.3),  # right
    Box(1, KITE, C, 0.2),  # of a class without boxes
]


def values(found: AtScore | None) -> list[float | None]:
    assert found is not None
    return [found.threshold, found.precision, found.recall, found.f1]


def near(*numbers: float) -> object:
    return pytest.approx(list(numbers))


def test_it_is_what_counting_by_hand_gives(tmp_path: Path) -> None:
    scores = scores_of(tmp_path, TRUTH, FOUND)
    assert values(scores.at_threshold) == near(0.4, 2 / 4, 2 / 3, 4 / 7)
    assert values(scores.best_f1) == near(0.25, 3 / 5, 3 / 3, 6 / 8)
    cat, dog, kite = scores.classes
    assert values(cat.at_threshold) == near(0.4, 2 / 3, 2 / 2, 4 / 5)
    assert values(cat.best_f1) == near(0.35, 2 / 3, 2 / 2, 4 / 5)
    assert values(dog.at_threshold) == near(0.4, 0, 0, 0)
    assert values(dog.best_f1) == near(0.15, 1 / 2, 1 / 1, 2 / 3)
    assert values(kite.at_threshold) == [0.4, None, None, None] and kite.best_f1 is None
    stored = scores.to_json()
    assert stored["best_f1"]["f1"] == pytest.approx(0.75)
    assert stored["classes"][1]["at_threshold"]["precision"] == 0
    assert stored["classes"][2]["best_f1"] is None


def test_equal_scores_are_above_a_threshold_together() -> None:
    found = Matches(np.array([0.5, 0.5, 0.5]), np.array([True, False, False]), 1)
    assert values(found.best()) == near(0.25, 1 / 3, 1, 1 / 2)


def test_a_score_of_the_threshold_is_not_above_it() -> None:
    """As in apps, which show what scores more."""
    found = Matches(np.array([0.75, 0.5, 0.25]), np.array([True, True, False]), 2)
    assert values(found.above(0.5)) == near(0.5, 1, 1 / 2, 2 / 3)


def test_as_many_count_as_coco_counts() -> None:
    count = MOST + 1
    ious = {0: np.zeros((MOST, 1))}
    scores, photos = np.linspace(0, 1, count, dtype=np.float32), np.zeros(count, np.int32)
    found = matches(ious, scores, photos, np.zeros(1, bool), np.zeros(1, np.int32))
    assert (len(found.scores), found.boxes, found.best()) == (MOST, 1, None)
