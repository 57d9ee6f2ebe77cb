"""A batch follows from the seed, the epoch and its place, whoever makes it."""

import itertools
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deimv2.model.detector import check_size
from deimv2.model.errors import InputError
from deimv2.model.variants import VARIANTS
from deimv2.tests.training.photos import noise, write_photos
from deimv2.training.data.batches import ATTEMPTS, Batch, Batches, load
from deimv2.training.data.dataset import Dataset, Sample
from deimv2.training.recipes import ATTO, RECIPES, Recipe

PLAIN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
SIZE = 64, 96


def dataset(folder: Path, photos: int, size: tuple[int, int] = (64, 48)) -> Dataset:
    """Each photo has one object, whose class is the photo's number."""
    write_photos(folder, photos, size)
    box = np.array([[8, 8, 40, 32]], np.float32)
    samples = [Sample(folder / f"{i}.jpg", np.array([i]), box, size) for i in range(photos)]
    return Dataset(samples, tuple(map(str, range(photos))))


def recipe(batch: int = 4, epochs: int = 2, plain: bool = False) -> Recipe:
    """Everything that the recipes do to pictures, from the first epoch on, or nothing but flips."""
    base = RECIPES["s"]
    assert base.mixing is not None
    always = 0, 0 if plain else epochs
    return replace(
        base,
        schedule=replace(base.schedule, batch=batch, epochs=epochs, restart_epoch=epochs),
        augment=replace(
            base.augment,
            epochs=always,
            mosaic_epochs=always,
            cache=3,
            scale_repeats=None if plain else 1,
        ),
        mixing=replace(base.mixing, mixup_epochs=always, copyblend_epochs=always),
    )


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.images, b.images) and all(
        torch.equal(x.labels, y.labels) and torch.equal(x.boxes, y.boxes)
        for x, y in zip(a.targets, b.targets, strict=True)
    )


def shown(batch: Batch) -> list[int]:
    """The photos of a batch, by their objects."""
    return [int(label) for target in batch.targets for label in target.labels]


def test_a_batch_is_the_same_by_another_instance_and_in_another_order(tmp_path) -> None:
    data = dataset(tmp_path, 12)
    places = [(epoch, step) for epoch in range(2) for step in range(3)]
    one, other = (Batches(data, recipe(), SIZE, PLAIN, seed=5) for _ in range(2))
    first = {place: one[place] for place in places}
    assert all(same(first[place], other[place]) for place in reversed(places))


def test_workers_and_a_later_start_change_nothing(tmp_path) -> None:
    batches = Batches(dataset(tmp_path, 12), recipe(), SIZE, PLAIN)
    alone = list(load(batches, batches.places(0), workers=0, pinned=False))
    assert len(alone) == 6
    by_two = list(load(batches, batches.places(0), workers=2, pinned=False))
    assert all(same(a, b) for a, b in zip(alone, by_two, strict=True))
    fresh = Batches(batches.dataset, recipe(), SIZE, PLAIN)
    assert all(
        same(a, b) for a, b in zip(alone[4:], load(fresh, fresh.places(4), 0, False), strict=True)
    )


def test_seeds_epochs_and_places_change_a_batch(tmp_path) -> None:
    data = dataset(tmp_path, 12)
    batches = [Batches(data, recipe(plain=True), SIZE, PLAIN, seed=seed) for seed in (0, 1)]
    found = [b[place] for b in batches for place in ((0, 0), (0, 1), (1, 0), (1, 1))]
    for i, one in enumerate(found):
        assert not any(same(one, other) for other in found[:i])


def test_a_photo_is_changed_in_another_way_in_each_epoch(tmp_path) -> None:
    batches = Batches(dataset(tmp_path, 1), recipe(1, plain=True), SIZE, PLAIN)
    assert len({batches[epoch, 0].images.sum((0, 1, 2))[0].item() for epoch in range(12)}) == 2


def test_an_epoch_shows_every_photo_once_in_an_order_of_its_own(tmp_path) -> None:
    batches = Batches(dataset(tmp_path, 12), recipe(plain=True), SIZE, PLAIN)
    orders = [[i for step in range(3) for i in shown(batches[epoch, step])] for epoch in range(3)]
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_an_incomplete_batch_is_left_out(tmp_path) -> None:
    assert Batches(dataset(tmp_path, 11), recipe(4), SIZE, PLAIN).steps == 2


