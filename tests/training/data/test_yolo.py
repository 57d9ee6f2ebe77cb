"""YOLO data sets: what their files may say, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from deimv2.model.errors import InputError
from deimv2.tests.training.data.sets import photo, yolo
from deimv2.training.data.dataset import read_dataset
from deimv2.training.data.layouts import Part, find_part


def test_polygons_and_rotated_boxes_of_yolo_give_their_box(tmp_path: Path) -> None:
    yolo(tmp_path)
    file = tmp_path / "labels" / "train" / "c.txt"
    file.write_text("0 0.1 0.5 0.2 0.1 0.3 0.5 0.2 0.9\n")
    dataset, _ = read_dataset(Part(tmp_path / "images" / "train", file.parent))
    (found,) = [sample for sample in dataset.samples if sample.path.stem == "c"]
    np.testing.assert_allclose(found.boxes, [[8, 4, 24, 36]], atol=1e-3)


def test_yolo_shares_are_of_the_upright_photo(tmp_path: Path) -> None:
    yolo(tmp_path)
    photo(tmp_path / "images" / "train" / "b.jpg", orientation=6)
    dataset, _ = read_dataset(Part(tmp_path / "images/train", tmp_path / "labels/train"))
    (found,) = [sample for sample in dataset.samples if sample.path.stem == "b"]
    assert found.size == (40, 80) and found.boxes.tolist() == [[0, 0, 40, 80]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("2 0.5 0.5 0.1 0.1", "a class from 0 to 1"), ("0 0.5 0.5", "a class from 0 to 1"),
     ("cup 0.5 0.5 0.1 0.1", "a class from 0 to 1"), ("0 40 20 10 10", "not pixels")],
)  # fmt: skip
def test_a_wrong_line_of_yolo_is_named(tmp_path: Path, line: str, reason: str) -> None:
    yolo(tmp_path)
    (tmp_path / "labels" / "train" / "c.txt").write_text(f"\n{line}\n")
    part = find_part(tmp_path, "train")
    assert part is not None
    with pytest.raises(InputError, match=rf"line 2 of '.*c\.txt'.*{reason}"):
        read_dataset(part)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("{1: cup, 2: plate}", r"has the keys \[1, 2\], expected the numbers from 0 to 1"),
        ("{0: cup, '0': plate}", "has the keys"),
        ("{0: cup, cat: plate}", "has the keys"),
        ("{cat: cup}", r"has the keys \['cat'\], expected the numbers from 0 to 0"),
        ("{true: plate, 0: cup}", "has the keys"),
        ("2", "is 2, expected a list of names"),
        ("", "is null, expected a list of names"),
        ("cup", "is 'cup', expected a list of names"),
        ("[cup, null]", "has null for class 1, expected text; put it in quotes"),
        ("[yes, no]", "has True for class 0, expected text; put it in quotes"),
        ("[[cup], [plate]]", r"has \['cup'\] for class 0, expected text"),
        ("{}", r"is \[\], expected a list of names"),
    ],
)
def test_names_that_are_none_are_named(tmp_path: Path, names: str, reason: str) -> None:
    yolo(tmp_path)
    (tmp_path / "data.yaml").write_text(f"train: images/train\nnames: {names}\n")
    with pytest.raises(InputError, match=rf"'names' in '.*data\.yaml' {reason}"):
        read_dataset(Part(tmp_path / "images/train", tmp_path / "labels/train"))


def test_the_keys_of_names_may_be_text_in_any_order(tmp_path: Path) -> None:
    yolo(tmp_path)
    file = tmp_path / "data.yaml"
    file.write_text("train: images/train\nnames: {'1': plate, 0: 7}\n")
    dataset, _ = read_dataset(Part(tmp_path / "images/train", tmp_path / "labels/train"))
    assert dataset.names == ("7", "plate")


@pytest.mark.parametrize("end", ["", "\n", "\r\n\n"])
def test_lists_of_classes_may_end_in_a_new_line(tmp_path: Path, end: str) -> None:
    yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "classes.txt").write_text("cat\ndog" + end, newline="")
    dataset, _ = read_dataset(Part(tmp_path / "images/train", tmp_path / "labels/train"))
    assert dataset.names == ("cat", "dog")


def test_labels_that_are_no_text_are_named(tmp_path: Path) -> None:
    yolo(tmp_path)
    for file in (tmp_path / "labels/train").glob("*.txt"):
        file.write_bytes(b"0 0.5 0.5 0.1 0.1 \xff")
    with pytest.raises(InputError, match="is not text in UTF-8"):
        read_dataset(Part(tmp_path / "images/train", tmp_path / "labels/train"))
