"""Data sets as tools write them are read alike: the same photos, boxes and classes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deimv2.evaluation.annotations import read_annotations
from deimv2.model.errors import InputError
from deimv2.training.data.dataset import read_dataset
from deimv2.training.data.layouts import Part, find_part

SIZE = (80, 40)  # width, height
NAMES = ("cup", "plate")
# By photo: label, x, y, width, height in pixels.
OBJECTS = {"a": [(0, 8, 4, 16, 20), (1, 40, 10, 20, 20)], "b": [(1, 0, 0, 80, 40)], "c": []}


def photo(path: Path, orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", SIZE, (90, 120, 30))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


def coco(file: Path, **change: Any) -> None:
    images = [{"id": i, "file_name": f"{n}.jpg", "width": 80, "height": 40}
              for i, n in enumerate(OBJECTS)]  # fmt: skip
    rows = [
        {"id": 10 * i + k, "image_id": i, "category_id": label, "bbox": box}
        for i, objects in enumerate(OBJECTS.values())
        for k, (label, *box) in enumerate(objects)
    ]
    content = {
        "images": images,
        "annotations": rows,
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content | change))


def photos(folder: Path) -> None:
    for name in OBJECTS:
        photo(folder / f"{name}.jpg")


def yolo_lines(name: str) -> str:
    lines = [
        f"{label} {(x + w / 2) / 80} {(y + h / 2) / 40} {w / 80} {h / 40}"
        for label, x, y, w, h in OBJECTS[name]
    ]
    return "\n".join(lines)


def yolo_labels(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, objects in OBJECTS.items():
        if objects:  # a photo without any has no file
            (folder / f"{name}.txt").write_text(yolo_lines(name))


def yolo(root: Path, images: str = "images/train", entry: str = "images/train") -> None:
    photos(root / images)
    yolo_labels(root / images.replace("images", "labels"))
    (root / "data.yaml").write_text(f"train: {entry}\nval: {entry}\nnames: [cup, plate]\n")


def voc_file(path: Path, name: str) -> None:
    objects = "".join(
        f"<object><name>{NAMES[label]}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
        f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
        for label, x, y, w, h in OBJECTS[name]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation><filename>{name}.jpg</filename>{objects}</annotation>")


def voc(root: Path, images: str, annotations: str, split: bool = False) -> None:
    photos(root / images)
    for name in OBJECTS:
        voc_file(root / annotations / f"{name}.xml", name)
    if split:
        (root / "ImageSets" / "Main").mkdir(parents=True)
        (root / "ImageSets" / "Main" / "train.txt").write_text("a\nb 1\nc\n")


def jsonl(root: Path) -> None:
    photos(root)
    rows = [
        {"file_name": f"{n}.jpg", "objects": {"bbox": [box for _, *box in objects],
         "categories": [NAMES[label] for label, *_ in objects]}}
        for n, objects in OBJECTS.items()
    ]  # fmt: skip
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))


def coco_at(images: str, file: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        photos(root / images)
        coco(root / file)

    return make


def listed(root: Path) -> None:
    yolo(root)
    (root / "data.yaml").write_text("train: train.txt\nnames: {0: cup, 1: plate}\n")
    (root / "train.txt").write_text("".join(f"./images/train/{n}.jpg\n" for n in OBJECTS))


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "roboflow coco": coco_at("train", "train/_annotations.coco.json"),
    "images inside": coco_at("train/images", "train/annotations.json"),
    "coco's own": coco_at("train2017", "annotations/instances_train2017.json"),
    "file beside the folder": coco_at("train", "train.json"),
    "file in annotations": coco_at("train", "annotations/train.json"),
    "images/train": coco_at("images/train", "annotations/instances_train.json"),
    "one part, label studio": coco_at("images", "result.json"),
    "one part, flat": coco_at(".", "labels.json"),
    "yolo": yolo,
    "roboflow yolo": lambda root: yolo(root, "train/images", "../train/images"),
    "yolo, entry is the folder above": lambda root: yolo(root, "train/images", "train"),
    "yolo, listed": listed,
    "voc": lambda root: voc(root, "JPEGImages", "Annotations", split=True),
    "voc, one part": lambda root: voc(root, "JPEGImages", "Annotations"),
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


def test_the_val_part_is_found_under_its_names(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        photos(tmp_path / name)
        coco(tmp_path / name / "_annotations.coco.json")
    part = find_part(tmp_path, "val")
    assert part is not None and part.images == tmp_path / "valid"


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
    del given["annotations"][0]["bbox"]
    given["annotations"][0]["segmentation"] = [[8, 4, 24, 4, 24, 24, 8, 24]]
    photos(tmp_path / "train")
    coco(tmp_path / "train.json", **given)
    dataset, findings = read_dataset(Part(tmp_path, tmp_path / "train.json"))
    assert dataset.samples[0].boxes.tolist() == [[8, 4, 24, 24], [40, 10, 60, 30]]
    said = findings.lines()
    assert "6 ids written as text or as 1.0, read as numbers" in said
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


def test_two_photos_of_one_id_are_named(tmp_path: Path) -> None:
    given = stored(tmp_path)
    given["images"][1]["id"] = 0
    with pytest.raises(InputError, match=r"image id 0 for 2 photos \(a\.jpg, b\.jpg\)"):
        content(tmp_path, **given)


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


def test_labels_that_are_no_text_are_named(tmp_path: Path) -> None:
    yolo(tmp_path)
    for file in (tmp_path / "labels/train").glob("*.txt"):
        file.write_bytes(b"0 0.5 0.5 0.1 0.1 \xff")
    with pytest.raises(InputError, match="is not text in UTF-8"):
        read_dataset(Part(tmp_path / "images/train", tmp_path / "labels/train"))


def test_broken_files_of_other_layouts_are_one_line(tmp_path: Path) -> None:
    voc(tmp_path / "voc", "train", "train")
    (tmp_path / "voc" / "train" / "a.xml").write_text("<annotation><object>")
    jsonl(tmp_path / "hf")
    (tmp_path / "hf" / "metadata.jsonl").write_text('{"file_name": "a.jpg"}')
    yolo(tmp_path / "yolo")
    (tmp_path / "yolo" / "data.yaml").write_text("train: nowhere\nnames: [a]\n")
    with pytest.raises(InputError, match="is not a Pascal VOC annotation"):
        read_dataset(Part(tmp_path / "voc" / "train", tmp_path / "voc" / "train"))
    with pytest.raises(InputError, match=r"line 1 of .* is not an annotated photo"):
        read_dataset(Part(tmp_path / "hf", tmp_path / "hf" / "metadata.jsonl"))
    with pytest.raises(InputError, match="says 'nowhere' for 'train', which is not there"):
        find_part(tmp_path / "yolo", "train")
    (tmp_path / "yolo" / "data.yaml").write_text("train: [a, b]\nnames: [a]\n")
    with pytest.raises(InputError, match="gives 2 folders for 'train', expected one"):
        find_part(tmp_path / "yolo", "train")
    (tmp_path / "yolo" / "data.yaml").write_text("a: : b")
    with pytest.raises(InputError, match="is not YAML"):
        find_part(tmp_path / "yolo", "train")
