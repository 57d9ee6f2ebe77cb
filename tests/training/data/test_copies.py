"""A photo that a file has several entries for is one, to train on and to measure."""

import json
from pathlib import Path
from typing import Any

import pytest

from deimv2.evaluation.annotations import Annotations, read_annotations
from deimv2.model.errors import InputError
from deimv2.tests.training.data.sets import coco, jsonl, photos
from deimv2.training.data.dataset import read_dataset
from deimv2.training.data.layouts import Part

BOXES = [("a.jpg", 0, [8, 4, 16, 20]), ("a.jpg", 1, [40, 10, 20, 20]), ("b.jpg", 1, [0, 0, 80, 40])]


def entries(*names: str, own_ids: bool = True) -> list[dict[str, Any]]:
    """One for each name, of 80 x 40 pixels."""
    return [
        {"id": i if own_ids else ord(name[0]), "file_name": name, "width": 80, "height": 40}
        for i, name in enumerate(names)
    ]


def per_box(own_ids: bool = True) -> dict[str, Any]:
    """As converters write that make an entry of `images` for each box."""
    images = entries(*(name for name, *_ in BOXES), own_ids=own_ids)
    rows = [
        {"image_id": image["id"], "category_id": label, "bbox": box}
        for image, (_, label, box) in zip(images, BOXES, strict=True)
    ]
    return {"images": images, "annotations": rows}


def written(root: Path, content: dict[str, Any]) -> Part:
    photos(root)
    coco(root / "a.json", **content)
    return Part(root, root / "a.json")


def as_read(part: Part) -> tuple[dict[str, list[tuple[int, list[float]]]], list[str]]:
    """Label and x, y, width, height by photo, to train on; what was found."""
    dataset, findings = read_dataset(part)
    objects = {}
    for sample in dataset.samples:
        boxes = [[x, y, z - x, t - y] for x, y, z, t in sample.boxes.tolist()]
        assert sample.path.name not in objects
        objects[sample.path.name] = list(zip(sample.labels.tolist(), boxes, strict=True))
    return objects, findings.lines()


def as_measured(annotated: Annotations) -> dict[str, list[tuple[int, list[float]]]]:
    names = [photo.name for photo in annotated.photos]
    objects: dict[str, list[tuple[int, list[float]]]] = {name: [] for name in names}
    assert len(objects) == len(names)
    for place, label, box in zip(annotated.photo, annotated.label, annotated.boxes, strict=True):
        objects[names[place]].append((int(label), box.tolist()))
    return objects


MERGED = {"a.jpg": [(0, [8, 4, 16, 20]), (1, [40, 10, 20, 20])], "b.jpg": [(1, [0, 0, 80, 40])]}
NOTE = "2 entries of 1 photo, merged: each photo is one, with the boxes of all its entries"


@pytest.mark.parametrize("own_ids", [True, False])
def test_an_entry_for_each_box_is_one_photo(tmp_path: Path, own_ids: bool) -> None:
    part = written(tmp_path, per_box(own_ids))
    assert as_read(part) == (MERGED, [NOTE])
    annotated = read_annotations(part)
    assert as_measured(annotated) == MERGED and annotated.notes == (NOTE,)


@pytest.mark.parametrize("name", ["./a.jpg", ".\\a.jpg"])
def test_a_name_in_another_form_is_that_photo_too(tmp_path: Path, name: str) -> None:
    content = per_box()
    content["images"][1]["file_name"] = name
    assert as_read(written(tmp_path, content))[0] == MERGED


def test_names_below_another_root_are_merged_and_found(tmp_path: Path) -> None:
    content = per_box()
    for row in content["images"]:
        row["file_name"] = f"/home/me/{row['file_name']}"
    assert as_read(written(tmp_path, content))[0] == MERGED


def test_a_file_that_was_merged_with_itself_has_each_box_once(tmp_path: Path) -> None:
    """Its entries are numbered on, as tools do; a box that one entry has twice stays."""
    content = per_box()
    twice = entries(*(name for name, *_ in BOXES * 2))
    rows = [*content["annotations"]]
    rows += [{**row, "image_id": row["image_id"] + 3} for row in rows]
    rows.append(rows[2])
    both = {"images": twice, "annotations": rows}
    last = MERGED["b.jpg"] * 2
    assert as_read(written(tmp_path, both))[0] == MERGED | {"b.jpg": last}


def test_a_box_that_is_none_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    content = per_box()
    content["images"] += [{**row, "id": row["id"] + 3} for row in content["images"]]
    copy = {**content["annotations"][0], "image_id": 3}
    content["annotations"] += [copy, {**copy, "bbox": [1, 2, 3]}]
    with pytest.raises(InputError, match=r"bbox of annotations\[4\] is \[1, 2, 3\]"):
        read_annotations(written(tmp_path, content))


def test_a_size_may_be_said_by_one_entry(tmp_path: Path) -> None:
    content = per_box()
    del content["images"][0]["width"], content["images"][0]["height"]
    assert read_annotations(written(tmp_path, content)).photos[0].size == (80, 40)


@pytest.mark.parametrize("own_ids", [True, False])
def test_entries_of_several_sizes_are_refused(tmp_path: Path, own_ids: bool) -> None:
    content = per_box(own_ids)
    content["images"][1]["width"] = 60
    part = written(tmp_path, content)
    for read in (read_dataset, read_annotations):
        with pytest.raises(InputError, match=r"2 entries for 'a\.jpg', of 80 x 40 and 60 x 40 pix"):
            read(part)


def test_lines_of_one_photo_are_merged(tmp_path: Path) -> None:
    jsonl(tmp_path)
    file = tmp_path / "metadata.jsonl"
    rows = [
        {"file_name": name, "objects": {"bbox": [box], "category": [label]}}
        for name, label, box in BOXES
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    part = Part(tmp_path, file)
    assert as_read(part) == (MERGED, [NOTE])
    assert as_measured(read_annotations(part)) == MERGED
