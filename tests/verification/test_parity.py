"""Parity passes for what differs in the last bits alone, and fails with a number for all else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deimv2.converters.precision import PRECISIONS, Limits
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.tests.verification.detections import SIZE, at_the_cut, changed, some, take
from deimv2.verification.parity import (
    FEW,
    HEADER,
    Errors,
    Parity,
    compare,
    excused,
    merge,
    table,
)

FP32, FP16, INT8 = PRECISIONS["fp32"].limits, PRECISIONS["fp16"].limits, PRECISIONS["int8"].limits


def check(reference: Detections, actual: Detections, limits: Limits = FP32) -> list[str]:
    return compare(reference, actual, SIZE, limits).failures(limits)


@pytest.mark.parametrize("limits", [each.limits for each in PRECISIONS.values()], ids=PRECISIONS)
def test_identical_detections_pass(limits: Limits) -> None:
    parity = compare(some(), some(), SIZE, limits)
    assert parity.passed(limits)
    assert (parity.box_px.worst, parity.score.worst) == (0, 0)
    assert (parity.worst_label, parity.at_cut) == (None, 0)
    assert parity.matched == parity.counted > 0


def test_swapped_rows_of_a_tie_pass() -> None:
    reference = some()
    reference.scores[4:7] = reference.scores[4]
    order = [0, 1, 2, 3, 6, 4, 5, *range(7, 40)]
    parity = compare(reference, take(reference, order), SIZE, FP32)
    assert parity.passed(FP32)
    assert (parity.matched, parity.box_px.worst) == (40, 0)


def test_noise_below_the_limits_passes_and_is_reported() -> None:
    actual = changed(changed(some(), 3, box_px=0.04), 5, score=5e-5)
    parity = compare(some(), actual, SIZE, FP32)
    assert parity.passed(FP32)
    assert parity.box_px.worst == pytest.approx(0.04, abs=1e-4)
    assert parity.score.worst == pytest.approx(5e-5, rel=0.01)
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
def test_boxes_moved_too_far_fail_with_number_and_limit(row: int) -> None:
    (failure,) = check(some(), changed(changed(some(), 7, box_px=0.06), row, box_px=0.07))
    assert failure.startswith("a box is up to 0.06")
    assert "px off in 99% of the pairs (the worst: 0.07" in failure
    assert "px), the limit is 0.05 px" in failure
    assert f"worst label: {some().labels[row]}" in failure


def test_one_pair_of_a_hundred_may_be_beyond_in_float32() -> None:
    """Where two queries nearly tie: one score in ten thousand of right files is."""
    one = changed(some(100), 3, score=5e-4)
    assert check(some(100), one) == []
    assert len(check(some(100), changed(one, 9, score=5e-4))) == 1
    assert len(check(take(some(), range(19)), take(one, range(19)))) == 1
    (failure,) = check(some(100), changed(one, 3, score=0.003))
    assert failure.startswith("a score is 0.0035 off, the limit is 0.002")


def test_the_box_limit_is_in_pixels_of_height_and_width() -> None:
    moved = Detections(*(a.copy() for a in (some().boxes, some().scores, some().labels)))
    moved.boxes[0, 3] += 0.01  # y2
    assert compare(some(), moved, (200, 800), FP32).box_px.worst == pytest.approx(2, rel=1e-3)


def test_a_score_off_fails_with_number_and_limit() -> None:
    (failure,) = check(some(), changed(changed(some(), 0, score=0.0011), 1, score=0.0011))
    assert "a score is up to 0.0011 off in 99% of the pairs" in failure
    assert "the limit is 0.0001" in failure


@pytest.mark.parametrize("row", [0, 20, 39])
def test_a_missing_detection_fails(row: int) -> None:
    rest = take(some(), [i for i in range(40) if i != row])
    assert "39 of 40 detections matched" in check(some(), rest)[0]


@pytest.mark.parametrize("limits", [each.limits for each in PRECISIONS.values()], ids=PRECISIONS)
def test_more_detections_too_many_than_the_share_allows_fail(limits: Limits) -> None:
    few = excused(40, limits.matched_share) + 1
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


@pytest.mark.parametrize(("rise", "ordered"), [(5e-7, True), (3e-6, False)])
def test_scores_may_rise_by_the_rounding_of_a_sigmoid(rise: float, ordered: bool) -> None:
    reference = some()
    reference.scores[5] = reference.scores[4]
    assert compare(reference, changed(reference, 5, score=rise), SIZE, FP32).best_first == ordered


@pytest.mark.parametrize("limits", [each.limits for each in PRECISIONS.values()], ids=PRECISIONS)
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
    assert parity.box_px.worst == pytest.approx(0.04, abs=1e-3)


def test_a_tie_at_the_cut_passes_and_is_reported() -> None:
    parity = compare(*at_the_cut(last=40, score=0.1), SIZE, FP32)
    assert parity.passed(FP32)
    assert (parity.counted, parity.matched, parity.at_cut) == (39, 39, 2)


def test_a_near_tie_passes_if_the_other_scores_are_as_noisy() -> None:
    reference, actual = at_the_cut(last=40, score=0.09999)
    assert check(reference, actual)
    assert check(reference, changed(actual, 0, score=2e-5)) == []
    assert check(reference, changed(actual, 0, score=8e-6)) == []  # twice the noise
    assert check(reference, changed(actual, 0, score=4e-6))


def test_a_near_tie_is_within_the_limit_of_scores_however_noisy_they_are() -> None:
    reference, actual = at_the_cut(last=40, score=0.1 - 1.3e-4)
    assert "39 of 40" in check(reference, changed(actual, 0, score=8e-5))[0]


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
    """As untrained weights give them: everything is within the score's limit of everything."""
    reference = some()
    reference.scores[:] = np.linspace(0.02, 0.015, 40)
    actual = changed(reference, 5, label=100)
    loose = Limits(matched_share=1.0, box_px=1.0, score=0.01)
    assert any("detections matched" in line for line in check(reference, actual, loose))