def test_processes_share_the_batch_of_one(tmp_path) -> None:
    data = dataset(tmp_path, 12)
    whole = Batches(data, recipe(plain=True), SIZE, PLAIN)
    parts = [Batches(data, recipe(plain=True), SIZE, PLAIN, 0, rank, 2) for rank in (0, 1)]
    assert all(part.steps == whole.steps and part.share == 2 for part in parts)
    for place in ((0, 0), (0, 2), (1, 1)):
        images = torch.cat([part[place].images for part in parts])
        assert torch.equal(images, whole[place].images)
        assert [i for part in parts for i in shown(part[place])] == shown(whole[place])


@pytest.mark.parametrize("variant", ["n", "s"])
def test_processes_augment_and_scale_as_one(tmp_path, variant) -> None:
    """All but MixUp and Copy-Blend, each epoch and step."""
    data, c = dataset(tmp_path, 12), of_variant(variant, mixing=False)
    whole = Batches(data, c, SIZE, PLAIN)
    parts = [Batches(data, c, SIZE, PLAIN, 0, rank, 2) for rank in (0, 1)]
    sizes = set()
    for place in whole.places(0):
        one, shares = whole[place], [part[place] for part in parts]
        assert torch.equal(torch.cat([share.images for share in shares]), one.images)
        targets = [target for share in shares for target in share.targets]
        for ours, theirs in zip(targets, one.targets, strict=True):
            assert torch.equal(ours.boxes, theirs.boxes)
        sizes.add(one.images.shape[2:])
    assert (len(sizes) > 1) == (variant == "s")


@pytest.mark.parametrize("variant", ["n", "s"])
def test_processes_mix_at_the_same_steps_and_have_the_same_size(tmp_path, variant) -> None:
    """Though their shares have other numbers of objects, and so draw other numbers of copies."""
    data = with_objects(dataset(tmp_path, 12), 1, 2, 3, 4)
    plain, mixed = (
        [Batches(data, of_variant(variant, mixing), SIZE, PLAIN, 0, rank, 2) for rank in (0, 1)]
        for mixing in (False, True)
    )
    kinds = set()
    for place in mixed[0].places(0):
        shares = [part[place] for part in mixed]
        assert shares[0].images.shape == shares[1].images.shape
        (found,) = {kind(part[place], share) for part, share in zip(plain, shares, strict=True)}
        kinds.add(found)
    assert kinds == {"none", "mixup", "copyblend"}


def with_objects(data: Dataset, *counts: int) -> Dataset:
    """So many in each photo in turn."""
    samples = [
        replace(sample, labels=sample.labels.repeat(n), boxes=sample.boxes.repeat(n, axis=0))
        for sample, n in zip(data.samples, itertools.cycle(counts), strict=False)
    ]
    return replace(data, samples=samples)


def of_variant(name: str, mixing: bool) -> Recipe:
    """What it does to whole batches, as often as its scales allow."""
    base, c = RECIPES[name], recipe(4, 8)
    repeats = None if base.augment.scale_repeats is None else 1
    assert base.mixing is not None and c.mixing is not None
    return replace(
        c,
        augment=replace(c.augment, mosaic=0.0, scale_repeats=repeats),
        mixing=replace(c.mixing, min_area=1, objects=8) if mixing else None,
    )


def kind(before: Batch, after: Batch) -> str:
    """Of mixing: each of two pictures gets the other's objects, or copies of those of both."""
    old, new = (sum(len(target.labels) for target in b.targets) for b in (before, after))
    return {old: "none", 2 * old: "mixup", 3 * old: "copyblend"}[new]


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path) -> None:
    data = dataset(tmp_path, 1)
    with pytest.raises(InputError, match=r"a batch of 4 cannot be shared by 3 processes.*--batch"):
        Batches(data, recipe(4), SIZE, PLAIN, processes=3)


def test_fewer_photos_than_a_batch_still_give_a_step(tmp_path) -> None:
    batches = Batches(dataset(tmp_path, 3), recipe(8, plain=True), SIZE, PLAIN)
    assert batches.steps == 1
    seen = shown(batches[0, 0])
    assert len(seen) == 8 and set(seen) == {0, 1, 2}


