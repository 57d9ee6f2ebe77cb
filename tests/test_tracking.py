"""Tracks keep their ids, and their filters are the Kalman filter of the papers."""

import numpy as np
import pytest

from deimv2.api.tracking import LEAST_SIDE, LOW_SCORE, POSITION, SPEED, UNSEEN, Tracker, _Track
from deimv2.tests.vectors.tracks import THRESHOLD, detections, scenes


def ids(name: str) -> list[list[int | None]]:
    tracker = Tracker()
    return [tracker.update(detections(rows), THRESHOLD) for rows in scenes()[name]]


def test_those_that_cross_keep_their_ids() -> None:
    assert ids("two that cross, one above the other") == [[1, 2]] * 30


def test_what_fades_keeps_its_id() -> None:
    assert ids("one that fades behind another for a while") == [[1, 2]] * 30


def test_what_is_lost_comes_back_unless_it_was_long() -> None:
    found = ids("lost for ten frames, and for forty")
    assert [row for row in found if row] == [[1]] * 20 + [[None]] + [[2]] * 3
    assert UNSEEN == 30


def test_what_is_seen_once_gets_no_id() -> None:
    found = ids("seen in one frame only")
    assert found == [[1, None] if i == 4 else [1] for i in range(8)]


def test_labels_of_one_box_are_one_object() -> None:
    assert ids("other labels on the same box") == [[1, None]] * 5


def test_a_low_score_begins_no_track() -> None:
    assert ids("never above the threshold") == [[None]] * 4
    assert ids("nothing, then something") == [[], [], [None], [1], [1]]


def test_growing_neighbours_keep_their_ids() -> None:
    tracker, names = Tracker(), {}
    for rows in scenes()["five that come nearer"]:
        found = detections(rows)
        for label, track in zip(
            found.labels.tolist(), tracker.update(found, THRESHOLD), strict=True
        ):
            names.setdefault(label, set()).add(track)
    assert sorted(names) == [0, 1, 2, 3, 4]
    assert all(len(each - {None}) == 1 for each in names.values())
    assert len(set.union(*names.values()) - {None}) == 5


def test_a_low_threshold_lets_nothing_begin_that_is_hardly_seen() -> None:
    tracker = Tracker()
    for score, expected in ((0.5 * LOW_SCORE, None), (1.5 * LOW_SCORE, 1)):
        rows = detections([(score, 0, 0.5, 0.5, 0.2, 0.2)])
        assert [tracker.update(rows, 0.2 * LOW_SCORE) for _ in range(2)][-1] == [expected]


def test_a_box_that_is_no_number_is_of_no_track() -> None:
    tracker = Tracker()
    rows = [(0.9, 0, 0.5, 0.5, 0.2, 0.2), (0.8, 0, float("nan"), 0.5, 0.2, 0.2)]
    for _ in range(3):
        assert tracker.update(detections(rows), THRESHOLD)[0] == 1


def test_a_track_moves_as_a_kalman_filter_of_all_coordinates_says() -> None:
    """Eight states at once, by matrices, as BoT-SORT's paper has them."""
    rng = np.random.default_rng(0)
    boxes = [np.array([0.3, 0.4, 0.5, 0.8]) + 0.01 * i + rng.normal(0, 0.004, 4) for i in range(9)]
    track = _Track(boxes[0].tolist())
    state, covariance = start(boxes[0])
    move = np.eye(8) + np.eye(8, k=4)
    for box in boxes[1:]:
        noise = np.diag(deviations(state, POSITION, SPEED) ** 2)
        state = move @ state
        covariance = move @ covariance @ move.T + noise
        track.predict()
        assert track.values == pytest.approx(state[:4], abs=1e-12)
        seen = np.eye(4, 8)
        error = seen @ covariance @ seen.T + np.diag(deviations(state, POSITION, SPEED)[:4] ** 2)
        gain = covariance @ seen.T @ np.linalg.inv(error)
        state = state + gain @ (measured(box) - seen @ state)
        covariance = covariance - gain @ error @ gain.T
        track.correct(box.tolist())
        assert track.values == pytest.approx(state[:4], abs=1e-12)


def start(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    state = np.concatenate([measured(box), np.zeros(4)])
    return state, np.diag(deviations(state, 2 * POSITION, 10 * SPEED) ** 2)


def measured(box: np.ndarray) -> np.ndarray:
    return np.array(
        [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]]
    )


def deviations(state: np.ndarray, position: float, speed: float) -> np.ndarray:
    sides = np.maximum(np.tile(state[2:4], 2), LEAST_SIDE)
    return np.concatenate([position * sides, speed * sides])
