"""Which weights of a training are kept."""

import pytest

from deimv2.training.best import Best
from deimv2.training.loop import Metrics


def taken(*measured: Metrics) -> list[bool]:
    """Of each that is measured, one after the other, whether it is kept in place of the last."""
    best = Best()
    return [best.takes(metrics, step) for step, metrics in enumerate(measured)]


def test_the_highest_ap_wins() -> None:
    assert taken({"AP": 0.2}, {"AP": 0.2}, {"AP": 0.3}, {"AP": 0.2}) == [True, False] * 2


def test_what_has_no_ap_is_not_kept() -> None:
    assert taken({"AP": None}, {}, {"AP": 0.0}) == [False, False, True]


@pytest.mark.parametrize(
    ("ap", "agreement", "won"),
    [(0.19, 0.82, True), (0.21, 0.78, False), (0.19, 0.8, False), (0.21, 0.8, True)],
)
def test_with_a_teacher_the_agreement_counts_as_much_as_ap(
    ap: float, agreement: float, won: bool
) -> None:
    start = {"AP": 0.2, "agreement": 0.8}
    assert taken(start, {"AP": ap, "agreement": agreement}) == [True, won]


def test_a_teacher_that_detects_nothing_leaves_it_to_ap() -> None:
    assert taken({"AP": 0.2, "agreement": None}, {"AP": 0.3, "agreement": None}) == [True, True]


def test_it_knows_what_is_kept() -> None:
    best = Best()
    best.takes({"AP": 0.3, "agreement": 0.7}, 4)
    best.takes({"AP": 0.2, "agreement": 0.9}, 8)
    best.takes({"AP": 0.3, "agreement": 0.7}, 12)
    assert (best.ap, best.step) == (0.2, 8)
