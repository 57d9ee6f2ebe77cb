"""Which photos of a data set are to train on, and which to measure AP on: never the same."""

from pathlib import Path

import pytest

from deimv2.api.data import part_named
from deimv2.model.errors import InputError
from deimv2.model.progress import SILENT
from deimv2.tests.training.data.sets import classes_beside, coco, coco_at, photos, voc
from deimv2.training.data.dataset import read_dataset
from deimv2.training.data.layouts import Part, find_part, part_names


def with_files(root: Path, *names: str) -> None:
    photos(root / "images")
    for name in names:
        coco(root / "annotations" / f"{name}.json")


def found(root: Path) -> dict[str, str | None]:
    parts = {name: find_part(root, name) for name in ("train", "val", "test")}
    return {name: part and part.annotations.stem for name, part in parts.items()}


def test_trainval_is_to_train_on_alone(tmp_path: Path) -> None:
    with_files(tmp_path, "instances_trainval", "instances_test")
    assert found(tmp_path) == {
        "train": "instances_trainval",
        "val": None,
        "test": "instances_test",
    }
    assert part_names(tmp_path) == ["train", "test"]
    with_files(tmp_path, "instances_train")
    assert found(tmp_path)["train"] == "instances_train"


def test_trainval_is_not_to_train_on_beside_the_val_that_it_holds(tmp_path: Path) -> None:
    with_files(tmp_path / "coco", "instances_trainval2017", "instances_val2017")
    voc_lists(tmp_path / "voc", trainval="a\nb\n", val="b\n")
    for layout in ("coco", "voc"):
        with pytest.raises(InputError, match="has 'trainval', which holds its 'val', and no 'tra"):
            find_part(tmp_path / layout, "train")
        part = part_named(tmp_path / layout, None, SILENT)
        assert part == find_part(tmp_path / layout, "val") and part is not None


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("instances_train2017", "train"), ("instances_Train", "train"), ("training-set", "train"),
        ("instances_train_val", "train"), ("coco.trainval", "train"),
        ("instances_val2017", "val"), ("my_validation", "val"), ("instances_minival2014", "val"),
        ("instances_minitrain2017", "train"), ("traindata", "train"), ("valAnnotations", "val"),
        ("evaluation", "val"), ("instances_test-dev2017", "test"), ("interval", None),
        ("latest", None), ("valves", None), ("testtubes_annotations", None),
    ],
)  # fmt: skip
def test_a_part_is_a_word_of_a_file_name(tmp_path: Path, name: str, part: str | None) -> None:
    with_files(tmp_path, name)
    assert part_names(tmp_path) == ([] if part is None else [part])


def test_words_within_others_count_where_they_tell_files_apart(tmp_path: Path) -> None:
    with_files(tmp_path / "coco", "cocotrain", "cocoval")
    assert found(tmp_path / "coco") == {"train": "cocotrain", "val": "cocoval", "test": None}
    with_files(tmp_path / "other", "screws", "valves")
    assert part_names(tmp_path / "other") == []


@pytest.mark.parametrize("name", ["valves", "validated", "testtubes_annotations", "trains"])
def test_a_file_whose_name_only_begins_like_a_word_is_of_no_part(tmp_path: Path, name: str) -> None:
    coco_at("images", f"{name}.json")(tmp_path)
    part = Part(tmp_path / "images", tmp_path / f"{name}.json")
    assert part_names(tmp_path) == [] and find_part(tmp_path, "train") == part
    assert part_named(tmp_path, None, SILENT) == part


def test_a_folder_of_logs_is_no_part(tmp_path: Path) -> None:
    with_files(tmp_path)
    for name in ("train", "val"):
        coco(tmp_path / f"{name}.json")
    for name in ("Training logs", "training_logs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.txt").write_text("epoch 0\n")
    assert find_part(tmp_path, "train") == Part(tmp_path / "images", tmp_path / "train.json")


def test_remarks_are_no_list_of_photos(tmp_path: Path) -> None:
    classes_beside("images", "labels")(tmp_path)
    for name in ("test", "val"):
        (tmp_path / f"{name}.txt").write_text("\nNot yet tested.\nb.jpg\n")
    assert part_names(tmp_path) == []
    assert find_part(tmp_path, "train") == Part(tmp_path / "images", tmp_path / "labels")
    for row in ("b", "C:\\set\\images\\b.JPG", ""):
        (tmp_path / "val.txt").write_text(f"\n{row}\n")
        assert part_names(tmp_path) == ["val"]


