"""Parity passes for what differs in the last bits alone, and fails with a number for all else."""

import json

import numpy as np
import pytest

from evaluation.parity import HEADER, LIMITS, Limits, Parity, compare, merge, table
from model.detections import Detections
from model.errors import InputError
from tests.evaluation.detections import SIZE, at_the_cut, changed, some, take

FP32, FP16 = LIMITS["fp32"], LIMITS["fp16"]


def check(reference: Detections, actual: Detections, limits: Limits = FP32) -> list[str]:
    return compare(reference, actual, SIZE, limits).failures(limits)


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
def test_identical_detections_pass(limits: Limits) -> None:
    parity = compare(some(), some(), SIZE, limits)
    assert parity.passed(limits)
    assert (parity.box_px, parity.score, parity.worst_label, parity.at_cut) == (0, 0, None, 0)
    assert parity.matched == parity.counted > 0


def test_swapped_rows_of_a_tie_pass() -> None:
    reference = some()
    reference.scores[4:7] = reference.scores[4]
    order = [0, 1, 2, 3, 6, 4, 5, *range(7, 40)]
    parity = compare(reference, take(reference, order), SIZE, FP32)
    assert parity.passed(FP32)
    assert (parity.matched, parity.box_px) == (40, 0)


def test_noise_below_the_limits_passes_and_is_reported() -> None:
    actual = changed(changed(some(), 3, box_px=0.04), 5, score=5e-5)
    parity = compare(some(), actual, SIZE, FP32)
    assert parity.passed(FP32)
    assert parity.box_px == pytest.approx(0.04, abs=1e-4)
    assert parity.score == pytest.approx(5e-5, rel=0.01)
    assert parity.worst_label == some().labels[3]


def test_labels_shifted_by_one_fail() -> None:
    reference = some()
    actual = Detections(reference.boxes, reference.scores, reference.labels + np.int32(1))
    parity = compare(reference, actual, SIZE, FP32)
    assert parity.matched_share < 0.1  # some random boxes overlap one of the next label
    assert "detections matched" in parity.failures(FP32)[0]


def test_one_wrong_label_fails_and_is_named() -> None:
    (failure,) = check(some(), changed(some(), 8, label=100))
    assert "39 of 40 detections matched (0.975), the limit is 1" in failure
    assert f"worst label: {some().labels[8]}" in failure


@pytest.mark.parametrize("row", [0, 20, 39])
def test_a_box_moved_too_far_fails_with_number_and_limit(row: int) -> None:
    (failure,) = check(some(), changed(some(), row, box_px=0.06))
    assert failure.startswith("a box is 0.06")
    assert "px off, the limit is 0.05 px" in failure
    assert f"worst label: {some().labels[row]}" in failure


def test_the_box_limit_is_in_pixels_of_height_and_width() -> None:
    moved = Detections(*(a.copy() for a in (some().boxes, some().scores, some().labels)))
    moved.boxes[0, 3] += 0.01  # y2
    assert compare(some(), moved, (200, 800), FP32).box_px == pytest.approx(2, rel=1e-3)


def test_a_score_off_fails_with_number_and_limit() -> None:
    (failure,) = check(some(), changed(some(), 0, score=0.0011))
    assert "a score is 0.0011 off, the limit is 0.0001" in failure


@pytest.mark.parametrize("row", [0, 20, 39])
def test_a_missing_detection_fails(row: int) -> None:
    rest = take(some(), [i for i in range(40) if i != row])
    assert "39 of 40 detections matched" in check(some(), rest)[0]


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
def test_more_detections_too_many_than_the_share_allows_fail(limits: Limits) -> None:
    few = int((1 - limits.matched_share) * 40) + 1
    ghosts = take(some(), [0] * few)
    ghosts.boxes[:] = (0.0, 0.0, 0.01, 0.01)
    actual = Detections(
        np.concatenate([ghosts.boxes, some().boxes[:-few]]),
        np.concatenate([ghosts.scores, some().scores[:-few]]),
        np.concatenate([ghosts.labels, some().labels[:-few]]),
    )
    assert any("detections matched" in line for line in check(some(), actual, limits))


