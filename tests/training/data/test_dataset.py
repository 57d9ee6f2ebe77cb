"""Data sets are found in the usual layouts, and what is wrong in them is left out and told."""

from pathlib import Path

import numpy as np
import pytest

from deimv2.evaluation.annotations import read_annotations
from deimv2.model.errors import InputError
from deimv2.model.images import load_photo
from deimv2.tests.training.photos import annotation, noise, write_coco, write_photos
from deimv2.training.data.dataset import Dataset, Findings, read_dataset
from deimv2.training.data.layouts import Part, find_part

NAN = float("nan")


def read(
    folder: Path, annotations: list, categories: dict[int, str] | None = None, photos: int = 2
) -> tuple[Dataset, Findings]:
    images = write_photos(folder, photos)
    file = write_coco(folder / "a.json", images, annotations, categories or {1: "cat"})
    return read_dataset(Part(folder, file))


def test_ids_become_labels_in_their_order_with_their_names(tmp_path) -> None:
    rows = [annotation(category=key) for key in (90, 3, 17, 90)]
    dataset, findings = read(tmp_path, rows, {90: "kite", 3: "car", 17: "cat"})
    assert dataset.names == ("car", "cat", "kite")
    assert dataset.samples[0].labels.tolist() == [2, 0, 1, 2]
    assert findings.lines() == []


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({1: "cat", 2: " "}, r"names class 1 ' ', expected one line of text"),
        ({1: ""}, "names class 0 '', expected one line of text"),
        ({1: "black\ncat"}, r"names class 0 'black\\ncat', expected one line of text"),
        ({1: "cat", 2: "dog", 3: "cat"}, "names 2 classes 'cat', expected names of their own"),
    ],
)
def test_names_that_no_label_list_could_hold_are_refused(tmp_path, names, reason) -> None:
    with pytest.raises(InputError, match=reason):
        read(tmp_path, [annotation()], names)


def test_boxes_become_corners_in_pixels(tmp_path) -> None:
    dataset, _ = read(tmp_path, [annotation(10, bbox=[1.5, 2, 10, 20.25])])
    empty, sample = dataset.samples
    assert sample.path == tmp_path / "1.jpg" and sample.size == (64, 48)
    assert sample.boxes.dtype == np.float32 and sample.labels.dtype == np.int64
    np.testing.assert_array_equal(sample.boxes, [[1.5, 2, 11.5, 22.25]])
    assert empty.labels.shape == (0,) and empty.boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("train", "val", "annotations"),
    [
        ("train", "valid", "{}/_annotations.coco.json"),  # Roboflow
        ("train", "val", "{}/labels.json"),
        ("train2017", "val2017", "annotations/instances_{}.json"),
        ("train", "val", "annotations/instances_{}.json"),
        ("train[1]", "val", "annotations/instances_{}.json"),
    ],
)
def test_the_usual_layouts_are_found(tmp_path, train, val, annotations) -> None:
    for part in (train, val):
        images = write_photos(tmp_path / part, 1)
        write_coco(tmp_path / annotations.format(part), images, [annotation()], {1: part})
    write_coco(tmp_path / "annotations" / "captions_train2017.json", [], [], {})
    for name, folder in (("train", train), ("val", val)):
        part = find_part(tmp_path, name)
        assert part == Part(tmp_path / folder, tmp_path / annotations.format(folder))
        assert read_dataset(part)[0].names == (folder,)


def test_photos_may_be_in_a_folder_of_their_own(tmp_path) -> None:
    images = write_photos(tmp_path / "train" / "images", 1)
    write_coco(file := tmp_path / "train" / "annotations.json", images, [annotation()], {1: "a"})
    assert find_part(tmp_path, "train") == Part(tmp_path / "train" / "images", file)


def test_a_part_that_is_not_there_is_none(tmp_path) -> None:
    write_photos(tmp_path / "train", 1)
    assert find_part(tmp_path, "train") is None  # photos alone
    assert find_part(tmp_path, "val") is None


def test_two_files_for_one_part_are_refused_by_name(tmp_path) -> None:
    for name in ("one.json", "two.json"):
        write_coco(tmp_path / "train" / name, [], [], {})
    with pytest.raises(InputError, match=r"train/one\.json, .*train/two\.json.*--annotations"):
        find_part(tmp_path, "train")
    with pytest.raises(InputError, match="no folder at"):
        find_part(tmp_path / "nowhere", "train")


