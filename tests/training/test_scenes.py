"""The demo's scenes: the same each time, and annotated with what can be seen in them."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.photographs import PHOTOGRAPHS
from model.errors import InputError
from tests.garments import NUMBERS, bar, disc, idx, write_garments
from training import scenes
from training.dataset import Part, read_dataset
from training.scenes import (
    CLASSES,
    SIZE,
    Garments,
    Scene,
    make_scene,
    read_garments,
    read_photos,
    write_scenes,
)

BLACK = [Image.new("RGB", (400, 400))]
PICTURES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    return read_photos(PHOTOGRAPHS)


def of(picture: np.ndarray) -> Garments:
    return Garments(picture[None], np.array([3]))


def lit(scene: Scene) -> np.ndarray:
    """What noise alone cannot brighten on a black background."""
    return scene.photo.max(axis=2) > 40


def test_pictures_keep_their_labels_and_shirts_and_pullovers_are_left_out(tmp_path: Path) -> None:
    pictures = [np.full((28, 28), 100 + number) for number in NUMBERS]
    found = read_garments(write_garments(tmp_path, pictures), "train")
    numbers = [list(CLASSES.values())[label] for label in found.labels]
    assert numbers == (found.pictures[:, 0, 0] - 100).tolist() == [0, 1, 3, 4, 5, 7, 8, 9]
    assert list(CLASSES)[found.labels[numbers.index(8)]] == "bag"


def test_a_box_encloses_its_garment_up_to_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "MOST", 1)
    cut = 0
    for index in range(40):
        scene = make_scene(of(bar(28, 20)), BLACK, 0, index)
        y, x = np.nonzero(lit(scene))
        left, top, width, height = scene.boxes[0]
        expected = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert np.allclose([left, top, left + width, top + height], expected, rtol=0, atol=3)
        cut += min(expected[:2]) == 0 or max(expected[2:]) == SIZE
    assert 1 < cut < 30


def test_a_garment_that_the_frame_cuts_off_is_neither_drawn_nor_annotated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scenes, "MOST", 1)
    monkeypatch.setattr(scenes, "INSIDE", 0.98)
    made = [make_scene(of(bar(28, 28)), BLACK, 0, index) for index in range(40)]
    empty = [scene for scene in made if not scene.boxes]
    assert 1 < len(empty) < 30
    for scene in made:
        assert lit(scene).any() == bool(scene.boxes)


def test_a_picture_without_a_garment_is_passed_over() -> None:
    assert make_scene(of(np.zeros((28, 28), np.uint8)), BLACK, 0, 0).boxes == []


def test_hidden_garments_are_not_annotated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of discs, a turn changes little: what is seen of each follows from all boxes, about."""
    monkeypatch.setattr(scenes, "SIDES", (70.0, 110.0))
    monkeypatch.setattr(scenes, "MOST", 9)
    garments = of(disc())
    hidden = shown = 0
    for index in range(60):
        with monkeypatch.context() as without:
            without.setattr(scenes, "SEEN", 0.0)
            every = make_scene(garments, BLACK, 0, index).boxes
        if any(min(x, y) == 0 or max(x + w, y + h) == SIZE for x, y, w, h in every):
            continue  # the frame cuts a disc off
        annotated = make_scene(garments, BLACK, 0, index).boxes
        for box, share in zip(every, seen(every), strict=True):
            if share < 0.33:
                hidden += 1
                assert box not in annotated
            elif share > 0.47:
                shown += 1
                assert box in annotated
    assert hidden > 5
    assert shown > 100