def test_a_batch_is_what_the_network_takes(tmp_path) -> None:
    data = dataset(tmp_path, 4)
    raw = Batches(data, recipe(plain=True), SIZE, PLAIN)[0, 0]
    mean, std = (0.5, 0.25, 0.125), (0.5, 1.0, 2.0)
    batch = Batches(data, recipe(plain=True), SIZE, (mean, std))[0, 0]
    assert batch.images.shape == (4, 3, 64, 96) and batch.images.dtype == torch.float32
    assert 0 <= raw.images.min() < 0.1 and 0.9 < raw.images.max() <= 1
    for channel in range(3):
        wanted = (raw.images[:, channel] - mean[channel]) / std[channel]
        torch.testing.assert_close(batch.images[:, channel], wanted)
    for target in batch.targets:
        assert target.boxes.dtype == torch.float32 and target.labels.dtype == torch.int64
        cx, cy, w, h = target.boxes[0].tolist()
        assert (cy, w, h) == pytest.approx((20 / 48, 32 / 64, 24 / 48), abs=1e-6)
        assert cx == pytest.approx(24 / 64, abs=1e-6) or cx == pytest.approx(40 / 64, abs=1e-6)


def test_pictures_are_those_on_disk(tmp_path) -> None:
    data = dataset(tmp_path, 1, SIZE[::-1])
    image = Batches(data, recipe(1, plain=True), SIZE, PLAIN)[0, 0].images[0]
    photo = torch.from_numpy(np.array(noise(SIZE[::-1], 0))).permute(2, 0, 1) / 255
    error = min((image - p).abs().mean().item() for p in (photo, photo.flip(2)))
    assert error < 0.02  # of JPEG


def test_all_that_the_recipe_does_gives_boxes_inside_the_picture(tmp_path) -> None:
    batches = Batches(dataset(tmp_path, 12), recipe(4, 4), SIZE, PLAIN)
    sizes, counts = set(), set()
    for batch in load(batches, batches.places(0), 0, False):
        sizes.add(tuple(batch.images.shape[2:]))
        for target in batch.targets:
            counts.add(len(target.labels))
            low, high = target.boxes[:, :2], target.boxes[:, 2:]
            assert (low - high / 2 >= -1e-5).all() and (low + high / 2 <= 1 + 1e-5).all()
            assert (high > 0).all()
    assert len(sizes) > 1 and all(side % 32 == 0 for size in sizes for side in size)
    assert len(counts) > 2  # mosaics and copies made some denser


def test_from_the_restart_epoch_pictures_have_one_size(tmp_path) -> None:
    c = recipe(1, 2, plain=True)
    c = replace(
        c,
        schedule=replace(c.schedule, restart_epoch=1),
        augment=replace(c.augment, scale_repeats=0),
    )
    batches = Batches(dataset(tmp_path, 8), c, (128, 128), PLAIN)
    assert {batches[0, step].images.shape[2] for step in range(8)} == {96, 160}
    assert {batches[1, step].images.shape[2] for step in range(8)} == {128}


@pytest.mark.parametrize(
    ("size", "least"),
    [((160, 160), (128, 128)), ((128, 160), (128, 160)), ((640, 640), (480, 480))],
)
def test_no_size_is_drawn_that_is_too_small_for_the_variant(tmp_path, size, least) -> None:
    """At 160 pixels the smallest of the recipe's is 96, which gives 189 tokens for 300 queries."""
    data, variant = dataset(tmp_path, 1), VARIANTS["s"]
    batches = Batches(data, recipe(1), size, PLAIN, variant=variant)
    assert min(batches.sizes) == least and size in batches.sizes
    for each in batches.sizes:
        check_size(*each, variant)


