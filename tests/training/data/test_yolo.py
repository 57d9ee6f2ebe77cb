"""YOLO data sets: what their files may say, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from deimv2.evaluation.annotations import read_annotations
from deimv2.model.errors import InputError
from deimv2.tests.training.data.sets import photo, yolo
from deimv2.training.data.dataset import read_dataset
from deimv2.training.data.layouts import Part, find_part, part_names, whole


def test_polygons_and_rotated_boxes_of_yolo_give_their_box(tmp_path: Path) -> None:
    yolo(tmp_path)
    file = tmp_path / "labels" / "train" / "c.txt"
    file.write_text("0 0.1 0.5 0.2 0.1 0.3 0.5 0.2 0.9\n")
    dataset, _ = read_dataset(Part(tmp_path / "images" / "train", file.parent))
    (found,) = [sample for sample in dataset.samples if sample.path.stem == "c"]
    np.testing.assert_allclose(found.boxes, [[8, 4, 24, 36]], atol=1e-3)


def photos_with_objects(part: Part) -> list[tuple[str, int]]:
    dataset, _ = read_dataset(part)
    return sorted((sample.path.stem, len(sample.labels)) for sample in dataset.samples)


def test_a_list_of_folders_and_lists_is_one_part(tmp_path: Path) -> None:
    """Photos of the same name each have their own labels, wherever their folder lies; one that is
    named twice is one."""
    yolo(tmp_path / "set", "first/images")
    yolo(tmp_path / "set", "images/second")
    (tmp_path / "set/labels/second/a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    yolo(tmp_path / "other")
    (tmp_path / "set/some.txt").write_text("./images/second/b.jpg\n")
    entries = f"[first/images, images/second, some.txt, {tmp_path / 'other/images/train'}]"
    (tmp_path / "set/data.yaml").write_text(
        f"train: {entries}\nval: {entries}\nnames: [cup, plate]\nkpt_shape: [2, 2]\n"
    )
    (tmp_path / "other/data.yaml").write_text("names: [another]\n")
    (tmp_path / "other/labels/train/b.txt").write_text("1 0.5 0.5 0.1 0.1 0 0 0.1 0.1\n")
    part, val = (find_part(tmp_path / "set", name) for name in ("train", "val"))
    assert part is not None and val is not None
    assert photos_with_objects(part) == [
        ("a", 1), ("a", 2), ("a", 2), ("b", 1), ("b", 1), ("b", 1),
        ("c", 0), ("c", 0), ("c", 0),
    ]  # fmt: skip
    annotated = read_annotations(val)
    assert len(annotated.boxes) == 8 and len(set(annotated.find(val.images))) == 9
    assert annotated.notes[0].startswith("2 entries of 1 photo, merged")


def test_a_list_of_one_is_that_one(tmp_path: Path) -> None:
    yolo(tmp_path, entry="[images/train]")
    assert find_part(tmp_path, "train") == Part(
        tmp_path / "images/train",
        tmp_path / "labels/train",
        description=tmp_path / "data.yaml",
    )


@pytest.mark.parametrize("entry", ["images/train", "[images/train]", "[images/train, more/images]"])
def test_a_list_of_classes_beside_labels_does_not_change_what_they_mean(
    tmp_path: Path, entry: str
) -> None:
    """LabelImg writes one into each folder of labels; `data.yaml` says what all numbers mean."""
    yolo(tmp_path, "more/images")
    yolo(tmp_path, entry=entry)
    (tmp_path / "labels/train/classes.txt").write_text("plate\ncup\n")
    (tmp_path / "labels/train/c.txt").write_text(f"{BOX} 0.2 0.3 1 0.28 0.7 1")
    with (tmp_path / "data.yaml").open("a") as file:
        file.write("kpt_shape: [2, 3]\n")
    part, val = find_part(tmp_path, "train"), find_part(tmp_path, "val")
    assert part is not None and val is not None
    dataset, _ = read_dataset(part)
    assert dataset.names == read_annotations(val).names == ("cup", "plate")
    (found,) = [each for each in dataset.samples if each.path == tmp_path / "images/train/c.jpg"]
    np.testing.assert_allclose(found.boxes, [[16, 10, 24, 30]], atol=1e-3)


@pytest.mark.parametrize("named", [True, False])
def test_labels_given_by_themselves_have_the_description_that_names_them(
    tmp_path: Path, named: bool
) -> None:
    """One that names other labels does not tell them what their own list says."""
    yolo(tmp_path / "set")
    yolo(tmp_path / "set", "test/images", "[images/train, gone]")
    if named:
        with (tmp_path / "set/data.yaml").open("a") as file:
            file.write("test: ../test/images\n")
    (tmp_path / "set/test/labels/classes.txt").write_text("plate\ncup\n")
    part = whole(tmp_path / "set/test")
    assert part == Part(tmp_path / "set/test/images", tmp_path / "set/test/labels")
    dataset, _ = read_dataset(part)
    assert dataset.names == (("cup", "plate") if named else ("plate", "cup"))


@pytest.mark.parametrize("entry", ["a/b/c/images/train", "[a/b/c/images/train]"])
def test_labels_may_lie_any_number_of_folders_below_their_description(
    tmp_path: Path, entry: str
) -> None:
    yolo(tmp_path, "a/b/c/images/train", entry)
    part = find_part(tmp_path, "train")
    assert part is not None
    assert photos_with_objects(part) == [("a", 2), ("b", 1), ("c", 0)]


@pytest.mark.parametrize("root", ["../other", "ROOT/other"])
@pytest.mark.parametrize("own", [False, True])
def test_a_folder_elsewhere_has_the_classes_of_the_file_that_names_it(
    tmp_path: Path, own: bool, root: str
) -> None:
    """As `path` of Ultralytics' own files does; the folder may have a file of its own."""
    yolo(tmp_path / "other")
    if not own:
        (tmp_path / "other/data.yaml").unlink()
    (tmp_path / "set").mkdir()
    root = root.replace("ROOT", str(tmp_path))
    (tmp_path / "set/data.yaml").write_text(
        f"path: {root}\ntrain: images/train\nnames: [saucer, plate]\n"
    )
    part = find_part(tmp_path / "set", "train")
    assert part is not None and read_dataset(part)[0].names == ("saucer", "plate")
    assert photos_with_objects(part) == [("a", 2), ("b", 1), ("c", 0)]


