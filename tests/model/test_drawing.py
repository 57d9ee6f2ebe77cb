"""Drawn detections can be read, on photos of any size."""

import numpy as np
import pytest
from PIL import Image

from deimv2.model.detections import Detections
from deimv2.model.drawing import colour, draw, ink
from deimv2.model.errors import InputError

NAMES = ["cat", "dog", "kite"]
GREY = (128, 128, 128)


def one(box: tuple[float, ...], score: float = 0.9, label: int = 0) -> Detections:
    return Detections(np.float32([box]), np.float32([score]), np.int32([label]))


def drawn(size: tuple[int, int], detections: Detections, threshold: float = 0.5) -> np.ndarray:
    return np.asarray(draw(Image.new("RGB", size, GREY), detections, NAMES, threshold))


def test_a_box_has_its_edges_where_the_detection_says() -> None:
    pixels = drawn((640, 480), one((0.25, 0.5, 0.75, 0.9)))
    for y, x in [(240, 400), (432, 400), (336, 160), (336, 480)]:
        assert tuple(pixels[y, x]) == colour(0)
    assert tuple(pixels[336, 320]) == GREY  # inside
    assert tuple(pixels[470, 320]) == GREY  # outside


def test_a_name_and_score_stand_above_the_box() -> None:
    tag = drawn((640, 480), one((0.25, 0.5, 0.75, 0.9)))[220:240, 160:240].reshape(-1, 3)
    assert (tag == colour(0)).all(axis=1).sum() > 200
    assert (tag == ink(colour(0))).all(axis=1).sum() > 20


def test_a_name_can_stand_without_its_score() -> None:
    def drawn_with(score: float, scores: bool) -> np.ndarray:
        photo = Image.new("RGB", (640, 480), GREY)
        found = one((0.25, 0.5, 0.75, 0.9), score=score)
        return np.asarray(draw(photo, found, NAMES, 0.5, scores))

    without = drawn_with(0.9, False)
    assert np.array_equal(without, drawn_with(0.6, False))
    assert not np.array_equal(drawn_with(0.9, True), drawn_with(0.6, True))
    assert (without[230, 160:180] != GREY).any()  # the name
    assert (without[230, 200:240] == GREY).all()  # where the score would stand
    assert (drawn_with(0.9, True)[230, 200:210] != GREY).any()


def test_a_box_at_the_top_keeps_its_name_inside_the_photo() -> None:
    tag = drawn((640, 480), one((0.9, 0.0, 1.0, 0.9)))[:20, 540:].reshape(-1, 3)
    assert (tag == ink(colour(0))).all(axis=1).sum() > 20


def test_the_photo_itself_is_left_alone() -> None:
    photo = Image.new("RGB", (64, 64), GREY)
    draw(photo, one((0.1, 0.1, 0.9, 0.9)), NAMES, 0.5)
    assert photo.getcolors() == [(64 * 64, GREY)]


def test_detections_below_the_threshold_are_not_drawn() -> None:
    assert (drawn((64, 64), one((0.1, 0.1, 0.9, 0.9), score=0.4)) == GREY).all()


def test_the_best_detection_is_on_top() -> None:
    box = (0.25, 0.5, 0.75, 0.9)
    both = Detections(np.float32([box, box]), np.float32([0.9, 0.8]), np.int32([1, 2]))
    assert tuple(drawn((640, 480), both)[432, 400]) == colour(1)


@pytest.mark.parametrize("size", [(1, 1), (8000, 10), (10, 8000), (3, 2)])
@pytest.mark.parametrize(
    "box", [(0.1, 0.1, 0.9, 0.9), (-0.5, -0.5, 1.5, 1.5), (1, 1, 1, 1), (0.5, 0.5, 0.5, 0.5)]
)
def test_any_box_can_be_drawn_on_any_photo(size: tuple[int, int], box: tuple[float, ...]) -> None:
    pixels = drawn(size, one(box))
    assert pixels.shape == (size[1], size[0], 3)
    assert (pixels != GREY).any()


def test_a_box_beyond_the_frame_is_clipped_to_its_border() -> None:
    pixels = drawn((640, 480), one((-1, -1, 2, 2)))
    assert tuple(pixels[479, 400]) == colour(0)
    assert tuple(pixels[400, 639]) == colour(0)


def test_lines_grow_with_the_photo() -> None:
    def thickness(side: int) -> int:
        column = drawn((side, side), one((0.1, 0.5, 0.9, 0.9)))[side * 3 // 4 :, side // 2]
        return int((column == colour(0)).all(axis=1).sum())

    assert thickness(320) < thickness(1600) < thickness(4000)


def test_classes_have_colours_of_their_own() -> None:
    colours = [colour(label) for label in range(80)]
    assert len(set(colours)) == 80
    neighbours = np.abs(np.diff(np.array(colours), axis=0)).sum(axis=1)
    assert neighbours.min() > 150


@pytest.mark.parametrize(
    ("background", "expected"),
    [((255, 255, 0), (0, 0, 0)), ((0, 0, 160), (255, 255, 255)), ((0, 255, 0), (0, 0, 0))],
)
def test_text_contrasts_with_its_background(
    background: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    assert ink(background) == expected


def test_a_label_without_a_name_is_an_error() -> None:
    with pytest.raises(InputError, match="label 3 has no name, expected 0 to 2"):
        drawn((64, 64), one((0.1, 0.1, 0.9, 0.9), label=3))


def test_names_of_one_box_do_not_cover_each_other() -> None:
    """All three can be read: as much of each colour as where it stands alone."""
    box = (0.25, 0.5, 0.75, 0.9)
    scores = np.float32([0.9, 0.8, 0.7])
    both = drawn((640, 480), Detections(np.float32([box] * 3), scores, np.int32([0, 1, 2])))
    for label in range(3):
        alone = drawn((640, 480), one(box, float(scores[label]), label))
        areas = [
            int((pixels[:, 165:300] == colour(label)).all(axis=2)[5:].sum())
            for pixels in (alone[200:238], both[200:320])
        ]
        assert areas[1] >= areas[0] * 0.9 > 100