def test_two_folders_for_one_part_are_refused(tmp_path) -> None:
    for name in ("train2014", "train2017"):
        (tmp_path / name).mkdir()
        write_coco(tmp_path / "annotations" / f"instances_{name}.json", [], [], {})
    with pytest.raises(InputError, match=r"instances_train2014\.json, .*instances_train2017\.json"):
        find_part(tmp_path, "train")


WRONG = [
    (annotation(999), "boxes of unknown photos, left out", "image_id 999"),
    (annotation(category=7), "boxes of unknown categories, left out", "id 7"),
    (annotation(iscrowd=1), "boxes around crowds, left out", "annotations[1]"),
    (annotation(bbox=[1, 2, 3]), "boxes of other than four numbers, left out", "[1, 2, 3]"),
    (annotation(bbox=[1, 2, 3, 4, 5]), "boxes of other than four numbers, left out", "4, 5]"),
    (annotation(bbox=[1, 2, NAN, 4]), "boxes of other than four numbers, left out", "nan"),
    (annotation(bbox=[1, 2, 1e999, 4]), "boxes of other than four numbers, left out", "inf"),
    (annotation(bbox=[1, 2, "3", 4]), "boxes of other than four numbers, left out", "'3'"),
    (annotation(bbox=[1, 2, True, 4]), "boxes of other than four numbers, left out", "True"),
    (annotation(bbox=[1, 2, 0, 4]), "boxes without area, left out", "[1, 2, 0, 4]"),
    (annotation(bbox=[9, 9, -3, 4]), "boxes without area, left out", "[9, 9, -3, 4]"),
    (
        annotation(bbox=[64, 8, 9, 9]),
        "boxes with less than a pixel in their photos, left out",
        "on '0.jpg' of 64 x 48 pixels",
    ),
    (
        annotation(bbox=[8, 8, 0.5, 9]),
        "boxes with less than a pixel in their photos, left out",
        "[8, 8, 0.5, 9]",
    ),
]


@pytest.mark.parametrize(("row", "what", "example"), WRONG)
def test_what_cannot_be_trained_on_is_left_out_and_told(tmp_path, row, what, example) -> None:
    dataset, findings = read(tmp_path, [annotation(), row, annotation(10)])
    assert [len(sample.labels) for sample in dataset.samples] == [1, 1]
    assert dict(findings.counts) == {what: 1}
    assert example in findings.examples[what][0]
    assert findings.lines()[0].startswith("1 box " + what.removeprefix("boxes ") + ": ")


@pytest.mark.parametrize(("row", "what", "example"), WRONG)
def test_nothing_but_such_boxes_is_an_error_that_says_why(tmp_path, row, what, example) -> None:
    with pytest.raises(InputError, match=f"leaves no object to train on .*2 {what}"):
        read(tmp_path, [row, row])


def test_boxes_that_reach_beyond_are_clipped_and_told(tmp_path) -> None:
    rows = [annotation(bbox=[-5, 40, 30, 30]), annotation(bbox=[0, 0, 64.9, 48])]
    dataset, findings = read(tmp_path, rows)
    np.testing.assert_array_equal(dataset.samples[0].boxes, [[0, 40, 25, 48], [0, 0, 64, 48]])
    assert dict(findings.counts) == {"boxes beyond their photos, clipped": 1}


def test_without_a_size_boxes_are_taken_as_they_are(tmp_path) -> None:
    images = [{"id": 0, "file_name": "0.jpg"} for image in write_photos(tmp_path, 1)]
    file = write_coco(tmp_path / "a.json", images, [annotation(bbox=[-5, 0, 99, 9])], {1: "cat"})
    dataset, findings = read_dataset(Part(tmp_path, file))
    assert dataset.samples[0].size is None and findings.lines() == []
    np.testing.assert_array_equal(dataset.samples[0].boxes, [[-5, 0, 94, 9]])


def test_missing_photos_are_left_out_and_told(tmp_path) -> None:
    images = write_photos(tmp_path, 7)
    for i in range(5):
        (tmp_path / f"{i}.jpg").unlink()
    rows = [annotation(0), annotation(60)]
    dataset, findings = read_dataset(
        Part(tmp_path, write_coco(tmp_path / "a.json", images, rows, {1: "cat"}))
    )
    assert [sample.path.name for sample in dataset.samples] == ["5.jpg", "6.jpg"]
    assert findings.lines() == ["5 photos missing, left out: 0.jpg; 1.jpg; 2.jpg; ..."]