def seen(boxes: list[list[float]]) -> list[float]:
    """Shares of the ellipses in these boxes that later ones leave to be seen."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    canvas, areas = np.full((SIZE, SIZE), -1), []
    for i, (left, top, width, height) in enumerate(boxes):
        across = (x - left) / width * 2 - 1
        down = (y - top) / height * 2 - 1
        inside = np.hypot(across, down) <= 1
        canvas[inside] = i
        areas.append(inside.sum())
    return [float((canvas == i).sum() / area) for i, area in enumerate(areas)]


def test_a_scene_is_the_same_in_a_set_of_any_size(
    tmp_path: Path, photos: list[Image.Image]
) -> None:
    garments = read_garments(write_garments(tmp_path / "idx"), "train")
    contents = {}
    for count in (2, 5):
        write_scenes(tmp_path / str(count), garments, photos, count, seed=4)
        contents[count] = json.loads((tmp_path / str(count) / "annotations.json").read_text())
    for name in ("000000.jpg", "000001.jpg"):
        assert (tmp_path / "2" / name).read_bytes() == (tmp_path / "5" / name).read_bytes()
    rows = contents[2]["annotations"]
    assert rows == contents[5]["annotations"][: len(rows)]
    assert contents[5]["annotations"][len(rows)]["image_id"] == 2


def test_scenes_differ_by_place_and_seed(photos: list[Image.Image]) -> None:
    garments = of(bar())
    made = [make_scene(garments, photos, *key).photo for key in [(0, 0), (0, 1), (1, 0)]]
    assert not any(np.array_equal(made[i], made[j]) for i, j in [(0, 1), (0, 2), (1, 2)])


def test_the_training_reads_the_annotations_without_findings(
    tmp_path: Path, photos: list[Image.Image]
) -> None:
    garments = read_garments(write_garments(tmp_path / "idx"), "train")
    folder = tmp_path / "set"
    write_scenes(folder, garments, photos, 8, seed=0)
    dataset, findings = read_dataset(Part(folder, folder / "annotations.json"))
    assert findings.lines() == []
    assert dataset.names == tuple(CLASSES)
    for index, sample in enumerate(dataset.samples):
        scene = make_scene(garments, photos, 0, index)
        corners = [[x, y, x + w, y + h] for x, y, w, h in scene.boxes]
        assert sample.labels.tolist() == scene.labels
        assert sample.boxes.tolist() == corners
        with Image.open(sample.path) as stored:
            assert stored.size == sample.size == (SIZE, SIZE)
            assert np.abs(np.float32(stored) - scene.photo).mean() < 8  # JPEG keeps so much


def test_scenes_have_their_number_of_garments(photos: list[Image.Image]) -> None:
    counts = [len(make_scene(of(bar()), photos, 0, index).labels) for index in range(30)]
    assert min(counts) <= 1
    assert 5 <= max(counts) <= scenes.MOST


def pack(array: np.ndarray) -> bytes:
    return gzip.compress(idx(array))


def flipped(content: bytes) -> bytes:
    """With damage inside the compressed stream."""
    return content[:10] + bytes(255 - byte for byte in content[10:40]) + content[40:]


WHOLE = pack(np.stack([bar()] * 10))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip at all",
        WHOLE[:-20],
        flipped(WHOLE),
        gzip.compress(b""),
        gzip.compress(idx(np.stack([bar()] * 10))[:-1]),
        pack(np.arange(10)),
    ],
    ids=["empty", "text", "cut", "flipped", "nothing inside", "a byte short", "labels"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    write_garments(tmp_path)
    (tmp_path / PICTURES).write_bytes(content)
    with pytest.raises(InputError, match=f"{PICTURES}' is damaged .*copy it again"):
        read_garments(tmp_path, "train")


@pytest.mark.parametrize("name", [PICTURES, LABELS])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_garments(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"no file '.*{name}'.*dataset-fashion-mnist"):
        read_garments(tmp_path, "train")
    read_garments(tmp_path, "t10k")


@pytest.mark.parametrize("numbers", [[1, 2, 3], [6] * 10])
def test_labels_must_be_as_many_as_pictures_and_not_all_shirts(
    tmp_path: Path, numbers: list[int]
) -> None:
    write_garments(tmp_path)
    (tmp_path / LABELS).write_bytes(pack(np.array(numbers)))
    with pytest.raises(InputError, match=f"10 pictures and {len(numbers)} labels"):
        read_garments(tmp_path, "train")