def test_an_empty_list_of_photos_is_told(tmp_path: Path) -> None:
    classes_beside("images", "labels", train="{}.jpg")(tmp_path / "yolo")
    voc_lists(tmp_path / "voc", train="a\n")
    for layout, file in (("yolo", "val.txt"), ("voc", "ImageSets/Main/val.txt")):
        (tmp_path / layout / file).write_text("\n")
        part = find_part(tmp_path / layout, "val")
        assert part is not None
        with pytest.raises(InputError, match=rf"{file}' lists no photo, expected one a line; corr"):
            read_dataset(part)


def test_lines_that_a_list_repeats_are_merged_below_another_root_too(tmp_path: Path) -> None:
    classes_beside("images", "labels", train="/old/images/{}.jpg")(tmp_path)
    file = tmp_path / "train.txt"
    file.write_text(file.read_text() * 2)
    part = find_part(tmp_path, "train")
    assert part is not None
    dataset, findings = read_dataset(part)
    assert [len(sample.labels) for sample in dataset.samples] == [2, 1, 0]
    assert any("6 entries of 3 photos, merged" in line for line in findings.lines())


def test_folders_that_only_begin_with_a_word_are_parts(tmp_path: Path) -> None:
    for name in ("trainA", "valset", "trainval"):
        coco_at(name, f"{name}/labels.json")(tmp_path)
    parts = [find_part(tmp_path, name) for name in ("train", "val")]
    assert [part and part.images.name for part in parts] == ["trainA", "valset"]


def test_several_files_for_one_part_are_named(tmp_path: Path) -> None:
    with_files(tmp_path, "my_train", "train_2")
    with pytest.raises(
        InputError, match=r"several files for 'train' \(.*my_train.*train_2\.json\)"
    ):
        find_part(tmp_path, "train")
    with_files(tmp_path, "captions_val2017", "instances_val2017")
    assert find_part(tmp_path, "val") == Part(
        tmp_path / "images", tmp_path / "annotations/instances_val2017.json"
    )


def voc_lists(root: Path, **lists: str) -> None:
    voc(root, "JPEGImages", "Annotations")
    (root / "ImageSets/Main").mkdir(parents=True)
    for name, rows in lists.items():
        (root / f"ImageSets/Main/{name}.txt").write_text(rows)


def test_voc_trains_on_trainval_where_there_is_no_train(tmp_path: Path) -> None:
    voc_lists(tmp_path, trainval="a\nc\n", test="b\n", plate_train="b 1\n")
    assert found(tmp_path) == {"train": "trainval", "val": None, "test": "test"}
    (tmp_path / "ImageSets/Main/Train.txt").write_text("a\n")
    assert found(tmp_path)["train"] == "Train"


@pytest.mark.parametrize("name", ["val", "test"])
def test_no_photos_of_another_part_are_trained_on(tmp_path: Path, name: str) -> None:
    voc_lists(tmp_path / "voc", **{name: "b\n"})
    classes_beside("images", "labels")(tmp_path / "yolo")
    (tmp_path / f"yolo/{name}.txt").write_text("images/b.jpg\n")
    coco_at(".", f"{name}.json")(tmp_path / "coco")
    for layout, file in (("voc", f"{name}.txt"), ("yolo", f"{name}.txt"), ("coco", f"{name}.json")):
        with pytest.raises(InputError, match=rf"to measure on \(.*{file}\) and none for 'train'"):
            find_part(tmp_path / layout, "train")
        part = find_part(tmp_path / layout, name)
        assert part is not None and read_dataset(part)[0].samples


def test_photos_beside_a_part_are_to_train_on(tmp_path: Path) -> None:
    coco_at("images", "labels.json")(tmp_path)
    coco_at("val", "val/labels.json")(tmp_path)
    assert find_part(tmp_path, "train") == Part(tmp_path / "images", tmp_path / "labels.json")


def test_ap_is_not_measured_unasked_on_what_is_to_train_on(tmp_path: Path) -> None:
    voc_lists(tmp_path / "voc", train="a\n")
    with_files(tmp_path / "coco", "instances_train")
    for layout in ("voc", "coco"):
        with pytest.raises(InputError, match="has no part 'val', expected one; it has train: name"):
            part_named(tmp_path / layout, None, SILENT)
        assert part_named(tmp_path / layout, "train", SILENT) == find_part(
            tmp_path / layout, "train"
        )
