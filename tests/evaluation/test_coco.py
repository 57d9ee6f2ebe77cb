"""COCO's numbers: checked against a hand-written AP, and on every odd annotation file."""

import json
import random
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deimv2.evaluation import coco
from deimv2.evaluation.annotations import Annotations, Photo, match_classes, read_annotations
from deimv2.evaluation.coco import KEPT, METRICS, Found, Scores, collect, evaluate, load_annotated
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError, MissingExtraError
from deimv2.tests.annotated import CATEGORIES, Box, Replay, content, sizes, write_set

CAT, DOG, KITE = CATEGORIES
SPREAD = [
    Box(0, CAT, (0.1, 0.1, 0.2, 0.3)),
    Box(0, KITE, (0.5, 0.5, 0.4, 0.4)),
    Box(1, CAT, (0.2, 0.3, 0.5, 0.6)),
    Box(3, DOG, (0.0, 0.0, 1.0, 1.0)),
]  # nothing on photos 2 and 4


def scores_of(folder: Path, truth: Sequence[Box], found: Sequence[Box]) -> Scores:
    annotations = read_annotations(write_set(folder, truth))
    classes = match_classes(annotations, None, len(CATEGORIES))
    paths = annotations.find(folder / "images")
    return evaluate(annotations, collect(Replay(found), annotations, paths, classes))


def scattered(seed: int, count: int) -> list[Box]:
    rng = random.Random(seed)
    return [
        Box(
            rng.randrange(len(sizes())),
            rng.choice(list(CATEGORIES)),
            (rng.random() / 2, rng.random() / 2, rng.random() / 2, rng.random() / 2),
            score=rng.random(),
        )
        for _ in range(count)
    ]


def shifted(boxes: Sequence[Box], seed: int) -> list[Box]:
    rng = random.Random(seed)
    found = []
    for each in boxes:
        x, y, w, h = each.box
        moved = (x + rng.uniform(-0.3, 0.3) * w, y + rng.uniform(-0.3, 0.3) * h, w, h)
        found.append(replace(each, box=moved, score=rng.random()))
    return found


# An AP written down from its definition, with none of the code under test.


