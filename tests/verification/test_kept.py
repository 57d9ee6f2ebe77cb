"""How much of float32's detections int8 keeps: what a user would still see."""

from dataclasses import replace

import numpy as np
import pytest

from deimv2.converters.golden import Golden
from deimv2.model.detections import Detections
from deimv2.tests.verification.detections import changed, some, take
from deimv2.verification.kept import MIN_SCORE, Kept, count_kept, is_found


def golden(in_float: Detections | None) -> Golden:
    frame = np.zeros((320, 320, 3), np.uint8)
    return Golden("one", frame, some(), some(0), in_float)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"box_px": 2}, True),
        ({"box_px": 250}, False),
        ({"label": 100}, False),
        ({"score": 0.2}, True),
        ({"score": -0.09}, True),
        ({"score": -0.11}, False),
    ],
)
def test_the_same_label_at_the_same_place_with_about_the_score(
    change: dict[str, float], found: bool
) -> None:
    alone = take(some(), [7])
    assert is_found(alone, changed(alone, 0, **change)).tolist() == [found]


def test_half_of_the_union_is_the_same_place() -> None:
    half, less = ([[0, 0, 0.5, 0.25]], [[0, 0, 0.5, 0.24]])
    one = take(some(), [7])
    whole = replace(one, boxes=np.float32([[0, 0, 0.5, 0.5]]))
    found = [is_found(whole, replace(one, boxes=np.float32(box))).all() for box in (half, less)]
    assert found == [True, False]


def test_any_of_several_will_do() -> None:
    twice = take(some(), [7, 7])
    assert is_found(twice, take(some(), [7])).all()


def test_detections_above_the_score_count_over_all_photographs() -> None:
    above = int((some().scores > 0.3).sum())
    lost = changed(some(), 3, label=100)
    kept = count_kept([golden(some())] * 3, [some(), lost, some(0)], 0.5)
    assert kept == Kept(3 * above, 2 * above - 1, 0.5)
    assert kept.failures() == []
    at_the_score = replace(some(), scores=np.full(40, MIN_SCORE, np.float32))
    assert count_kept([golden(at_the_score)], [some()]) == Kept(0, 0)
    clutter = changed(some(), 39, label=100)
    assert count_kept([golden(some())], [clutter]) == Kept(above, above)


def test_without_float32_nothing_is_counted() -> None:
    assert count_kept([golden(None)], [some()]) is None


def test_too_few_are_told_with_what_helps() -> None:
    (line,) = Kept(100, 89).failures()
    assert line.startswith("int8 keeps 89 of 100 detections of float32 (0.89), the limit is 0.9")
    assert all(lever in line for lever in ("--calibration", "--qat", "int8-weight"))
    assert Kept(100, 90).failures() == []
    assert replace(Kept(100, 89), limit=0.85).failures() == []


def test_one_lost_of_a_few_says_nothing() -> None:
    assert Kept(6, 5).failures() == [] and Kept(6, 4).failures() != []
    assert Kept(0, 0).failures() == []