def test_nothing_instead_of_something_fails() -> None:
    assert "0 of 40 detections matched" in check(some(), some(0))[0]
    assert "0 of 40 detections matched" in check(some(0), some())[0]


def test_nothing_equals_nothing() -> None:
    parity = compare(some(0), some(0), SIZE, FP32)
    assert parity.passed(FP32)
    assert parity.counted == 0


def test_detections_not_best_first_fail() -> None:
    assert "must be best first" in check(some(), take(some(), [1, 0, *range(2, 40)]))[0]


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
@pytest.mark.parametrize("field", ["boxes", "scores"])
def test_not_a_number_fails(limits: Limits, field: str) -> None:
    actual = take(some(), range(40))
    getattr(actual, field)[2] = np.nan
    assert "are not numbers" in check(some(), actual, limits)[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_verdict_on_what_is_no_number_is_json(value: float) -> None:
    actual = take(some(), range(40))
    actual.scores[:] = actual.boxes[3] = value
    parity = compare(some(), actual, SIZE, FP32)
    assert not parity.finite
    json.dumps(parity.to_json(), allow_nan=False)


def test_a_box_without_area_matches_itself() -> None:
    flat = take(some(), range(40))
    flat.boxes[:, 2:] = flat.boxes[:, :2]
    assert check(flat, flat) == []


def test_duplicates_must_be_there_as_often() -> None:
    twice = take(some(), sorted([*range(40), *range(40)]))
    assert check(twice, twice) == []
    fewer = take(some(), [0, 0, 0, *range(1, 40), *range(3, 40)][:80])
    assert any("detections matched" in line for line in check(twice, fewer))


def test_near_duplicates_are_told_apart_by_box_and_score() -> None:
    """A hundred boxes of one label, 0.02 px and 0.00004 apart; noise as large as the distances."""
    rng = np.random.default_rng(1)
    steps = np.arange(100, dtype=np.float32)
    boxes = np.float32([0.2, 0.2, 0.6, 0.6]) + steps[:, None] * np.float32(0.02 / 320)
    scores, labels = 0.5 - steps * np.float32(4e-5), np.zeros(100, np.int32)
    noisy_boxes = boxes + rng.uniform(-0.02, 0.02, boxes.shape).astype(np.float32) / 320
    noisy_scores = scores + rng.uniform(-4e-5, 4e-5, 100).astype(np.float32)
    order = np.argsort(-noisy_scores)
    actual = Detections(noisy_boxes[order], noisy_scores[order], labels)
    parity = compare(Detections(boxes, scores, labels), actual, SIZE, FP32)
    assert parity.passed(FP32), parity.failures(FP32)
    assert parity.matched == 100


def test_a_pairing_within_the_limits_is_found_where_the_nearest_first_would_miss_it() -> None:
    """Reference at 0 and 0.04 px, actual at 0.03 and 0.08: nearest first leaves 0 with 0.08."""
    left = np.float32([0.0, 0.04]) / 320
    reference = Detections(
        np.float32([[x, 0, 0.5, 0.5] for x in left]), np.float32([0.5, 0.5]), np.int32([0, 0])
    )
    actual = Detections(
        np.float32([[x, 0, 0.5, 0.5] for x in left + np.float32([0.03, 0.04]) / 320]),
        reference.scores,
        reference.labels,
    )
    parity = compare(reference, actual, SIZE, FP32)
    assert parity.passed(FP32), parity.failures(FP32)
    assert parity.box_px == pytest.approx(0.04, abs=1e-3)


def test_a_tie_at_the_cut_passes_and_is_reported() -> None:
    parity = compare(*at_the_cut(last=40, score=0.1), SIZE, FP32)
    assert parity.passed(FP32)
    assert (parity.counted, parity.matched, parity.at_cut) == (39, 39, 2)


def test_a_near_tie_passes_if_the_other_scores_are_as_noisy() -> None:
    reference, actual = at_the_cut(last=40, score=0.09999)
    assert check(reference, actual)
    assert check(reference, changed(actual, 0, score=2e-5)) == []


def test_a_gap_at_the_cut_is_no_tie() -> None:
    assert "39 of 40" in check(*at_the_cut(last=40, score=0.05))[0]


def test_candidates_tell_a_tie_at_the_cut_from_a_wrong_box() -> None:
    reference, actual = at_the_cut(last=40, score=0.1)
    nearby = take(some(41), [40])
    nearby.scores[:] = 0.1
    parity = compare(reference, actual, SIZE, FP32, candidates=nearby)
    assert parity.passed(FP32)
    assert (parity.counted, parity.matched, parity.at_cut) == (40, 40, 1)
    for wrong in (changed(actual, 39, box_px=-20), changed(actual, 39, label=100)):
        assert not compare(reference, wrong, SIZE, FP32, candidates=nearby).passed(FP32)


def test_a_tie_at_the_cut_of_two_overlapping_boxes_passes() -> None:
    reference = some()
    parity = compare(reference, changed(reference, 39, box_px=3), SIZE, FP32)
    assert parity.passed(FP32)
    assert parity.at_cut == 2


def test_scores_that_all_tie_prove_nothing() -> None:
    reference = some()
    reference.scores[:] = 0.5
    actual = Detections(reference.boxes, reference.scores, reference.labels + np.int32(100))
    assert "80 detections tie with the last one" in check(reference, actual)[0]


def test_scores_that_nearly_all_tie_excuse_nothing() -> None:
    """As untrained weights give them: everything is within fp16's score limit of everything."""
    reference = some()
    reference.scores[:] = np.linspace(0.02, 0.015, 40)
    actual = changed(reference, 5, label=100)
    assert any("detections matched" in line for line in check(reference, actual, FP16))


def test_fp16_counts_detections_above_its_score() -> None:
    reference = some(100)
    above = int((reference.scores > 0.3).sum())
    assert compare(reference, reference, SIZE, FP16).counted == above > 20
    assert check(reference, changed(reference, 99, box_px=5), FP16) == []
    assert "a box is 5 px off, the limit is 1 px" in check(
        reference, changed(reference, 0, box_px=5), FP16
    )[0]  # fmt: skip


def test_fp16_counts_the_best_twenty_where_fewer_are_above_its_score() -> None:
    reference = some()
    reference.scores[:] = np.linspace(0.29, 0.1, 40)
    assert compare(reference, reference, SIZE, FP16).counted == 20
    assert check(reference, changed(reference, 19, label=100), FP16)
    assert check(reference, changed(reference, 25, label=100), FP16) == []


def test_fp16_lets_one_in_a_hundred_go() -> None:
    reference = some(150)
    reference.scores[:] = np.linspace(0.9, 0.31, 150)
    one = changed(reference, 70, label=100)
    assert check(reference, one, FP16) == []
    assert "148 of 150" in check(reference, changed(one, 80, label=100), FP16)[0]


def test_merge_keeps_the_worst() -> None:
    good = Parity(counted=40, matched=40, box_px=0.01, score=2e-5, worst_label=3, at_cut=1)
    bad = Parity(counted=20, matched=19, box_px=0.002, score=3e-5, worst_label=7, at_cut=0)
    merged = merge([good, bad])
    assert merged == Parity(60, 59, 0.01, 3e-5, worst_label=7, at_cut=1)
    assert not merged.passed(FP32)
    with pytest.raises(InputError, match="at least one photo"):
        merge([])


def test_the_table_has_a_limit_beside_every_number() -> None:
    parity = compare(some(), changed(some(), 8, box_px=0.06), SIZE, FP32)
    (row,) = table({"atto.tflite": (parity, FP32)})
    assert len(row) == len(HEADER)
    assert row[:2] == ["atto.tflite", "40/40 = 1 (1)"]
    assert row[2].endswith("(0.05)")
    assert row[3] == "0 (0.0001)"
    assert row[4:] == [str(some().labels[8]), "FAIL"]


def test_parity_is_json() -> None:
    text = json.dumps(compare(some(), changed(some(), 1, score=1e-5), SIZE, FP32).to_json())
    assert json.loads(text)["matched_share"] == 1.0
    assert json.loads(text)["worst_label"] == some().labels[1]