def test_the_description_itself_stands_for_its_folder(tmp_path: Path) -> None:
    """That very file, under any name; the one beside it does not count."""
    yolo(tmp_path)
    file = tmp_path / "coco8.YAML"
    file.write_text("train: images/train\ntest: images/train\nnames: [saucer, plate]\n")
    part = find_part(file, "train")
    assert part is not None and read_dataset(part)[0].names == ("saucer", "plate")
    assert find_part(file, "val") is None and part_names(file) == ["train", "test"]
    with pytest.raises(InputError, match=r"no folder at '.*none\.yaml', .*, or its data\.yaml;"):
        find_part(tmp_path / "none.yaml", "train")


@pytest.mark.parametrize(
    "entry",
    ["images\\train", "..\\images\\train", "/home/me/set/images/train", "C:\\set\\images/train"],
)
def test_entries_of_another_machine_are_found(tmp_path: Path, entry: str) -> None:
    yolo(tmp_path, entry=entry)
    part = find_part(tmp_path, "train")
    assert part is not None and len(photos_with_objects(part)) == 3


def test_an_entry_is_not_shortened_to_another_part(tmp_path: Path) -> None:
    """The end of it alone would be the folder of the photos to train on."""
    yolo(tmp_path, "images", "images")
    (tmp_path / "data.yaml").write_text(
        "train: images\nval: ../valid/images\nnames: [cup, plate]\n"
    )
    with pytest.raises(InputError, match=r"says '\.\./valid/images' for 'val', which is not there"):
        find_part(tmp_path, "val")


def test_a_list_that_names_what_is_not_there_is_refused(tmp_path: Path) -> None:
    yolo(tmp_path, entry="[images/train, images/more]")
    with pytest.raises(InputError, match="says 'images/more' for 'train', which is not there"):
        find_part(tmp_path, "train")


@pytest.mark.parametrize("entry", ["images/val", "[images/val]", "[images/val, images/more]"])
def test_photos_without_a_folder_of_labels_are_refused(tmp_path: Path, entry: str) -> None:
    yolo(tmp_path)
    for name in ("val", "more"):
        photo(tmp_path / "images" / name / "a.jpg")
    (tmp_path / "data.yaml").write_text(f"train: images/train\nval: {entry}\nnames: [a, b]\n")
    with pytest.raises(InputError, match=r"no folder at '.*labels/val', .*/images/val', a \.txt f"):
        find_part(tmp_path, "val")
    assert find_part(tmp_path, "train") is not None


def test_a_folder_of_a_list_may_be_without_labels(tmp_path: Path) -> None:
    """Photos of nothing, which others stand beside."""
    yolo(tmp_path, entry="[images/train, images/nothing]")
    photo(tmp_path / "images/nothing/d.jpg")
    part = find_part(tmp_path, "train")
    assert part is not None
    assert photos_with_objects(part) == [("a", 2), ("b", 1), ("c", 0), ("d", 0)]


