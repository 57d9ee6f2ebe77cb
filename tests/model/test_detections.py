"""Detections are checked when made, and survive being written down."""

import json

import numpy as np
import pytest

from deimv2.model.detections import Detections
from deimv2.model.errors import InputError


def some(count: int) -> Detections:
    rng = np.random.default_rng(3)
    return Detections(
        rng.uniform(size=(count, 4)).astype(np.float32),
        np.sort(rng.uniform(size=count).astype(np.float32))[::-1],
        rng.integers(0, 80, count).astype(np.int32),
    )


def test_detections_survive_json_bit_by_bit() -> None:
    before = some(200)
    after = Detections.from_json(json.loads(json.dumps(before.to_json())))
    for name in ("boxes", "scores", "labels"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert getattr(after, name).dtype == getattr(before, name).dtype
    assert len(Detections.from_json([])) == 0


@pytest.mark.parametrize(
    "row", [{"label": 1, "score": 0.5}, {"label": 1, "score": "high", "box": [0, 0, 1, 1]}, 7]
)
def test_json_of_another_form_is_refused(row: object) -> None:
    with pytest.raises(InputError, match="a detection reads"):
        Detections.from_json([row])


def test_above_leaves_out_the_threshold_itself() -> None:
    detections = some(3)
    detections.scores[:] = (0.9, 0.5, 0.1)
    assert len(detections.above(0.5)) == 1


@pytest.mark.parametrize(
    ("boxes", "labels"),
    [
        (np.zeros((2, 4), np.float32), np.zeros(3, np.int32)),
        (np.zeros((3, 5), np.float32), np.zeros(3, np.int32)),
        (np.zeros((3, 4), np.float64), np.zeros(3, np.int32)),
        (np.zeros((3, 4), np.float32), np.zeros(3, np.int64)),
        (np.zeros((1, 3, 4), np.float32), np.zeros(3, np.int32)),
    ],
)
def test_detections_of_another_shape_or_type_are_refused(
    boxes: np.ndarray, labels: np.ndarray
) -> None:
    with pytest.raises(InputError, match="of detections are"):
        Detections(boxes, np.zeros(3, np.float32), labels)
