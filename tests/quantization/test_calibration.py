"""Ranges and weights from photographs: the same each time, and from every photo."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from deimv2.model import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos
from deimv2.model.weights import load_weights, read_checkpoint, read_metadata, save_weights
from deimv2.quantization.calibration import calibrate, observe, photos_of
from deimv2.quantization.prepare import apply_ranges, set_ranges
from deimv2.quantization.restore import restore
from deimv2.quantization.rounding import Range
from deimv2.tests.quantization.nets import maps_of, random_net
from deimv2.tests.training.scenes import GARMENTS

SIZE = 160


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    return random_net("atto", SIZE)


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    return find_photos(GARMENTS)[:12]


def test_it_is_deterministic_and_small_errors_remain(net: DEIMv2, photos: list[Path]) -> None:
    images = photos_of(net, photos)
    first, second = copy.deepcopy(net), copy.deepcopy(net)
    found = calibrate(first, images)
    assert found == calibrate(second, images)
    assert found.photos == len(photos) and found.constant == ()
    assert all(each.low <= 0 <= each.high for each in found.ranges.values())
    image = next(images())
    for exact, a, b in zip(*(maps_of(each, image) for each in (net, first, second)), strict=True):
        assert torch.equal(a, b)
        assert 0 < (a - exact).square().mean() < 0.1 * exact.square().mean()


def test_a_checkpoint_says_all_that_was_found(
    net: DEIMv2, photos: list[Path], tmp_path: Path
) -> None:
    """Weights and ranges, to the bit, as every file is exported from them."""
    images = photos_of(net, photos)
    found = calibrate(prepared := copy.deepcopy(net), images)
    names = tuple("abcde")
    save_weights(restore(prepared), path := tmp_path / "q.safetensors", names, ranges=found.ranges)
    load_weights(again := copy.deepcopy(net), read_checkpoint(path))
    apply_ranges(again, read_metadata(path).ranges or {})
    image = next(images())
    for a, b in zip(maps_of(prepared, image), maps_of(again, image), strict=True):
        assert torch.equal(a, b)


def test_a_prepared_network_tells_its_ranges_and_keeps_those_it_has(
    net: DEIMv2, photos: list[Path]
) -> None:
    images = photos_of(net, photos)
    found = calibrate(copy.deepcopy(net), images)
    apply_ranges(other := copy.deepcopy(net), {name: (-1.0, 1.0) for name in found.ranges})
    image = next(images())
    before = maps_of(other, image)
    assert observe(other, images) == found
    for a, b in zip(before, maps_of(other, image), strict=True):
        assert torch.equal(a, b)


def test_bounds_follow_the_last_ranges_alone(net: DEIMv2, photos: list[Path]) -> None:
    ranges = calibrate(copy.deepcopy(net), photos_of(net, photos)).ranges
    first, second = copy.deepcopy(net), copy.deepcopy(net)
    apply_ranges(first, ranges)
    apply_ranges(second, {name: (low / 7, high / 7) for name, (low, high) in ranges.items()})
    set_ranges(second, ranges)
    image = next(photos_of(net, photos)())
    for a, b in zip(maps_of(first, image), maps_of(second, image), strict=True):
        assert torch.equal(a, b)


def test_pixels_pass_through_the_first_rounder_unchanged(net: DEIMv2, photos: list[Path]) -> None:
    ranges = calibrate(copy.deepcopy(net), photos_of(net, photos)).ranges
    assert ranges["image"] == Range(0.0, 1.0)


def test_too_few_photos_are_refused(net: DEIMv2, photos: list[Path]) -> None:
    with pytest.raises(InputError, match="3 photos to calibrate with, expected at least 8"):
        calibrate(copy.deepcopy(net), photos_of(net, photos[:3]))


def test_ranges_of_which_nothing_is_known_are_named(net: DEIMv2) -> None:
    black = torch.zeros(1, 3, SIZE, SIZE)
    found = calibrate(copy.deepcopy(net), lambda: [black] * 8)
    assert "image" in found.constant and len(found.constant) < len(found.ranges)


def test_weights_that_give_no_numbers_are_refused(net: DEIMv2, photos: list[Path]) -> None:
    broken = copy.deepcopy(net)
    broken.backbone.stem.stem1.conv.weight.data[0] = float("nan")
    with pytest.raises(InputError, match=r"values at '.*' reach from .*nan.*, expected numbers"):
        calibrate(broken, photos_of(broken, photos))


def test_ranges_of_another_variant_are_refused(net: DEIMv2, photos: list[Path]) -> None:
    ranges = calibrate(copy.deepcopy(net), photos_of(net, photos)).ranges
    plain = {name: (found.low, found.high) for name, found in ranges.items()}
    other = build_model("n", 5, SIZE * 2)
    with pytest.raises(InputError, match=r"expected the \d+ of variant 'n'"):
        apply_ranges(other, plain)


def test_a_photo_that_cannot_be_read_is_told_where_somebody_listens(
    net: DEIMv2, photos: list[Path], tmp_path: Path
) -> None:
    (broken := tmp_path / "broken.jpg").write_bytes(photos[0].read_bytes()[:200])
    told: list[str] = []
    paths = [photos[0], broken, photos[1]]
    assert len(list(photos_of(net, paths, unreadable=told.append)())) == 2
    assert len(told) == 1 and "broken.jpg" in told[0]
    with pytest.raises(InputError, match=r"broken\.jpg"):
        list(photos_of(net, paths)())


def test_photos_are_read_anew_on_every_pass(net: DEIMv2, photos: list[Path]) -> None:
    seen: list[Path] = []

    def note(paths: list[Path]) -> Iterator[Path]:
        for path in paths:
            seen.append(path)
            yield path

    images = photos_of(net, photos[:2], note)
    first, second = list(images()), list(images())
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert seen == [*photos[:2], *photos[:2]]