def above(scores: tuple[float, float], count: int) -> Detections:
    """Of one label each, so that no two are taken for each other."""
    found = some(count)
    found.scores[:] = np.linspace(*scores, count)
    return Detections(found.boxes, found.scores, np.arange(count, dtype=np.int32))


@pytest.mark.parametrize("limits", [FP16, INT8], ids=["fp16", "int8"])
def test_where_numbers_are_rounded_detections_above_a_score_count(limits: Limits) -> None:
    reference = some(100)
    counted = int((reference.scores > 0.3).sum())
    assert compare(reference, reference, SIZE, limits).counted == counted > FEW
    clutter = changed(changed(reference, 99, box_px=50), 98, label=100)
    assert check(reference, clutter, limits) == []


@pytest.mark.parametrize("side", ["reference", "actual"])
def test_a_detection_may_fall_on_either_side_of_the_score(side: str) -> None:
    over, under = above((0.9, 0.301), 30), above((0.9, 0.299), 30)
    pair = (over, under) if side == "reference" else (under, over)
    parity = compare(*pair, SIZE, FP16)
    assert (parity.counted, parity.matched) == (30, 30)
    assert parity.passed(FP16)


def test_of_duplicates_any_may_be_the_partner() -> None:
    """Two boxes on one object change places by a tie of their scores."""
    reference = above((0.9, 0.4), 30)
    reference.boxes[1] = reference.boxes[0] + np.float32(3 / 320)
    reference.labels[1] = reference.labels[0]
    actual = take(reference, [1, 0, *range(2, 30)])
    actual.scores[:] = reference.scores
    parity = compare(reference, actual, SIZE, FP16)
    assert parity.passed(FP16) and parity.matched == 30