def overlap(a: Box, b: Box) -> float:
    """Intersection over union. It is the same in 0..1 as in pixels."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a.box, b.box
    width = max(0.0, min(ax + aw, bx + bw) - max(ax, bx))
    height = max(0.0, min(ay + ah, by + bh) - max(ay, by))
    return width * height / (aw * ah + bw * bh - width * height)


def precision_at_half(truth: Sequence[Box], found: Sequence[Box], category: int) -> float:
    left = [box for box in truth if box.category == category]
    total, hits, curve = len(left), 0, []
    ranked = sorted((b for b in found if b.category == category), key=lambda b: -b.score)
    for rank, box in enumerate(ranked, 1):
        near = [other for other in left if other.photo == box.photo and overlap(box, other) >= 0.5]
        if near:
            left.remove(max(near, key=lambda other: overlap(box, other)))
            hits += 1
        curve.append((hits / total, hits / rank))
    levels = [i / 100 for i in range(101)]
    best = [max((p for r, p in curve if r >= level - 1e-12), default=0.0) for level in levels]
    return sum(best) / len(best)


def test_perfect_detections_have_ap_1(tmp_path: Path) -> None:
    scores = scores_of(tmp_path, SPREAD, SPREAD)
    assert list(scores.metrics) == list(METRICS)
    assert len(scores.metrics) == 12
    for name in ("AP", "AP50", "AP75", "AP_large", "AR1", "AR100"):
        assert scores.metrics[name] == pytest.approx(1), name
    assert scores.metrics["AP_small"] is None
    assert [(c.name, c.category_id, c.boxes) for c in scores.classes] == [
        ("cat", 1, 2), ("dog", 2, 1), ("kite", 90, 1),
    ]  # fmt: skip
    assert [c.ap for c in scores.classes] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("seed", range(4))
def test_shifted_boxes_have_the_ap_of_the_definition(tmp_path: Path, seed: int) -> None:
    truth = scattered(seed, 60)
    found = [*shifted(truth, seed)[:50], *scattered(seed + 100, 40)]
    scores = scores_of(tmp_path, truth, found)
    expected = [precision_at_half(truth, found, category) for category in CATEGORIES]
    assert min(expected) > 0.05
    assert max(expected) < 0.9
    assert [c.ap50 for c in scores.classes] == pytest.approx(expected, abs=1e-9)
    assert scores.metrics["AP50"] == pytest.approx(np.mean(expected), abs=1e-9)
    ap = [c.ap for c in scores.classes if c.ap is not None]
    assert scores.metrics["AP"] == pytest.approx(np.mean(ap), abs=1e-9)


def test_class_by_class_gives_what_the_library_gives_at_once(tmp_path: Path) -> None:
    library = coco.require_library()
    truth = scattered(1, 80)
    found = [*shifted(truth, 1), *scattered(2, 500)]
    scores = scores_of(tmp_path, truth, found)
    rows = content(found)["annotations"]
    results = [
        {key: row[key] for key in ("image_id", "category_id", "bbox")}
        | {"score": float(np.float32(box.score))}
        for row, box in zip(rows, found, strict=True)
    ]
    whole = content(truth)
    for row in whole["annotations"]:
        row["id"] += 1
    dataset = library.COCO(whole)
    evaluator = library.COCOeval_faster(dataset, dataset.loadRes(results), iouType="bbox")
    evaluator.run()
    numbers = [-1 if value is None else value for value in scores.metrics.values()]
    assert numbers == pytest.approx(evaluator.stats.tolist(), abs=1e-12)


def test_no_detection_at_all_has_ap_0(tmp_path: Path) -> None:
    scores = scores_of(tmp_path, SPREAD, [])
    assert scores.metrics["AP"] == 0
    assert scores.metrics["AR100"] == 0


def test_a_class_without_boxes_does_not_count(tmp_path: Path) -> None:
    cats = [box for box in SPREAD if box.category == CAT]
    scores = scores_of(tmp_path, cats, [*cats, Box(2, DOG, (0.1, 0.1, 0.5, 0.5))])
    assert scores.metrics["AP"] == pytest.approx(1)
    assert [c.ap for c in scores.classes][1:] == [None, None]


def test_detections_on_a_photo_without_boxes_count_as_wrong(tmp_path: Path) -> None:
    wrong = [Box(2, CAT, (0.1, 0.1, 0.5, 0.5), score=2.0)]
    ap = scores_of(tmp_path, SPREAD, [*SPREAD, *wrong]).classes[0].ap
    assert ap == pytest.approx(2 / 3)  # 1/2 and 2/3, made monotone


def test_a_crowd_forgives_what_lies_in_it(tmp_path: Path) -> None:
    crowd = Box(1, CAT, (0.0, 0.0, 1.0, 1.0), crowd=True)
    inside = [Box(1, CAT, (x, 0.0, 0.1, 0.1), score=2.0) for x in (0.0, 0.3, 0.6)]
    scores = scores_of(tmp_path / "crowd", [*SPREAD, crowd], [*SPREAD, *inside])
    assert scores.classes[0].ap == pytest.approx(1)
    assert scores.classes[0].boxes == 2
    ap = scores_of(tmp_path / "none", SPREAD, [*SPREAD, *inside]).classes[0].ap
    assert ap == pytest.approx(2 / 5)


def test_the_best_300_of_a_photo_are_kept(tmp_path: Path) -> None:
    many = [Box(0, CAT, (0.7, 0.7, 0.1, 0.1), score=2.0)] * KEPT
    annotations = read_annotations(write_set(tmp_path, SPREAD)).first(1)
    paths, classes = annotations.find(tmp_path / "images"), np.int32([0, 1, 2])
    found = collect(Replay([*SPREAD, *many]), annotations, paths, classes)
    assert found.scores.tolist() == [2.0] * KEPT


def test_a_detection_takes_28_bytes(tmp_path: Path) -> None:
    annotations = read_annotations(write_set(tmp_path, SPREAD))
    paths, classes = annotations.find(tmp_path / "images"), np.int32([0, 1, 2])
    found = collect(Replay(scattered(0, 100)), annotations, paths, classes)
    arrays = found.boxes, found.scores, found.label, found.photo
    assert sum(array.nbytes for array in arrays) == 28 * 100


def test_annotations_may_leave_out_what_has_a_default(tmp_path: Path) -> None:
    whole = content(SPREAD)
    for row in whole["annotations"]:
        del row["area"], row["iscrowd"], row["id"]
    for row in whole["images"]:
        del row["width"], row["height"]
    path = tmp_path / "short.json"
    path.write_text(json.dumps(whole))
    short, full = read_annotations(path), read_annotations(write_set(tmp_path, SPREAD))
    assert np.allclose(short.areas, full.areas)
    assert not short.crowd.any()
    assert {photo.size for photo in short.photos} == {None}


def test_boxes_that_can_hardly_be_meant_are_told(tmp_path: Path) -> None:
    """They count all the same, as they do in COCO's own evaluation."""
    boxes = [
        Box(0, 1, (0.1, 0.1, 0.2, 0.2)), Box(0, 1, (0.1, 0.1, 0.0, 0.2)),
        Box(0, 1, (0.5, 0.5, 0.6, 0.2)), Box(1, 2, (-0.1, 0.5, 0.2, 0.2)),
        Box(1, 2, (0.1, 0.1, 0.2, 0.0), crowd=True), Box(1, 2, (0.0, 0.0, 1.0, 1.0)),
    ]  # fmt: skip
    found = read_annotations(write_set(tmp_path, boxes))
    assert len(found.boxes) == len(boxes)
    assert found.notes == (
        "1 box without width or height, which nothing can find",
        "2 boxes reaching beyond the photo, not clipped",
    )


