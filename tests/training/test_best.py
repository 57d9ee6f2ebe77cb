"""Which weights of a training are kept."""

import pytest

from deimv2.training.best import NOISE, Best
from deimv2.training.loop import Metrics

FAR, NEAR = 2 * NOISE, NOISE / 2


def taken(*measured: Metrics) -> list[bool]:
    """Of each that is measured, one after the other, whether it is kept in place of the last."""
    best = Best()
    return [best.takes(metrics, step) for step, metrics in enumerate(measured)]


def test_the_highest_ap_wins() -> None:
    assert taken({"AP": 0.2}, {"AP": 0.2}, {"AP": 0.2 + NEAR}, {"AP": 0.2}) == [True, False] * 2


def test_what_has_no_ap_is_not_kept() -> None:
    assert taken({"AP": None}, {}, {"AP": 0.0}) == [False, False, True]


@pytest.mark.parametrize(
    ("ap", "agreement", "won"),
    [
        (0.2 - NEAR, 0.9, True),
        (0.2 + NEAR, 0.7, False),
        (0.2 - FAR, 0.9, False),
        (0.2 + FAR, 0.7, True),
        (0.2, 0.8, False),
    ],
)
def test_where_ap_ties_the_agreement_with_the_teacher_decides(
    ap: float, agreement: float, won: bool
) -> None:
    start = {"AP": 0.2, "agreement": 0.8}
    assert taken(start, {"AP": ap, "agreement": agreement}) == [True, won]


def test_ties_do_not_lead_downhill() -> None:
    steps = [{"AP": 0.2 - i * 0.8 * NOISE, "agreement": 0.8 + i / 100} for i in range(4)]
    assert taken(*steps) == [True, True, False, False]


def test_one_that_is_clearly_better_is_not_kept_for_its_agreement_alone() -> None:
    """A tie is with the highest AP of all, also where that was not kept."""
    start, passed_over = {"AP": 0.2, "agreement": 0.8}, {"AP": 0.2 + NEAR, "agreement": 0.7}
    last = {"AP": 0.2 + 1.2 * NOISE, "agreement": 0.6}
    assert taken(start, passed_over, last) == [True, False, True]