def test_a_list_is_found_from_the_folder_that_it_is_named_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yolo(tmp_path / "set", entry="[images/train, ../more/images/train]")
    yolo(tmp_path / "more")
    monkeypatch.chdir(tmp_path)
    part = find_part(Path("set"), "train")
    assert part is not None and len(photos_with_objects(part)) == 6


def with_line(root: Path, line: str, yaml: str = "") -> list[list[float]]:
    """The boxes of a photo with this line, in pixels."""
    yolo(root)
    (root / "labels/train/c.txt").write_text(line)
    with (root / "data.yaml").open("a") as file:
        file.write(yaml)
    dataset, _ = read_dataset(Part(root / "images/train", root / "labels/train"))
    (found,) = [sample for sample in dataset.samples if sample.path.stem == "c"]
    return found.boxes.round(2).tolist()


BOX = "0 0.25 0.5 0.1 0.5"  # 16, 10 to 24, 30 in pixels


@pytest.mark.parametrize(
    ("points", "yaml"),
    [
        ("0.2 0.3 2 0.28 0.7 0", "kpt_shape: [2, 3]"),
        ("0.2 0.3 0.28 0.7 0.1 0.1 3 0", "kpt_shape: [4, 2]"),
        ("0.2 0.3 0.28 0.7", "kpt_shape: [2, 2]"),
        ("", "kpt_shape: [2, 2]"),
    ],
)
def test_key_points_do_not_change_their_box(tmp_path: Path, points: str, yaml: str) -> None:
    assert with_line(tmp_path, f"{BOX} {points}", yaml) == [[16, 10, 24, 30]]


@pytest.mark.parametrize(
    ("points", "yaml", "reason"),
    [
        ("0.2 0.3 2 0.3 0.7 1", "", r"line 1 of '.*c\.txt' has key points .*: \[2, 3\]' in a data"),
        ("0.2 0.3 2", "", r"key points after its box, expected 'kpt_shape: \[1, 3\]'"),
        ("0.2 0.3 0.3 0.7", "kpt_shape: [3, 2]", "8 numbers after its class, .* 10 with the key"),
        ("0.2 0.3 2", "kpt_shape: 3", r"'kpt_shape' in '.*' is 3, expected \[number of key points"),
        ("0.2 0.3 2", "kpt_shape: [3, 4]", r"is \[3, 4\], expected"),
        ("0.2 0.3 2", "kpt_shape: [1, true]", r"is \[1, True\], expected"),
    ],
)
def test_key_points_that_are_not_those_of_the_description_are_named(
    tmp_path: Path, points: str, yaml: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        with_line(tmp_path, f"{BOX} {points}", yaml)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_yolo_shares_are_of_the_upright_photo(tmp_path: Path, suffix: str) -> None:
    yolo(tmp_path)
    (tmp_path / "images/train/b.jpg").unlink()
    photo(tmp_path / f"images/train/b.{suffix}", orientation=6)
    dataset, _ = read_dataset(Part(tmp_path / "images/train", tmp_path / "labels/train"))
    (found,) = [sample for sample in dataset.samples if sample.path.stem == "b"]
    assert found.size == (40, 80) and found.boxes.tolist() == [[0, 0, 40, 80]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("2 0.5 0.5 0.1 0.1", "a class from 0 to 1"), ("0 0.5 0.5", "a class from 0 to 1"),
     ("0.7 0.5 0.5 0.1 0.1", "is '0.7 0.5 .*a class from 0 to 1"),
     ("cup 0.5 0.5 0.1 0.1", "a class from 0 to 1"),
     ("0 0.5 0.5 0.1 0.1 0.9", "5 numbers .*: one is too many; if it is a confidence, .*; drop it"),
     ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.9", "7 numbers after its class, .*: one is too many"),
     ("0 40 20 10 10", "not pixels")],
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


@pytest.mark.parametrize("name", ["data.yaml", "classes.txt"])
@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["ace", "ace"], "names 2 classes 'ace', expected names of their own; rename them$"),
        (["ace", " "], "names class 1 ' ', expected one line of text; name it$"),
    ],
)
def test_names_that_are_not_their_own_are_those_of_the_file_that_lists_them(
    tmp_path: Path, name: str, names: list[str], reason: str
) -> None:
    yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    text = "\n".join([*names, "king"]) if name == "classes.txt" else f"names: {[*names, 'king']}\n"
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f"'{tmp_path / name}' {reason}"):
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