def test_limit_takes_the_first_photos(tmp_path: Path) -> None:
    path = write_set(tmp_path, SPREAD)
    kept = read_annotations(path, 2)
    assert [photo.name for photo in kept.photos] == ["astronaut.jpg", "cat.jpg"]
    assert kept.label.tolist() == [0, 2, 0]
    assert len(read_annotations(path, 1000).photos) == 5
    late = write_set(tmp_path / "late", [box for box in SPREAD if box.photo > 1])
    with pytest.raises(InputError, match="no box to find on the 2 photos asked for"):
        read_annotations(late, 2)


def test_detections_follow_their_names(tmp_path: Path) -> None:
    annotations = read_annotations(write_set(tmp_path, SPREAD))
    classes = match_classes(annotations, ["kite", "cat", "dog"], 3)
    runner = Replay(SPREAD, (KITE, CAT, DOG))
    found = collect(runner, annotations, annotations.find(tmp_path / "images"), classes)
    assert evaluate(annotations, found).metrics["AP"] == pytest.approx(1)


def edited(part: str, **changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda whole: whole[part][1].update(changes)


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "images missing": (lambda w: w.pop("images"), "has no list 'images'"),
    "categories missing": (lambda w: w.pop("categories"), "has no list 'categories'"),
    "annotations missing": (lambda w: w.pop("annotations"), "has no list 'annotations'"),
    "annotations empty": (lambda w: w.update(annotations=[]), "has an empty list 'annotations'"),
    "images an object": (lambda w: w.update(images={}), "has no list 'images'"),
    "row no object": (lambda w: w["images"].append(3), "[5] of images is 3"),
    "id a text": (edited("images", id="x"), 'id of images[1] is "x", expected int'),
    "id a truth": (edited("images", id=True), "id of images[1] is true, expected int"),
    "no file name": (edited("images", file_name=None), "file_name of images[1] is null"),
    "id twice": (edited("images", id=0), "uses the image id 0 for 2 photos ("),
    "no name": (edited("categories", name=None), "name of categories[1] is null, expected str"),
    "width 0": (edited("images", width=0), "width, height of image 'cat.jpg' is [0, "),
    "height absent": (edited("images", height=None), "width, height of image 'cat.jpg'"),
    "unknown photo": (edited("annotations", image_id=5), "image_id of annotations[1] is 5"),
    "unknown class": (edited("annotations", category_id=3), "category_id of annotations[1] is 3"),
    "no box": (edited("annotations", bbox=None), "bbox of annotations[1] is null"),
    "short box": (edited("annotations", bbox=[1, 2, 3]), "is [1, 2, 3], expected [x, y, width"),
    "text in box": (edited("annotations", bbox=[1, 2, 3, "4"]), 'is [1, 2, 3, "4"]'),
    "negative width": (edited("annotations", bbox=[9, 9, -3, 4]), "is [9, 9, -3, 4]"),
    "NaN": (edited("annotations", bbox=[float("nan"), 0, 1, 1]), "is [NaN, 0, 1, 1]"),
    "huge": (edited("annotations", bbox=[10**400, 0, 1, 1]), "is [1000"),
    "bad area": (edited("annotations", area="big"), 'area of annotations[1] is "big"'),
    "bad crowd": (edited("annotations", iscrowd=2), "iscrowd of annotations[1] is 2"),
    "crowds only": (
        lambda w: [row.update(iscrowd=1) for row in w["annotations"]],
        "no box to find on the 5 photos",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_malformed_file_is_one_line(tmp_path: Path, name: str) -> None:
    change, part = BROKEN[name]
    whole = content(SPREAD)
    change(whole)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(whole))
    assert part in complaint(path)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (b"", "is not JSON (Expecting value"),
        (b'{"images": [', "is not JSON"),
        (b"\xff\xfe\xfa", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "holds a list, expected COCO annotations"),
        (b"3", "holds a int"),
    ],
)
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, text: bytes, part: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text)
    assert part in complaint(path)


