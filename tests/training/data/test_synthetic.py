"""The demo's scenes: the same each time, and annotated with what can be seen in them."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model.errors import InputError
from deimv2.tests.garments import NUMBERS, bar, disc, idx, write_garments
from deimv2.training.boxes import iou
from deimv2.training.data import synthetic
from deimv2.training.data.dataset import read_dataset
from deimv2.training.data.layouts import Part
from deimv2.training.data.synthetic import (
    CLASSES,
    SIZE,
    Garments,
    Scene,
    Style,
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


ONE = Style(most=1)


def test_a_box_encloses_its_garment_up_to_the_frame() -> None:
    cut = 0
    for index in range(40):
        scene = make_scene(of(bar(28, 20)), BLACK, 0, index, ONE)
        y, x = np.nonzero(lit(scene))
        left, top, width, height = scene.boxes[0]
        expected = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert np.allclose([left, top, left + width, top + height], expected, rtol=0, atol=3)
        cut += min(expected[:2]) == 0 or max(expected[2:]) == SIZE
    assert 1 < cut < 30


def test_a_garment_that_the_frame_cuts_off_is_neither_drawn_nor_annotated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(synthetic, "INSIDE", 0.98)
    made = [make_scene(of(bar(28, 28)), BLACK, 0, index, ONE) for index in range(40)]
    empty = [scene for scene in made if not scene.boxes]
    assert 1 < len(empty) < 30
    for scene in made:
        assert lit(scene).any() == bool(scene.boxes)


def test_a_picture_without_a_garment_is_passed_over() -> None:
    assert make_scene(of(np.zeros((28, 28), np.uint8)), BLACK, 0, 0).boxes == []


def test_all_that_is_drawn_is_annotated_and_boxes_enclose_what_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every garment has a colour of its own, by which it is found again."""
    palette = [70.0 * np.array([r, g, b]) for r in range(1, 4) for g in range(4) for b in range(4)]
    colours = iter(())
    monkeypatch.setattr(synthetic, "_tint", lambda rng: next(colours))
    overlapping, shared = 0, list[float]()
    for index in range(15):
        colours = iter(palette)
        scene = make_scene(of(disc()), BLACK, 0, index, Style(12, (70, 110)))
        found = [box for colour in palette if (box := around(scene.photo, colour)) is not None]
        assert len(found) == len(scene.boxes)
        for (left, top, width, height), edges in zip(scene.boxes, found, strict=True):
            box = torch.tensor([left, top, left + width, top + height])
            shared.append(iou(box, torch.tensor(edges)).item())
            overlapping += not 0.75 < width / height < 1.33
    assert overlapping > 2
    assert min(shared) > 0.6 and np.mean(shared) > 0.8  # blurred edges have mixed colours


def around(photo: np.ndarray, colour: np.ndarray) -> list[int] | None:
    """Left, top, right, bottom of what has this colour; specks of blended edges do not count."""
    same = np.abs(photo - colour).max(axis=2) < 18
    x, y = (np.flatnonzero(same.sum(axis=axis) > 12) for axis in (0, 1))
    return [x[0], y[0], x[-1] + 1, y[-1] + 1] if len(x) > 10 and len(y) > 10 else None


def test_a_garment_is_not_put_where_it_hides_another(monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = Style(30, (70, 110))
    most = [len(make_scene(of(disc()), BLACK, 0, index, crowded).boxes) for index in range(10)]
    monkeypatch.setattr(synthetic, "SEEN", 0.95)
    apart = [len(make_scene(of(disc()), BLACK, 0, index, crowded).boxes) for index in range(10)]
    assert sum(apart) < 0.8 * sum(most)


def test_varied_backgrounds_are_turned_mixed_and_recoloured() -> None:
    red, top = Image.new("RGB", (400, 400), (200, 0, 0)), Image.new("RGB", (400, 400))
    top.paste((0, 0, 200), (0, 0, 400, 20))
    none = of(np.zeros((28, 28), np.uint8))
    varied = Style(varied=True)
    plain = [make_scene(none, [red], 0, index).photo for index in range(20)]
    assert {int(photo.mean((0, 1)).argmax()) for photo in plain} == {0}
    made = [make_scene(none, [red], 0, index, varied).photo.mean((0, 1)) for index in range(20)]
    assert {int(mean.argmax()) for mean in made} == {0, 1, 2}
    mixed = [make_scene(none, [red, top], 0, index, varied).photo for index in range(40)]
    assert any(20 < photo.mean((0, 1)).max() < 90 for photo in mixed)


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
    assert 5 <= max(counts) <= synthetic.PLAIN.most


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
