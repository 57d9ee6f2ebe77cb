"""Ranges from photographs: the same each time, and the ones with the least error."""

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from model import DEIMv2, build_model
from model.errors import InputError
from model.images import find_photos
from quantization.calibrate import BINS, best_range, calibrate, observe, photos_of
from quantization.prepare import apply_ranges, set_ranges
from quantization.rounding import LOW, Range, Rounder
from tests.quantization.nets import maps_of, random_net
from tests.training.scenes import GARMENTS

SIZE = 160


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    return random_net("atto", SIZE)


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    return find_photos(GARMENTS)[:12]


def histogram(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    low, high = float(values.min()), float(values.max())
    return np.histogram(values, BINS, (low, high))[0].astype(float), low, high


def error(values: np.ndarray, found: Range) -> float:
    rounder = Rounder("here")
    rounder.range = found
    x = torch.from_numpy(values).float()
    return float((rounder(x) - x).square().mean())


def test_a_rare_outlier_is_cut_off() -> None:
    values = np.append(np.random.default_rng(0).normal(0, 1, 200_000), 100.0)
    counts, low, high = histogram(values)
    counts[:-1] *= 10_000
    found = best_range(counts, low, high)
    assert 3 < found.high < 12 and -7 < found.low < -3


def test_evenly_spread_values_keep_their_range() -> None:
    found = best_range(*histogram(np.linspace(-1.0, 3.0, 100_000)))
    assert found.low == pytest.approx(-1, abs=0.05) and found.high == pytest.approx(3, abs=0.15)


def test_values_above_0_get_all_steps() -> None:
    found = best_range(*histogram(np.random.default_rng(0).uniform(0.5, 2.0, 50_000)))
    assert found.low == 0 and found.zero_point == LOW


def test_no_better_range_is_near() -> None:
    """Against every rescaling of the range, by the values themselves and not their histogram."""
    values = np.random.default_rng(1).laplace(0.3, 1.0, 100_000)
    found = best_range(*histogram(values))
    least = error(values, found)
    for low in (0.6, 0.8, 1.25, 1.7):
        for high in (0.6, 0.8, 1.25, 1.7):
            assert least < 1.02 * error(values, Range(found.low * low, found.high * high))


def test_one_value_alone_has_a_range() -> None:
    assert best_range(np.array([5.0]), 0.7, 0.7) == Range(0.0, 0.7)
    assert best_range(np.array([5.0]), 0.0, 0.0).scale > 0


def test_it_is_deterministic_and_small_errors_remain(net: DEIMv2, photos: list[Path]) -> None:
    images = photos_of(net, photos)
    first, second = copy.deepcopy(net), copy.deepcopy(net)
    found = calibrate(first, images)
    assert found == calibrate(second, images)
    assert found.photos == len(photos) and found.constant == ()
    ranges = found.ranges
    assert all(found.low <= 0 <= found.high for found in ranges.values())
    again = copy.deepcopy(net)
    apply_ranges(again, {name: (found.low, found.high) for name, found in ranges.items()})
    image = next(images())
    expected, found, repeated = (maps_of(each, image) for each in (net, first, again))
    for a, b, c in zip(expected, found, repeated, strict=True):
        assert torch.equal(b, c)
        assert 0 < (a - b).square().mean() < 0.02 * a.square().mean()


def test_a_prepared_network_tells_its_ranges_and_keeps_those_it_has(
    net: DEIMv2, photos: list[Path]
) -> None:
    images = photos_of(net, photos)
    prepared = copy.deepcopy(net)
    found = calibrate(prepared, images)
    apply_ranges(other := copy.deepcopy(net), {name: (-1.0, 1.0) for name in found.ranges})
    image = next(images())
    before = maps_of(other, image)
    assert observe(other, images) == found
    for a, b, wanted in zip(before, maps_of(other, image), maps_of(prepared, image), strict=True):
        assert torch.equal(a, b) and not torch.equal(a, wanted)


def test_bounds_follow_the_last_ranges_alone(net: DEIMv2, photos: list[Path]) -> None:
    ranges = calibrate(first := copy.deepcopy(net), photos_of(net, photos)).ranges
    second = copy.deepcopy(net)
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