def test_no_file_is_one_line(tmp_path: Path) -> None:
    assert "no file at" in complaint(tmp_path / "a.json")
    (tmp_path / "a.json").mkdir()
    assert "a folder at" in complaint(tmp_path / "a.json")


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_annotations(path)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    assert "expected" in message
    assert len(message) < 400
    return message


def test_missing_photos_are_counted(tmp_path: Path) -> None:
    annotations = read_annotations(write_set(tmp_path, SPREAD))
    for name in ("cat", "coffee"):
        (tmp_path / "images" / f"{name}.jpg").unlink()
    with pytest.raises(InputError, match=r"3 of the 5 photos .*missing \('cat.jpg', 'coffee.jpg'"):
        annotations.find(tmp_path / "images")
    with pytest.raises(InputError, match=r"none of the 5 .*'coffee.jpg', ...\); name the folder"):
        annotations.find(tmp_path)
    with pytest.raises(InputError, match="no folder at"):
        annotations.find(tmp_path / "none")
    assert len(annotations.first(1).find(tmp_path / "images")) == 1


def test_a_photo_of_another_size_than_annotated_is_refused(tmp_path: Path) -> None:
    whole = content(SPREAD)
    whole["images"][1]["width"] += 1
    annotations = replace_content(write_set(tmp_path, SPREAD), whole)
    with pytest.raises(InputError, match=r"cat.jpg' has 451 x 300 pixels.*expected 452 x 300"):
        run(Replay(SPREAD), annotations, tmp_path)


def test_a_corrupt_photo_stops_the_evaluation(tmp_path: Path) -> None:
    annotations = read_annotations(write_set(tmp_path, SPREAD))
    photo = tmp_path / "images" / "coffee.jpg"
    photo.write_bytes(photo.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"coffee.jpg' cannot be read"):
        run(Replay(SPREAD), annotations, tmp_path)


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda d: d.scores.__setitem__(0, np.nan), "cat.jpg' is not a number"),
        (lambda d: d.boxes.__setitem__((0, 2), np.inf), "cat.jpg' is not a number"),
        (lambda d: d.labels.__setitem__(0, 3), "cat.jpg' is of class 3, expected 0 to 2"),
        (lambda d: d.labels.__setitem__(0, -1), "cat.jpg' is of class -1"),
    ],
)
def test_impossible_detections_are_refused(
    tmp_path: Path, spoil: Callable[[Detections], None], part: str
) -> None:
    runner = Replay(SPREAD)
    spoil(runner._left[1])
    with pytest.raises(InputError, match=part):
        run(runner, read_annotations(write_set(tmp_path, SPREAD)), tmp_path)


def test_the_next_photo_is_read_while_one_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()
    annotations = read_annotations(write_set(tmp_path, SPREAD))

    def load(annotations: Annotations, photo: Photo, path: Path) -> Image.Image:
        if photo == annotations.photos[1]:
            started.set()
        return load_annotated(annotations, photo, path)

    class Waiting(Replay):
        def detect(self, frame: np.ndarray) -> Detections:
            assert started.wait(10)
            return super().detect(frame)

    monkeypatch.setattr(coco, "load_annotated", load)
    classes, paths = np.arange(3, dtype=np.int32), annotations.find(tmp_path / "images")
    found = collect(Waiting(SPREAD), annotations, paths, classes)
    assert found.sizes.tolist() == [list(size) for size in sizes()]


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'deimv2\[train\]'"):
        coco.require_library()


def replace_content(path: Path, whole: dict[str, Any]) -> Annotations:
    path.write_text(json.dumps(whole))
    return read_annotations(path)


def run(runner: Replay, annotations: Annotations, folder: Path) -> Found:
    return collect(runner, annotations, annotations.find(folder / "images"), np.int32([0, 1, 2]))
