"""Wherever the pixels of an object go, its box goes too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deimv2.tests.training.photos import bright, noise, rectangles
from deimv2.training.data import augment as augmentation
from deimv2.training.data.augment import (
    Picture,
    augment,
    crop,
    distort_colours,
    flip,
    mosaic,
    reduced,
    resize,
    shrink,
    transform,
    zoom_out,
)
from deimv2.training.data.dataset import Dataset, Sample, photo_pixels, smaller_than
from deimv2.training.recipes import ATTO, Augment

BOX = 40, 30, 90, 70
ONE = rectangles((160, 120), BOX)
STILL = replace(ATTO.augment, rotation=0.0, translation=(0.0, 0.0), scaling=(1.0, 1.0))
SEEDS = pytest.mark.parametrize("seed", range(12))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_follows(picture: Picture, within: float = 1.5) -> None:
    np.testing.assert_allclose(picture.boxes, [bright(picture.image)], atol=within)


def alone(count: int) -> list[Picture]:
    """Partners without any object."""
    return [rectangles((80, 60))] * count


def same(a: Picture, b: Picture) -> bool:
    return (
        a.image.tobytes() == b.image.tobytes()
        and np.array_equal(a.boxes, b.boxes)
        and np.array_equal(a.labels, b.labels)
    )


def test_a_flip_takes_the_box_along() -> None:
    flipped = flip(ONE)
    assert flipped.boxes.tolist() == [[70, 30, 120, 70]]
    assert_follows(flipped, 0)


@pytest.mark.parametrize("size", [(120, 160), (320, 320), (64, 200), (37, 51)])
def test_resizing_takes_the_box_along(size) -> None:
    resized = resize(ONE, size)
    assert resized.image.size == size[::-1]
    assert_follows(resized)


@SEEDS
def test_zooming_out_takes_the_box_along(seed) -> None:
    zoomed = zoom_out(ONE, 0, rng(seed))
    assert 1 <= zoomed.image.width / 160 <= 4 and 1 <= zoomed.image.height / 120 <= 4
    assert_follows(zoomed, 0)


def test_half_of_the_pictures_are_zoomed_out_on_the_colour_given() -> None:
    draw = rng()
    zoomed = [zoom_out(ONE, 99, draw) for _ in range(100)]
    changed = [picture for picture in zoomed if picture is not ONE]
    assert 35 <= len(changed) <= 65
    assert any(p.image.getpixel((0, 0)) == (99, 99, 99) for p in changed)


@SEEDS
def test_a_crop_takes_the_box_along(seed) -> None:
    draw = rng(seed)
    for _ in range(20):
        cropped = crop(ONE, draw)
        w, h = cropped.image.size
        assert (w, h) == (160, 120) or (0.5 <= w / h <= 2 and w >= 48 and h >= 36)
        assert_follows(cropped, 0)


def test_a_crop_keeps_the_objects_whose_centres_are_inside() -> None:
    colours = {0: (255, 0, 0), 1: (0, 255, 0), 2: (0, 0, 255)}
    boxes = [(10, 10, 50, 50), (100, 20, 150, 60), (60, 70, 90, 110)]
    image = Image.new("RGB", (160, 120))
    for label, box in enumerate(boxes):
        image.paste(colours[label], box)
    picture, draw, counts = Picture(image, np.arange(3), np.float32(boxes)), rng(), set()
    for _ in range(200):
        cropped = crop(picture, draw)
        counts.add(len(cropped.labels))
        kept = dict(zip(cropped.labels.tolist(), cropped.boxes, strict=True))
        for label, box in enumerate(boxes):
            seen = np.asarray(cropped.image)[..., label]
            whole = (box[2] - box[0]) * (box[3] - box[1])
            share = (seen > 0).sum() / whole
            if label in kept:
                np.testing.assert_array_equal(
                    kept[label], bright(Image.fromarray(np.stack([seen] * 3, -1)))
                )
                assert share >= 0.2
            else:
                assert share <= 0.5
    assert counts == {1, 2, 3}


def test_crops_differ_and_sometimes_nothing_is_cropped() -> None:
    draw = rng()
    sizes = [crop(ONE, draw).image.size for _ in range(60)]
    assert 0 < sizes.count((160, 120)) < 60 and len(set(sizes)) > 10


@pytest.mark.parametrize("place", range(4))
def test_a_mosaic_places_four_pictures_with_their_boxes(place) -> None:
    pictures = alone(4)
    pictures[place] = ONE
    whole = mosaic(pictures, STILL, (128, 128), rng())
    # the shorter side is half of the input's: 64; so all four are 85 x 64
    assert whole.image.size == (170, 128)
    assert_follows(whole)
    corner = np.array([place % 2 * 85, place // 2 * 64] * 2)
    expected = np.multiply(BOX, 64 / 120) + corner
    np.testing.assert_allclose(whole.boxes, [expected], atol=1)


def test_a_mosaic_holds_the_objects_of_all_four() -> None:
    pictures = [replace(ONE, labels=np.array([label])) for label in (5, 6, 7, 8)]
    assert mosaic(pictures, STILL, (128, 128), rng()).labels.tolist() == [5, 6, 7, 8]


@SEEDS
def test_a_mosaic_as_in_the_recipe_takes_the_box_along(seed) -> None:
    c = replace(ATTO.augment, rotation=0.0)
    whole = mosaic([ONE, *alone(3)], c, (256, 256), rng(seed))
    if len(whole.labels):  # it may have been moved out of the picture
        assert_follows(whole)
    else:
        assert np.asarray(whole.image).max() < 128


@pytest.mark.parametrize(
    "c",
    [
        replace(STILL, scaling=(0.5, 0.5)),
        replace(STILL, scaling=(1.5, 1.5)),
        replace(STILL, translation=(0.1, 0.2)),
        replace(STILL, translation=(0.2, 0.1), scaling=(0.6, 1.4)),
    ],
)
@SEEDS
def test_scaling_and_moving_take_the_box_along(c, seed) -> None:
    moved = transform(ONE, c, rng(seed))
    assert moved.image.size == (160, 120)
    assert_follows(moved)


@SEEDS
def test_a_turned_box_encloses_the_object(seed) -> None:
    turned = transform(ONE, replace(ATTO.augment, scaling=(0.8, 0.8)), rng(seed))
    area = (np.asarray(turned.image)[..., 0] / 255).sum()
    assert area == pytest.approx(0.64 * 50 * 40, rel=0.01)
    box, (x1, y1, x2, y2) = turned.boxes[0], bright(turned.image)
    assert box[0] <= x1 + 1.5 and box[1] <= y1 + 1.5
    assert box[2] >= x2 - 1.5 and box[3] >= y2 - 1.5
    assert_follows(
        turned, 4
    )  # a turned rectangle touches all sides of its box, at corners that fade


def test_all_parameters_of_the_transform_are_drawn_within_their_ranges() -> None:
    draw, boxes = rng(), []
    c = replace(ATTO.augment, rotation=0.0)
    for _ in range(200):
        boxes.append(transform(rectangles((400, 400), (190, 190, 210, 210)), c, draw).boxes[0])
    sides = np.array(boxes)[:, 2] - np.array(boxes)[:, 0]
    centres = (np.array(boxes)[:, :2] + np.array(boxes)[:, 2:]) / 2 - 200
    assert 10 - 1e-3 <= sides.min() < 11 and 29 < sides.max() <= 30 + 1e-3
    assert 38 < np.abs(centres).max() <= 40 + 1e-3
    assert len({tuple(np.sign(centre)) for centre in centres}) >= 4


def test_shrinking_keeps_the_proportions() -> None:
    small = shrink(ONE, ATTO.augment, (320, 640))
    assert small.image.size == (213, 160)
    assert_follows(small)


def test_small_boxes_are_dropped_and_others_clipped() -> None:
    boxes = np.float32([[0, 0, 12, 12], [0, 0, 11.9, 50], [-8, 5, 20, 40], [150, 0, 170, 50]])
    kept = replace(ONE, labels=np.arange(4), boxes=boxes).kept(12)
    assert kept.labels.tolist() == [0, 2]
    assert kept.boxes.tolist() == [[0, 0, 12, 12], [0, 5, 20, 40]]
    assert replace(ONE, boxes=np.float32([[5, 5, 5, 9]])).kept(0).labels.tolist() == []


def plain(c: Augment) -> Augment:
    """Without anything drawn but the flip, unless a test changes it."""
    return replace(c, epochs=(0, 10), mosaic_epochs=(0, 10), mosaic=0.0, colours=0.0, crop=0.0)


def test_small_boxes_are_dropped_before_and_after_resizing() -> None:
    two = rectangles((100, 100), (0, 0, 40, 30), (50, 50, 90, 90))
    c = replace(plain(ATTO.augment), epochs=(1, 2), min_side=35)
    assert augment(two, alone, c, 0, (200, 100), rng()).labels.tolist() == [1]
    c = replace(c, min_side=20)
    assert augment(two, alone, c, 0, (60, 60), rng()).labels.tolist() == [1]


def test_boxes_of_photos_smaller_than_the_input_are_judged_at_its_size() -> None:
    small = rectangles((128, 128), (0, 0, 11, 11), (50, 50, 54, 64))
    for epoch in (0, 4):
        c = replace(ATTO.augment, mosaic=0.0, crop=0.0)
        kept = [augment(small, alone, c, epoch, (320, 320), rng(seed)) for seed in range(8)]
        assert max(len(each.labels) for each in kept) == 1
    assert photo_pixels((640, 480), (320, 320)) == photo_pixels((640, 480), (640, 640)) == 1
    assert photo_pixels((128, 96), (320, 320)) == 0.4


@pytest.mark.parametrize("photo", [(128, 128), (500, 200), (640, 480), (600, 90)])
def test_boxes_that_are_dropped_are_counted(photo) -> None:
    corners = rng().uniform(0, 60, (300, 2)).astype(np.float32)
    sides = rng(1).uniform(2, 29, (300, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + sides], axis=1)
    sample = Sample(Path("photo.jpg"), np.zeros(300, np.int64), boxes, photo)
    picture = Picture(Image.new("RGB", photo), sample.labels, boxes)
    kept = augment(picture, alone, ATTO.augment, 0, (320, 320), rng())
    found = smaller_than(ATTO.augment.min_side, Dataset([sample], ("a",)), (320, 320))
    assert 0 < len(kept.labels) < 300 and found == (300 - len(kept.labels), 300)


@pytest.mark.parametrize("photo", [(640, 480), (480, 640), (1066, 1600), (4000, 300)])
def test_photos_that_crops_need_whole_stay_as_they_are(photo) -> None:
    picture = Picture(noise(photo, 0), *(getattr(ONE, name) for name in ("labels", "boxes")))
    assert reduced(picture, (320, 320)) is picture


def test_larger_photos_are_reduced_to_what_crops_need(monkeypatch) -> None:
    large = rectangles((4000, 3000), (800, 600, 2400, 1500))
    small = reduced(large, (320, 320))
    assert small.image.size == (1423, 1067)
    assert_follows(small)
    seen = []

    def coloured(picture: Picture, *_: object) -> Picture:
        seen.append(picture.image.size)
        return picture

    monkeypatch.setattr(augmentation, "distort_colours", coloured)
    augment(large, alone, plain(ATTO.augment), 0, (320, 320), rng())
    assert seen == [(1423, 1067)]


@SEEDS
def test_pictures_without_objects_pass_through_everything(seed) -> None:
    empty, draw = rectangles((50, 70)), rng(seed)
    c = replace(ATTO.augment, epochs=(0, 10), mosaic_epochs=(0, 10), mosaic=0.5)
    for _ in range(3):
        result = augment(empty, alone, c, 0, (64, 96), draw)
        assert result.image.size == (96, 64)
        assert result.labels.shape == (0,) and result.boxes.shape == (0, 4)
    assert crop(empty, draw) is empty


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1)])
def test_the_narrowest_pictures_pass_too(size) -> None:
    c = replace(ATTO.augment, epochs=(0, 10), mosaic_epochs=(0, 10), min_side=1)
    for seed in range(20):
        result = augment(rectangles(size, (0, 0, *size)), alone, c, 0, (32, 32), rng(seed))
        assert result.image.size == (32, 32)


def test_the_generator_alone_decides() -> None:
    picture = replace(ONE, image=noise((160, 120), 0))
    c = replace(ATTO.augment, mosaic=0.5)

    def draw(seed: int) -> Picture:
        return augment(picture, lambda count: [picture] * count, c, 10, (96, 96), rng(seed))

    assert all(same(draw(seed), draw(seed)) for seed in range(8))
    assert len({draw(seed).image.tobytes() for seed in range(8)}) == 8


def test_colours_change_pixels_and_nothing_else() -> None:
    picture = replace(ONE, image=noise((160, 120), 1))
    images = set()
    for seed in range(10):
        changed = distort_colours(picture, 1.0, rng(seed))
        assert changed.image.size == (160, 120) and changed.image.mode == "RGB"
        np.testing.assert_array_equal(changed.boxes, picture.boxes)
        np.testing.assert_array_equal(changed.labels, picture.labels)
        images.add(changed.image.tobytes())
    assert len(images) == 10 and picture.image.tobytes() not in images
    assert distort_colours(picture, 0.0, rng()).image.tobytes() == picture.image.tobytes()


@SEEDS
def test_outside_of_its_epochs_a_picture_is_only_flipped_and_resized(seed) -> None:
    picture = replace(ONE, image=noise((160, 120), 2))
    c = replace(ATTO.augment, mosaic=1.0, colours=1.0, crop=1.0, min_side=1)
    unchanged = [resize(p, (96, 96)).kept(1) for p in (picture, flip(picture))]
    for epoch in (0, c.epochs[0] - 1, c.epochs[1], c.epochs[1] + 50):
        result = augment(picture, alone, c, epoch, (96, 96), rng(seed))
        assert any(same(result, other) for other in unchanged)
    for epoch in (c.epochs[0], c.epochs[1] - 1):
        result = augment(picture, alone, c, epoch, (96, 96), rng(seed))
        assert not any(same(result, other) for other in unchanged)


@SEEDS
def test_mosaics_are_neither_zoomed_out_nor_cropped(seed) -> None:
    c = replace(plain(STILL), mosaic=1.0, crop=1.0, min_side=1)
    whole = mosaic([ONE, *alone(3)], c, (96, 96), rng())
    result = augment(ONE, alone, c, 0, (96, 96), rng(seed))
    assert any(same(result, resize(p, (96, 96))) for p in (whole, flip(whole)))


def test_other_pictures_are_cropped_as_often_as_the_recipe_says() -> None:
    for probability, least, most in ((0.0, 0, 0), (0.5, 5, 40), (1.0, 20, 90)):
        c, draw = replace(plain(ATTO.augment), crop=probability, fill=255), rng()
        narrow = rectangles((96, 96), (0, 40, 96, 56))
        # zooming out makes the object no higher than it was, only a crop does
        heights = [
            augment(narrow, alone, c, 0, (96, 96), draw).boxes[:, [1, 3]] for _ in range(100)
        ]
        cropped = sum(bool(len(h)) and h[0, 1] - h[0, 0] > 16.5 for h in heights)
        assert least <= cropped <= most


def test_half_of_the_pictures_are_flipped() -> None:
    c, draw = replace(plain(ATTO.augment), epochs=(1, 2)), rng()
    boxes = [augment(ONE, alone, c, 0, (120, 160), draw).boxes[0].tolist() for _ in range(100)]
    assert 35 <= boxes.count([40, 30, 90, 70]) <= 65
    assert boxes.count([40, 30, 90, 70]) + boxes.count([70, 30, 120, 70]) == 100


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_mosaics_are_as_frequent_as_the_recipe_says_in_their_epochs(probability) -> None:
    c = replace(ATTO.augment, mosaic=probability)
    asked = []

    def partners(count: int) -> list[Picture]:
        asked.append(count)
        return alone(count)

    small, draw = rectangles((32, 24), (8, 8, 24, 20)), rng()
    first, end = c.mosaic_epochs
    for epoch in (first, end - 1) * 50:
        augment(small, partners, c, epoch, (32, 32), draw)
    assert set(asked) <= {3}
    assert abs(len(asked) / 100 - probability) <= (0 if probability in (0, 1) else 0.14)
    asked.clear()
    for epoch in (first - 1, end, c.epochs[1] - 1, c.epochs[1]) * 5:
        augment(small, partners, c, epoch, (32, 32), draw)
    assert asked == []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("chosen", ["mosaic", "crop"])
def test_the_box_is_followed_through_the_whole_chain(chosen, seed) -> None:
    c = replace(plain(ATTO.augment), min_side=1, rotation=0.0, **{chosen: 1.0})
    result = augment(ONE, alone, c, 0, (200, 240), rng(seed))
    assert result.image.size == (240, 200)
    if len(result.labels):
        assert_follows(result, 2)