@pytest.mark.parametrize(("pairs", "beyond"), [(FEW - 1, 0), (FEW, 2), (155, 15), (200, 20)])
def test_of_many_pairs_one_in_ten_may_be_far_apart(pairs: int, beyond: int) -> None:
    reference = above((0.9, 0.31), pairs)
    actual = reference
    for row in range(beyond):
        actual = changed(changed(actual, row, box_px=12), pairs - 1 - row, score=-0.15)
    assert check(reference, actual, FP16) == []
    far = changed(actual, pairs // 2, box_px=11)
    assert "px off in 90% of the pairs (the worst: 1" in check(reference, far, FP16)[0]
    parity = compare(reference, far, SIZE, FP16)
    assert parity.box_px.p50 == 0 and parity.box_px.p90 == pytest.approx(11, abs=1e-3)


@pytest.mark.parametrize(("count", "lost"), [(FEW - 1, 0), (FEW, 1), (150, 3), (200, 4)])
def test_of_many_detections_two_in_a_hundred_may_lack_a_partner(count: int, lost: int) -> None:
    reference = above((0.9, 0.31), count)
    lacking = reference
    for row in range(lost):
        lacking = changed(lacking, row, label=count + row)
    assert check(reference, lacking, FP16) == []
    one_more = changed(lacking, count // 2, label=2 * count)
    assert (
        f"{count - lost - 1} of {count} detections matched" in check(reference, one_more, FP16)[0]
    )


@pytest.mark.parametrize("limits", [FP16, INT8], ids=["fp16", "int8"])
def test_of_hardly_any_detections_nothing_is_said(limits: Limits) -> None:
    """As on photographs of what the model does not know."""
    nothing = above((0.29, 0.1), 40)
    (failure,) = check(nothing, nothing, limits)
    assert f"only 0 detections above 0.3 to compare, expected {limits.least} or more" in failure
    enough = above((0.9, 0.31), limits.least)
    assert check(enough, enough, limits) == []


def test_percentiles_leave_out_their_share_of_many_and_one_of_few() -> None:
    many, few = Errors.of(range(300, 0, -1)), Errors.of(range(1, FEW + 1))
    assert (many.p50, many.p90, many.p99, many.worst) == (150, 270, 297, 300)
    assert (few.p50, few.p90, few.p99, few.worst) == (FEW / 2, FEW - 2, FEW - 1, FEW)


def test_merged_counts_add_up_and_all_errors_stay() -> None:
    good = Parity(40, 40, Errors.of([0.01, 0.0]), Errors.of([2e-5]), worst_label=3, at_cut=1)
    bad = Parity(20, 19, Errors.of([0.002]), Errors.of([3e-5]), worst_label=7, at_cut=0)
    merged = merge([good, bad])
    errors = Errors.of([0.0, 0.002, 0.01]), Errors.of([2e-5, 3e-5])
    assert merged == Parity(60, 59, *errors, worst_label=7, at_cut=1)
    assert not merged.passed(FP32)
    for flaw in ("best_first", "finite"):
        assert not getattr(merge([good, replace(good, **{flaw: False})]), flaw)
    with pytest.raises(InputError, match="at least one photo"):
        merge([])


def test_the_table_has_a_limit_beside_every_number() -> None:
    actual = changed(changed(some(), 8, box_px=0.07), 9, box_px=0.06)
    parity = compare(some(), actual, SIZE, FP32)
    (row,) = table({"atto.tflite": (parity, FP32)})
    assert len(row) == len(HEADER)
    assert row[:2] == ["atto.tflite", "40/40 = 1 (1)"]
    assert row[2] == "0, 0, 0.06, 0.07 (p99 0.05, worst 1)"
    assert row[3] == "0, 0, 0, 0 (p99 0.0001, worst 0.002)"
    assert row[4:] == [str(some().labels[8]), "FAIL"]


def test_parity_is_json() -> None:
    found = compare(some(), changed(some(), 1, score=1e-5), SIZE, FP32)
    text = json.dumps(found.to_json())
    assert json.loads(text)["matched_share"] == 1.0
    again = Parity.from_json(json.loads(text))
    assert again.to_json() == found.to_json() and again.worst_label == some().labels[1]
    assert again.failures(FP32) == found.failures(FP32)


@pytest.mark.parametrize(
    ("count", "share", "found"), [(20, 0.9, 2), (19, 0.9, 0), (20, 0.99, 1), (250, 0.99, 2)]
)
def test_how_many_need_not_hold(count: int, share: float, found: int) -> None:
    assert excused(count, share) == found and excused(count, 1) == 0


def test_the_median_of_an_even_number_is_the_lower_one() -> None:
    assert Errors.of([4.0, 1.0, 3.0, 2.0]).p50 == 2


def test_what_reaches_a_limit_is_within_it() -> None:
    assert Errors.of([0.05]).failures("box", 0.05, " px", 1.0) == []
    assert Errors.of([np.nextafter(0.05, 1)]).failures("box", 0.05, " px", 1.0) != []


def test_as_many_as_are_needed_are_enough() -> None:
    assert FP16.least == 5
    found = [check(few, few, FP16) for few in (take(some(), range(n)) for n in (4, 5))]
    assert "only 4 detections above 0.3" in found[0][0] and found[1] == []
