"""What a detector found, as Python code uses it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deimv2
from deimv2.model.detections import Detections

BOXES = [[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0]]


def result(count: int = 2, ids: tuple[int, ...] | None = None) -> deimv2.Result:
    found = Detections(
        np.array(BOXES, np.float32),
        np.array([0.75, 0.5], np.float32),
        np.array([1, 0], np.int32),
    ).best(count)
    return deimv2.Result(Image.new("RGB", (200, 100)), found, ("cup", "plate"), ids=ids)


def test_single_detections_are_gone_through_and_taken_by_number() -> None:
    first, second = result()
    assert first[:2] == ("plate", 0.75) and (first.label, first.id) == (1, None)
    assert first.box == pytest.approx((20, 20, 100, 60))
    assert second == deimv2.Detection("cup", 0.5, (0.0, 0.0, 200.0, 100.0), 0)
    assert result()[0] == first and result()[-1] == second and result()[:1] == [first]
    assert [each.id for each in result(ids=(7, 3))] == [7, 3]
    assert [*result(0)] == []
    with pytest.raises(IndexError):
        result()[2]


def test_the_photo_with_its_boxes_is_saved(tmp_path: Path) -> None:
    result().save(tmp_path / "drawn" / "a.png")
    with Image.open(tmp_path / "drawn" / "a.png") as saved:
        assert saved.tobytes() == result().plot().tobytes()
    with pytest.raises(deimv2.InputError, match=r"a\.gif' ends in '\.gif', expected \.png or"):
        result().save(f"{tmp_path}/a.gif")