@pytest.mark.parametrize(("suffix", "turned"), [("jpg", 6), ("jpg", 3), ("tif", 6), ("tif", 3)])
def test_photos_of_another_size_are_left_out_and_told(tmp_path, suffix, turned) -> None:
    """Sizes are those of photos when upright: all but one of five are scaled down."""
    images = write_photos(tmp_path, 5)
    upright = (48, 64) if turned == 6 else (64, 48)
    for i, row in enumerate(images):
        row |= {"file_name": f"{i}.{suffix}", "width": upright[0], "height": upright[1]}
        image = noise((64, 48) if i == 3 else (32, 24), i)
        exif = image.getexif()
        exif[0x0112] = turned
        image.save(tmp_path / row["file_name"], exif=exif)
    rows = [annotation(row["id"]) for row in images]
    file = write_coco(tmp_path / "a.json", images, rows, {1: "cat"})
    dataset, findings = read_dataset(Part(tmp_path, file))
    assert [sample.path.name for sample in dataset.samples] == [f"3.{suffix}"]
    assert load_photo(dataset.samples[0].path).size == upright
    (line,) = findings.lines()
    small = "24 x 32" if turned == 6 else "32 x 24"
    assert line.startswith("4 photos of another size than annotated, left out; use those that were")
    assert (
        f": '0.{suffix}' has {small} pixels when upright, expected {upright[0]} x {upright[1]} as"
        in line
    )
    with pytest.raises(InputError, match=r"no object to train on \(3 photos of another size"):
        read_dataset(Part(tmp_path, write_coco(file, images[:3], rows[:3], {1: "cat"})))


def test_a_photo_whose_header_says_nothing_is_left_to_the_training(tmp_path) -> None:
    (tmp_path / "0.jpg").write_text("no photo")
    images = [{"id": 0, "file_name": "0.jpg", "width": 64, "height": 48}]
    file = write_coco(tmp_path / "a.json", images, [annotation()], {1: "cat"})
    assert len(read_dataset(Part(tmp_path, file))[0].samples) == 1


def test_photos_in_another_folder_are_an_error_with_a_fix(tmp_path) -> None:
    images = write_photos(tmp_path / "photos", 1)
    file = write_coco(tmp_path / "a.json", images, [annotation()], {1: "cat"})
    with pytest.raises(InputError, match=r"1 photo missing.*name the folder"):
        read_dataset(Part(tmp_path, file))


@pytest.mark.parametrize("number", [10**400, "9" * 5000], ids=["float", "int"])
@pytest.mark.parametrize("read_part", [read_dataset, read_annotations])
def test_numbers_beyond_any_photo_are_refused(tmp_path, number, read_part) -> None:
    """Of more digits than Python turns into an int, as text, and than a float holds."""
    images = write_photos(tmp_path, 1)
    images[0]["width"] = number
    file = write_coco(tmp_path / "a.json", images, [annotation()], {1: "cat"})
    with pytest.raises(
        InputError, match=r"width, height of image '0\.jpg' is \[.*, expected two wh"
    ):
        read_part(Part(tmp_path, file))


def test_files_that_are_no_annotations_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="an empty list 'annotations'"):
        read(tmp_path, [])
    with pytest.raises(InputError, match=r"bbox of annotations\[1\] is 5, expected list"):
        read(tmp_path, [annotation(), annotation() | {"bbox": 5}])
    images = write_photos(tmp_path, 1)
    file = write_coco(tmp_path / "a.json", images, [annotation()], {1: "cat"})
    file.write_text(
        file.read_text().replace('"categories": [', '"categories": [{"id": 1, "name": "b"}, ')
    )
    with pytest.raises(InputError, match=r"uses the category id 1 for 2 classes \(b, cat\)"):
        read_dataset(Part(tmp_path, file))
    file.write_text("[]")
    with pytest.raises(InputError, match="holds a list, expected COCO annotations"):
        read_dataset(Part(tmp_path, file))


def test_a_photo_may_hold_300_objects(tmp_path) -> None:
    rows = [annotation(bbox=[i % 20, i // 20, 2 + i / 100, 3]) for i in range(300)]
    dataset, findings = read(tmp_path, rows)
    assert len(dataset.samples[0].labels) == 300 and findings.lines() == []
    assert dataset.samples[0].boxes[299] == pytest.approx([19, 14, 19 + 4.99, 17])


@pytest.mark.parametrize("classes", [1, 365])
def test_any_number_of_classes_is_read(tmp_path, classes) -> None:
    categories = {1000 - i: f"class {1000 - i}" for i in range(classes)}
    dataset, _ = read(tmp_path, [annotation(category=key) for key in categories], categories)
    labels = dataset.samples[0].labels
    assert labels.tolist() == list(range(classes))[::-1]
    assert [dataset.names[label] for label in labels] == list(categories.values())