def test_300_objects_and_none_go_through(tmp_path) -> None:
    write_photos(tmp_path, 2)
    boxes = np.float32([[i % 20, i // 20, i % 20 + 20, i // 20 + 20] for i in range(300)])
    samples = [
        Sample(tmp_path / "0.jpg", np.arange(300), boxes, (64, 48)),
        Sample(tmp_path / "1.jpg", np.zeros(0, np.int64), np.zeros((0, 4), np.float32)),
    ]
    data = Dataset(samples, tuple(map(str, range(300))))
    batch = Batches(data, recipe(2, plain=True), SIZE, PLAIN)[0, 0]
    assert sorted(len(target.labels) for target in batch.targets) == [0, 300]
    batches = Batches(data, recipe(2, 6), SIZE, PLAIN)
    for batch in load(batches, batches.places(0), 0, False):
        assert torch.isfinite(batch.images).all()


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_a_truncated_photo_is_passed_over_and_replaced(tmp_path) -> None:
    data = dataset(tmp_path, 4)
    truncate(tmp_path / "2.jpg")
    batch = Batches(data, recipe(plain=True), SIZE, PLAIN)[0, 0]
    assert sorted(shown(batch)) == [0, 1, 3, 3]
    (reason,) = batch.unreadable
    assert "2.jpg' cannot be read" in reason


def test_a_photo_of_another_size_than_annotated_is_passed_over(tmp_path) -> None:
    data = dataset(tmp_path, 3)
    noise((48, 64), 1).save(tmp_path / "1.jpg")
    batch = Batches(data, recipe(3, plain=True), SIZE, PLAIN)[0, 0]
    assert sorted(shown(batch)) == [0, 2, 2]
    (reason,) = batch.unreadable
    assert "1.jpg' has 48 x 64 pixels" in reason and "expected 64 x 48 as annotated; use" in reason


def test_too_many_unusable_photos_in_a_row_are_an_error(tmp_path) -> None:
    data = dataset(tmp_path, ATTEMPTS + 5)
    for sample in data.samples[:-1]:
        truncate(sample.path)
    batches = Batches(data, recipe(ATTEMPTS + 5, plain=True), SIZE, PLAIN)
    with pytest.raises(InputError, match=rf"^{ATTEMPTS} photos in a row cannot be used"):
        _ = batches[0, 0]


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_but_corrupt_photos_is_an_error_of_one_line(tmp_path, workers) -> None:
    data = dataset(tmp_path, 2)
    for sample in data.samples:
        truncate(sample.path)
    batches = Batches(data, recipe(2), SIZE, PLAIN)
    with pytest.raises(InputError, match=r"^2 photos in a row cannot be used, .*$") as caught:
        next(load(batches, batches.places(0), workers, pinned=False))
    assert len(str(caught.value).splitlines()) == 1


FAILS = """
import sys
from pathlib import Path
from deimv2.training.data.batches import load
from deimv2.tests.training.data.test_batches import PLAIN, SIZE, Batches, dataset, recipe

if __name__ == "__main__":
    batches = Batches(dataset(Path(sys.argv[1]), 8), recipe(2, 50), SIZE, PLAIN)
    for batch in load(batches, batches.places(0), 2, False):
        raise RuntimeError("something else went wrong")
"""


def test_workers_end_with_a_training_that_fails(tmp_path) -> None:
    """Python waits for them at its end: it must be able to end them."""
    result = subprocess.run(
        [sys.executable, "-c", FAILS, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "ended, expected" not in result.stderr
    assert result.stderr.strip().splitlines()[-1] == "RuntimeError: something else went wrong"


class Unsharable(torch.utils.data.Dataset):
    def __getitem__(self, place):
        return threading.Lock()  # fails where a full /dev/shm does, as it is handed over


def test_a_batch_that_cannot_be_handed_over_ends_the_training(capfd) -> None:
    with pytest.raises(InputError, match=r"ended, .* continue with --resume and fewer --workers"):
        next(load(Unsharable(), [0, 1], 1, pinned=False))
    assert "deimv2: a batch cannot be handed over: cannot pickle" in capfd.readouterr().err


class Zeros(torch.utils.data.Dataset):
    def __getitem__(self, index: int) -> Batch:
        return Batch(torch.zeros(2), [])


class CutOff(torch.utils.data.Dataset):
    def __getitem__(self, index: int) -> "Unfinished":
        return Unfinished()


class Unfinished:
    """As what comes from a worker that ends while its batch is taken over."""

    def __reduce__(self) -> tuple:
        return cut_off, ()


def cut_off() -> None:
    raise EOFError


def test_a_batch_that_is_cut_off_ends_the_training_in_one_line() -> None:
    with pytest.raises(InputError, match=r"ended, .* continue with --resume and fewer --workers"):
        next(load(CutOff(), [0, 1], 1, pinned=False))


def test_a_recipe_without_mixing_works_too(tmp_path) -> None:
    c = replace(ATTO, schedule=replace(ATTO.schedule, batch=4))
    batch = Batches(dataset(tmp_path, 4), c, SIZE, PLAIN)[100, 0]
    assert batch.images.shape == (4, 3, *SIZE)
