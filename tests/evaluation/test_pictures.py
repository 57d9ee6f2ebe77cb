"""The confusion matrix counts each box once; the sheet shows truth beside detections."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deimv2.api.closing import listed
from deimv2.evaluation.annotations import Annotations, Photo
from deimv2.evaluation.coco import ClassScore, Found
from deimv2.evaluation.operating import AtScore
from deimv2.evaluation.pictures import CELL, confusion, confusion_plot, side_by_side
from deimv2.training.plots import new_figure, to_png

A, B = (10, 10, 40, 40), (50, 10, 90, 40)  # corners in pixels of a photo of 100 x 50


def annotations(*rows: tuple[tuple[int, ...], int, int], crowd: int | None = None) -> Annotations:
    """Of (corners, photo, label)."""
    boxes = np.array([[x1, y1, x2 - x1, y2 - y1] for (x1, y1, x2, y2), _, _ in rows], np.float64)
    return Annotations(
        path=Path("a.json"),
        photos=(Photo("0.png", (100, 50)), Photo("1.png", (100, 50))),
        names=("cup", "plate"),
        category_ids=(1, 2),
        boxes=boxes,
        areas=boxes[:, 2:].prod(axis=1),
        crowd=np.array([i == crowd for i in range(len(rows))], bool),
        photo=np.array([photo for _, photo, _ in rows], np.int32),
        label=np.array([label for _, _, label in rows], np.int32),
    )


def found(*rows: tuple[tuple[int, ...], int, int, float]) -> Found:
    """Of (corners, photo, label, score)."""
    corners = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return Found(
        boxes=corners / np.array([100, 50, 100, 50], np.float32),
        scores=np.array([row[3] for row in rows], np.float32),
        label=np.array([row[2] for row in rows], np.int32),
        photo=np.array([row[1] for row in rows], np.int32),
        sizes=np.array([[100, 50], [100, 50]], np.int32),
    )


TRUTH = annotations((A, 0, 0), (B, 0, 1), (A, 1, 1))


@pytest.mark.parametrize(
    ("detected", "counts"),
    [
        ([(A, 0, 0, 0.9), (B, 0, 1, 0.9), (A, 1, 1, 0.9)], {(0, 0): 1, (1, 1): 2}),
        ([(A, 0, 1, 0.9)], {(0, 1): 1, (1, 2): 2}),
        # the better one takes the box, the other is of nothing
        ([(A, 0, 0, 0.6), (A, 0, 1, 0.9)], {(0, 1): 1, (2, 0): 1, (1, 2): 2}),
        ([(A, 0, 0, 0.3)], {(0, 2): 1, (1, 2): 2}),
        ([((60, 42, 90, 50), 1, 0, 0.9)], {(2, 0): 1, (0, 2): 1, (1, 2): 2}),
        ([], {(0, 2): 1, (1, 2): 2}),
    ],
)
def test_each_box_is_counted_once(
    detected: list[tuple[tuple[int, ...], int, int, float]], counts: dict[tuple[int, int], int]
) -> None:
    wanted = np.zeros((3, 3), int)
    for place, count in counts.items():
        wanted[place] = count
    assert (confusion(TRUTH, found(*detected)) == wanted).all()


def test_crowds_are_left_out() -> None:
    truth = annotations((A, 0, 0), (B, 0, 1), crowd=1)
    assert confusion(truth, found()).sum() == 1


def test_plots_are_pictures(tmp_path: Path) -> None:
    (tmp_path / "matrix.png").write_bytes(confusion_plot(np.eye(3, dtype=int), ["cup", "plate"]))
    with Image.open(tmp_path / "matrix.png") as picture:
        assert picture.format == "PNG"


def test_truth_stands_beside_what_is_found(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path in paths:
        Image.new("RGB", (100, 50), (128, 128, 128)).save(path)
    sheet = np.asarray(side_by_side(TRUTH, found((B, 1, 0, 0.9)), paths))
    assert sheet.shape == (CELL, 4 * CELL, 3)
    cells = sheet[:50].reshape(50, 4, CELL, 3)[:, :, :100]
    coloured = (np.ptp(cells, axis=-1) > 20).any(axis=(0, 2))
    assert coloured.tolist() == [True, False, True, True]


def test_names_that_cannot_be_drawn_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confusion_plot(np.eye(3, dtype=int), ["王", "a" * 500])
        figure = new_figure(1, 1)
        figure.subplots().set_ylabel("y" * 99)
        figure.axes[0].set_xticks([0], ["x" * 99], rotation=90)
        to_png(figure)


def test_long_names_end_in_an_ellipsis() -> None:
    row = ClassScore("y" * 31, 0, 1, 0.5, 0.5, AtScore(0.4, 1.0, 1.0, 1.0), None)
    assert listed((row,)) == "y" * 29 + "… 0.500"
