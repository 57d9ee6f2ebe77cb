"""Data sets as tools write them are read alike: the same photos, boxes and classes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deimv2.evaluation.annotations import read_annotations
from deimv2.model.errors import InputError
from deimv2.tests.training.data.sets import (
    NAMES,
    OBJECTS,
    classes_beside,
    coco,
    coco_at,
    jsonl,
    listed,
    photos,
    voc,
    yolo,
)
from deimv2.training.data.dataset import read_dataset
from deimv2.training.data.layouts import Part, find_part, part_names

LAYOUTS: dict[str, Callable[[Path], None]] = {
    "roboflow coco": coco_at("train", "train/_annotations.coco.json"),
    "images inside": coco_at("train/images", "train/annotations.json"),
    "coco's own": coco_at("train2017", "annotations/instances_train2017.json"),
    "file beside the folder": coco_at("train", "train.json"),
    "file in annotations": coco_at("train", "annotations/train.json"),
    "images/train": coco_at("images/train", "annotations/instances_train.json"),
    "one part, label studio": coco_at("images", "result.json"),
    "one part, flat": coco_at(".", "labels.json"),
    "cvat coco": coco_at("images/default", "annotations/instances_default.json"),
    "cvat coco, photos in images": coco_at("images", "annotations/instances_default.json"),
    "cvat coco, subset": coco_at("images/Train", "annotations/instances_Train.json"),
    "names in other capitals": coco_at("images/Train", "annotations/instances_train.json"),
    "fiftyone coco": coco_at("data", "labels.json"),
    "fiftyone coco, part": coco_at("train/data", "train/labels.json"),
    "yolo": yolo,
    "roboflow yolo": lambda root: yolo(root, "train/images", "../train/images"),
    "yolo, entry is the folder above": lambda root: yolo(root, "train/images", "train"),
    "yolo, listed": listed,
    "label studio yolo": classes_beside("images", "labels", "notes.json"),
    "yolo, lists alone": classes_beside("images", "labels", train="{}.jpg"),
    "yolo, labels beside photos": classes_beside(".", "."),
    "yolo, labels beside photos of a part": classes_beside("train", "train"),
    "voc": lambda root: voc(root, "JPEGImages", "Annotations", split=True),
    "voc, one part": lambda root: voc(root, "JPEGImages", "Annotations"),
    "label studio voc": lambda root: voc(root, "images", "Annotations"),
    "labelimg voc": lambda root: voc(root, ".", "."),
    "roboflow voc": lambda root: voc(root, "train", "train"),
    "hugging face": lambda root: jsonl(root / "train"),
    "hugging face, one part": jsonl,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same(tmp_path: Path, layout: str) -> None:
    LAYOUTS[layout](tmp_path)
    part = find_part(tmp_path, "train")
    assert part is not None
    dataset, _ = read_dataset(part)
    assert dataset.names == NAMES
    found = {sample.path.stem: sample for sample in dataset.samples}
    assert found.keys() == OBJECTS.keys()
    for name, objects in OBJECTS.items():
        assert found[name].labels.tolist() == [label for label, *_ in objects]
        boxes = [[x, y, x + w, y + h] for _, x, y, w, h in objects]
        np.testing.assert_allclose(found[name].boxes, np.array(boxes).reshape(-1, 4), atol=1e-3)


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_the_parts_are_found_under_their_names(tmp_path: Path, val: str) -> None:
    for name in ("train", val, "test"):
        photos(tmp_path / name)
        coco(tmp_path / name / "_annotations.coco.json")
    for name, folder in (("train", "train"), ("val", val), ("test", "test")):
        part = find_part(tmp_path, name)
        assert part is not None and part.images == tmp_path / folder
    assert part_names(tmp_path) == ["train", "val", "test"]


def test_the_test_part_is_no_val_part(tmp_path: Path) -> None:
    yolo(tmp_path / "yolo")
    (tmp_path / "yolo/data.yaml").write_text("train: images/train\ntest: x\nnames: [a]\n")
    photos(tmp_path / "coco/test")
    coco(tmp_path / "coco/test.json")
    for layout, names in (("yolo", ["train", "test"]), ("coco", ["test"])):
        assert find_part(tmp_path / layout, "val") is None
        assert part_names(tmp_path / layout) == names


def content(tmp_path: Path, **change: Any) -> tuple[Any, str]:
    photos(tmp_path / "train")
    coco(tmp_path / "train.json", **change)
    dataset, findings = read_dataset(Part(tmp_path / "train", tmp_path / "train.json"))
    return dataset, "; ".join(findings.lines())


def stored(tmp_path: Path) -> Any:
    coco(tmp_path / "stored.json")
    return json.loads((tmp_path / "stored.json").read_text())


def test_what_is_unambiguous_is_mended_and_said(tmp_path: Path) -> None:
    given = stored(tmp_path)
    for row in given["images"]:
        row["file_name"] = f"train\\{row['file_name']}"
    for row in given["annotations"]:
        row["category_id"] = str(row["category_id"])
        row["image_id"] = float(row["image_id"])
        row["iscrowd"] = "0"
    given["images"][0] |= {"width": "80", "height": 40.0}
    del given["annotations"][0]["bbox"]
    given["annotations"][0]["segmentation"] = [[8, 4, 24, 4, 24, 24, 8, 24]]
    photos(tmp_path / "train")
    coco(tmp_path / "train.json", **given)
    dataset, findings = read_dataset(Part(tmp_path, tmp_path / "train.json"))
    assert dataset.samples[0].boxes.tolist() == [[8, 4, 24, 24], [40, 10, 60, 30]]
    assert dataset.samples[0].size == (80, 40)
    measured = read_annotations(Part(tmp_path / "train", tmp_path / "train.json"))
    assert measured.photos[0].size == (80, 40)
    said = findings.lines()
    assert "6 ids written as text or as 1.0, read as numbers" in said
    assert "2 sides of photos written as text or as 1.0, read as numbers" in said
    assert "3 marks of crowds written as text or as 1.0, read as numbers" in said
    assert "3 slashes written backwards in file names, read as slashes" in said
    assert "1 box made of polygons" in said


@pytest.mark.parametrize("root", ["train", "images/train", "C:\\data\\set", "/home/me/set"])
def test_file_names_below_another_root_are_found(tmp_path: Path, root: str) -> None:
    given = stored(tmp_path)
    for row in given["images"]:
        row["file_name"] = f"{root}/{row['file_name']}"
    dataset, said = content(tmp_path, **given)
    assert [sample.path.name for sample in dataset.samples] == ["a.jpg", "b.jpg", "c.jpg"]
    assert "3 photos found in '" in said and "without the folders that the file names" in said
    found = read_annotations(Part(tmp_path / "train", tmp_path / "train.json"))
    assert found.find(tmp_path / "train") == [sample.path for sample in dataset.samples]


ROOTS = [
    "data/images/train/",
    "/home/me/set/images/train/",
    "images\\train\\",
    "C:\\set/images/train\\",
]


@pytest.mark.parametrize("root", ROOTS)
def test_lists_below_another_root_are_found(tmp_path: Path, root: str) -> None:
    listed(tmp_path / "yolo")
    voc(tmp_path / "voc", "JPEGImages", "Annotations", split=True)
    for file in ("yolo/train.txt", "voc/ImageSets/Main/train.txt"):
        (tmp_path / file).write_text("".join(f"{root}{name}.jpg\n" for name in OBJECTS))
    for layout in ("yolo", "voc"):
        part = find_part(tmp_path / layout, "train")
        assert part is not None
        assert [len(each.labels) for each in read_dataset(part)[0].samples] == [2, 1, 0]


def test_lists_do_not_take_two_names_for_one_photo(tmp_path: Path) -> None:
    listed(tmp_path)
    (tmp_path / "train.txt").write_text("images/train/a.jpg\n/old/images/train/a.jpg\n")
    part = find_part(tmp_path, "train")
    assert part is not None
    with pytest.raises(InputError, match=r"lists '/old/images/train/a\.jpg', which is not in"):
        read_dataset(part)


def test_names_in_voc_lists_may_have_blanks(tmp_path: Path) -> None:
    """After which a number may say whether the class of the list is on the photo."""
    voc(tmp_path, "JPEGImages", "Annotations", split=True)
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        for old, new in (("a", "my cat 1"), ("b", "a dog")):
            (tmp_path / folder / f"{old}.{suffix}").rename(tmp_path / folder / f"{new}.{suffix}")
    file = tmp_path / "ImageSets/Main/train.txt"
    file.write_text("my cat 1\na dog  1\nc -1\n")
    part = Part(tmp_path / "JPEGImages", file)
    assert [each.path.stem for each in read_dataset(part)[0].samples] == ["my cat 1", "a dog", "c"]
    file.write_text("his cat 1\n")
    with pytest.raises(InputError, match="lists 'his cat 1', which is not in"):
        read_dataset(part)


@pytest.mark.parametrize("length", [256, 5000])
def test_a_name_that_is_too_long_for_a_file_is_missing(tmp_path: Path, length: int) -> None:
    given = stored(tmp_path)
    given["images"][0]["file_name"] = name = "x" * length
    dataset, said = content(tmp_path, **given)
    assert len(dataset.samples) == 2 and f"1 photo missing, left out: {name}" in said
    listed(tmp_path / "yolo")
    (tmp_path / "yolo/train.txt").write_text(name)
    with pytest.raises(InputError, match=f"lists '{name}', which is not in"):
        read_dataset(Part(tmp_path / "yolo", tmp_path / "yolo/train.txt"))
    (tmp_path / "yolo/data.yaml").write_text(f"train: {name}\nnames: [a]\n")
    with pytest.raises(InputError, match=f"says '{name}' for 'train', which is not there"):
        find_part(tmp_path / "yolo", "train")


def test_names_that_would_be_one_photo_are_not_shortened(tmp_path: Path) -> None:
    given = stored(tmp_path)
    given["images"][0]["file_name"] = "monday/a.jpg"
    given["images"][2]["file_name"] = "tuesday/a.jpg"
    dataset, said = content(tmp_path, **given)
    assert [sample.path.name for sample in dataset.samples] == ["b.jpg"]
    assert "2 photos missing, left out: monday/a.jpg; tuesday/a.jpg" in said


def test_a_super_category_is_no_class(tmp_path: Path) -> None:
    given = stored(tmp_path)
    for row in given["annotations"]:
        row["category_id"] += 1
    given["categories"] = [
        {"id": 0, "name": "tableware", "supercategory": "none"},
        {"id": 1, "name": "cup", "supercategory": "tableware"},
        {"id": 2, "name": "plate", "supercategory": "tableware"},
    ]
    dataset, said = content(tmp_path, **given)
    assert dataset.names == NAMES and dataset.samples[0].labels.tolist() == [0, 1]
    assert "'tableware' is that of all others, no class" in said


def test_classes_of_nearly_the_same_name_are_said(tmp_path: Path) -> None:
    categories = [{"id": i, "name": name} for i, name in enumerate((" king", "ace", "King "))]
    dataset, said = content(tmp_path, categories=categories)
    note = "classes ' king' and 'King ' differ only in case or blanks, and are taken as classes"
    assert dataset.names == (" king", "ace", "King ") and note in said and said.count("differ") == 1
    assert any(note in each for each in read_annotations(tmp_path / "train.json").notes)


def test_a_class_without_a_box_is_said_and_stays(tmp_path: Path) -> None:
    categories = [{"id": i, "name": name} for i, name in enumerate((*NAMES, "fork"))]
    dataset, said = content(tmp_path, categories=categories)
    assert dataset.names == (*NAMES, "fork") and "1 class without a box: fork" in said


def as_corners(row: dict[str, Any]) -> None:
    x, y, w, h = row["bbox"]
    row["bbox"] = [x, y, x + w, y + h]


def as_shares(row: dict[str, Any]) -> None:
    x, y, w, h = row["bbox"]
    row["bbox"] = [x / 80, y / 40, w / 80, h / 40]


@pytest.mark.parametrize(
    ("change", "reason"),
    [(as_corners, "look like x1, y1, x2, y2, expected x, y, width, height"),
     (as_shares, "all 4 boxes in '.*' lie between 0 and 1, expected pixels")],
)  # fmt: skip
def test_boxes_meant_in_another_way_are_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    given = stored(tmp_path)
    boxes = [[40, 20, 30, 15], [50, 10, 25, 25], [45, 22, 30, 12], [60, 20, 15, 15]]
    given["annotations"] = [
        {"id": i, "image_id": 0, "category_id": 0, "bbox": box} for i, box in enumerate(boxes)
    ]
    content(tmp_path, **given)  # right as they are
    for row in given["annotations"]:
        change(row)
    with pytest.raises(InputError, match=reason):
        content(tmp_path, **given)


@pytest.mark.parametrize("width", [80.5, "80 px", 0, -80.0, float("inf"), 1e9, True, None, [80]])
def test_a_size_that_is_none_is_refused_alike(tmp_path: Path, width: object) -> None:
    given = stored(tmp_path)
    given["images"][1]["width"] = width
    reason = (
        r"height of image 'b\.jpg' is .*, 40\], expected two whole numbers from 1 to 999,999,999"
    )
    with pytest.raises(InputError, match=reason):
        content(tmp_path, **given)
    with pytest.raises(InputError, match=reason):
        read_annotations(tmp_path / "train.json")


def test_two_photos_of_one_id_are_named(tmp_path: Path) -> None:
    given = stored(tmp_path)
    given["images"][1]["id"] = 0
    with pytest.raises(InputError, match=r"image id 0 for 2 photos \(a\.jpg, b\.jpg\)"):
        content(tmp_path, **given)


def test_an_id_that_is_none_is_named(tmp_path: Path) -> None:
    given = stored(tmp_path)
    given["annotations"][0]["category_id"] = [1]
    with pytest.raises(InputError, match=r"category_id of annotations\[0\] is \[1\], expected int"):
        content(tmp_path, **given)


def test_boxes_of_other_layouts_are_named_by_where_they_stand(tmp_path: Path) -> None:
    """Not by a place in a COCO file that there is none of."""
    yolo(tmp_path / "yolo")
    labels = tmp_path / "yolo/labels/train/c.txt"
    labels.write_text("\n0 0.5 0.5 -0.1 0.1\n")
    voc(tmp_path / "voc", "train", "train")
    xml = tmp_path / "voc/train/a.xml"
    xml.write_text(xml.read_text().replace("<xmax>24<", "<xmax>1<"))
    jsonl(hf := tmp_path / "hf")
    rows = (hf / "metadata.jsonl").read_text().replace("[8, 4, 16, 20]", "[8, 4, -7, 20]")
    (hf / "metadata.jsonl").write_text(rows)
    for part, place in (
        (Part(tmp_path / "yolo/images/train", labels.parent), f"line 2 of '{labels}'"),
        (Part(xml.parent, xml.parent), f"'{xml}'"),
        (Part(hf, hf / "metadata.jsonl"), f"line 1 of '{hf / 'metadata.jsonl'}'"),
    ):
        said = read_dataset(part)[1].lines()[0]
        assert said.startswith(f"1 box without area, left out: {place} has bbox [")
        with pytest.raises(InputError, match=re.escape(f": bbox of {place} is [")):
            read_annotations(part)
    (hf / "metadata.jsonl").write_text(rows.replace("[8, 4, -7, 20]", "5"))
    with pytest.raises(InputError, match=r"bbox of line 1 of '.*' is 5, expected list"):
        read_dataset(part)


@pytest.mark.parametrize("label", ["-1", "[0]", "true", "1e400", "1000000000", "null"])
def test_labels_that_are_none_are_named(tmp_path: Path, label: str) -> None:
    jsonl(tmp_path)
    file = tmp_path / "metadata.jsonl"
    objects = f'{{"bbox": [[0, 0, 5, 5]], "category": [{label}]}}'
    file.write_text(f'{{"file_name": "a.jpg", "objects": {objects}}}\n')
    with pytest.raises(InputError, match=r"line 1 of .* is not an annotated photo"):
        read_dataset(Part(tmp_path, file))


def test_a_list_without_objects_is_refused(tmp_path: Path) -> None:
    jsonl(tmp_path)
    file = tmp_path / "metadata.jsonl"
    file.write_text('{"file_name": "a.jpg", "objects": {"bbox": [], "category": []}}\n')
    with pytest.raises(InputError, match="no objects in"):
        read_dataset(Part(tmp_path, file))


def test_labels_without_a_box_are_named(tmp_path: Path) -> None:
    """Not the list of a COCO file that there is none of."""
    yolo(tmp_path / "yolo")
    voc(tmp_path / "voc", "train", "train")
    for file in (*tmp_path.glob("yolo/labels/train/*.txt"), *tmp_path.glob("voc/train/*.xml")):
        file.write_text("<annotation/>" if file.suffix == ".xml" else "")
    for layout, labels, count in (("yolo", "labels/train", 2), ("voc", "train", 3)):
        part = find_part(tmp_path / layout, "train")
        assert part is not None
        folder = re.escape(str(tmp_path / layout / labels))
        files = (
            f"'{folder}' has no box in the {count} label files of the 3 photos in '.*', expected"
        )
        for read in (read_dataset, read_annotations):
            with pytest.raises(InputError, match=files):
                read(part)
    (tmp_path / "yolo/images/train/a.jpg").write_text("no photo")
    for file in tmp_path.glob("yolo/labels/train/*.txt"):
        file.unlink()
    with pytest.raises(
        InputError, match=r"no label file for the 3 photos in .*, 1 of which cannot"
    ):
        read_dataset(Part(tmp_path / "yolo/images/train", tmp_path / "yolo/labels/train"))


def test_broken_files_of_other_layouts_are_one_line(tmp_path: Path) -> None:
    voc(tmp_path / "voc", "train", "train")
    (tmp_path / "voc" / "train" / "a.xml").write_text("<annotation><object>")
    jsonl(tmp_path / "hf")
    (tmp_path / "hf" / "metadata.jsonl").write_text('{"file_name": "a.jpg"}')
    yolo(tmp_path / "yolo")
    (tmp_path / "yolo" / "data.yaml").write_text("train: nowhere\nnames: [a]\n")
    voc_part = Part(tmp_path / "voc" / "train", tmp_path / "voc" / "train")
    with pytest.raises(InputError, match="is not a Pascal VOC annotation"):
        read_dataset(voc_part)
    (tmp_path / "voc/train/a.xml").write_text('<?xml version="1.0" encoding="none"?><annotation/>')
    with pytest.raises(
        InputError, match=r"is not a Pascal VOC annotation \(unknown encoding: none"
    ):
        read_dataset(voc_part)
    with pytest.raises(InputError, match=r"line 1 of .* is not an annotated photo"):
        read_dataset(Part(tmp_path / "hf", tmp_path / "hf" / "metadata.jsonl"))
    with pytest.raises(InputError, match="says 'nowhere' for 'train', which is not there"):
        find_part(tmp_path / "yolo", "train")
    (tmp_path / "yolo" / "data.yaml").write_text("a: : b")
    with pytest.raises(InputError, match="is not YAML"):
        find_part(tmp_path / "yolo", "train")
