"""Ranges and weights from photographs: the same each time, and from every photo."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from deimv2.api.calibration import calibration_frames
from deimv2.model import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos
from deimv2.model.layers import MLP, ConvNorm, RepVGG
from deimv2.model.progress import SILENT
from deimv2.model.weights import load_weights, read_checkpoint, read_metadata, save_weights
from deimv2.quantization.calibration import (
    Calibration,
    calibrate,
    observe,
    photos_of,
    pixels,
    smooth,
)
from deimv2.quantization.histogram import Histogram
from deimv2.quantization.prepare import apply_ranges, prepare, set_ranges
from deimv2.quantization.restore import restore
from deimv2.quantization.rounding import Clamp, FakeQuantize, Range, RoundedConv, RoundedLinear
from deimv2.tests.quantization.nets import maps_of, random_net
from deimv2.tests.training.scenes import GARMENTS

SIZE = 160


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    return random_net("atto", SIZE)


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    return find_photos(GARMENTS)[:12]


Calibrated = tuple[DEIMv2, Calibration]


@pytest.fixture(scope="module")
def calibrated(net: DEIMv2, photos: list[Path]) -> Calibrated:
    """The net after it, and what was found; to be copied, not changed."""
    prepared = copy.deepcopy(net)
    return prepared, calibrate(prepared, photos_of(net, photos))


def test_it_is_deterministic_and_small_errors_remain(
    net: DEIMv2, photos: list[Path], calibrated: Calibrated
) -> None:
    images = photos_of(net, photos)
    (first, found), second = calibrated, copy.deepcopy(net)
    assert found == calibrate(second, images)
    assert found.photos == len(photos) and found.constant == ()
    assert all(each.low <= 0 <= each.high for each in found.ranges.values())
    image = next(images())
    for exact, a, b in zip(*(maps_of(each, image) for each in (net, first, second)), strict=True):
        assert torch.equal(a, b)
        assert 0 < (a - exact).square().mean() < 0.1 * exact.square().mean()


def test_a_checkpoint_says_all_that_was_found(
    net: DEIMv2, photos: list[Path], calibrated: Calibrated, tmp_path: Path
) -> None:
    """Weights and ranges, to the bit, as every file is exported from them."""
    images = photos_of(net, photos)
    prepared, found = copy.deepcopy(calibrated)
    names = tuple("abcde")
    save_weights(restore(prepared), path := tmp_path / "q.safetensors", names, ranges=found.ranges)
    load_weights(again := copy.deepcopy(net), read_checkpoint(path))
    apply_ranges(again, read_metadata(path).ranges or {})
    image = next(images())
    for a, b in zip(maps_of(prepared, image), maps_of(again, image), strict=True):
        assert torch.equal(a, b)


def test_a_prepared_network_tells_its_ranges_and_keeps_those_it_has(
    net: DEIMv2, photos: list[Path], calibrated: Calibrated
) -> None:
    images, (_, found) = photos_of(net, photos), calibrated
    apply_ranges(other := copy.deepcopy(net), {name: (-1.0, 1.0) for name in found.ranges})
    image = next(images())
    before = maps_of(other, image)
    assert observe(other, images) == found
    for a, b in zip(before, maps_of(other, image), strict=True):
        assert torch.equal(a, b)


def test_bounds_follow_the_last_ranges_alone(
    net: DEIMv2, photos: list[Path], calibrated: Calibrated
) -> None:
    ranges = calibrated[1].ranges
    first, second = copy.deepcopy(net), copy.deepcopy(net)
    apply_ranges(first, ranges)
    apply_ranges(second, {name: (low / 7, high / 7) for name, (low, high) in ranges.items()})
    set_ranges(second, ranges)
    image = next(photos_of(net, photos)())
    for a, b in zip(maps_of(first, image), maps_of(second, image), strict=True):
        assert torch.equal(a, b)


def test_pixels_pass_through_the_first_fake_quantizer_unchanged(
    net: DEIMv2, calibrated: Calibrated
) -> None:
    """Of all that a pixel can be, not of what these photos hold."""
    dim = [torch.full((1, 3, SIZE, SIZE), 0.4 + 0.02 * i) for i in range(8)]
    batches = torch.cat(dim).split(4)
    of_dim = calibrate(copy.deepcopy(net), lambda: batches)
    for found, count in ((calibrated[1], 12), (of_dim, 8)):
        assert found.ranges["image"] == Range(0.0, 1.0) and found.photos == count


def test_pixels_of_a_normalised_image_reach_below_0() -> None:
    ends = pixels(build_model("s", image_size=160))
    assert (ends.low, ends.high) == pytest.approx((-0.485 / 0.229, (1 - 0.406) / 0.225))


def test_weights_are_fitted_to_the_ranges(net: DEIMv2, calibrated: Calibrated) -> None:
    """That it helps is tested with `fit` itself."""
    (fitted, found), plain = calibrated, copy.deepcopy(net)
    apply_ranges(plain, found.ranges)
    others = plain.state_dict()
    moved = {name for name, value in fitted.state_dict().items() if not value.equal(others[name])}
    rounded = {
        f"{name}.weight"
        for name, layer in plain.named_modules()
        if isinstance(layer, RoundedConv | RoundedLinear)
    }
    assert len(rounded) > 30 and len(moved & rounded) > 0.9 * len(rounded)


def test_what_bends_values_is_known_where_they_are_counted(net: DEIMv2) -> None:
    """The ranges before a SiLU are chosen by what comes out of it."""
    prepare(prepared := copy.deepcopy(net).eval())
    found = smooth(prepared)
    kinds = {type(block) for block in prepared.modules() if isinstance(block, ConvNorm | RepVGG)}
    assert kinds == {ConvNorm, RepVGG}
    for block in prepared.modules():
        point = block.raw if isinstance(block, ConvNorm) else None
        if isinstance(block, RepVGG):
            point = block.conv1.out
        if isinstance(point, FakeQuantize):
            assert found[point.name] is block.act
    assert any(name.endswith(".raw") for name in found)
    assert {type(act) for act in found.values()} <= {nn.SiLU, nn.GELU, nn.ReLU, Clamp}


def test_ranges_before_what_bends_are_chosen_by_what_comes_out(
    net: DEIMv2, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(prepared := copy.deepcopy(net).eval())
    images, known = photos_of(net, photos[:8]), smooth(prepared)
    found = observe(prepared, images).ranges
    monkeypatch.setattr("deimv2.quantization.calibration.smooth", lambda _: {})
    plain = observe(prepared, images).ranges
    moved = {name for name, each in found.items() if each != plain[name]}
    assert moved and moved <= known.keys()


def test_between_the_layers_of_a_head_it_is_silu(net: DEIMv2) -> None:
    """Where sensitivity puts heads into int8."""
    prepare(prepared := copy.deepcopy(net).eval(), lambda name: "decoder.dec_bbox_head." in name)
    found = smooth(prepared)
    heads = [block for block in prepared.decoder.dec_bbox_head if isinstance(block, MLP)]
    assert heads
    for point in (point for head in heads for point in head.after[:-1]):
        assert isinstance(point, FakeQuantize) and isinstance(found[point.name], nn.SiLU)


def test_a_fake_quantizer_has_a_histogram_for_each_of_its_places_not_for_each_batch(
    net: DEIMv2, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(prepared := copy.deepcopy(net).eval())
    counts: list[int] = []
    monkeypatch.setattr(
        Histogram, "range", lambda each: counts.append(len(each.counts)) or Range(-1.0, 1.0)
    )
    observe(prepared, photos_of(net, photos[:8]))
    assert 1 < max(counts) < 8


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


def test_ranges_of_another_variant_are_refused(calibrated: Calibrated) -> None:
    plain = {name: (each.low, each.high) for name, each in calibrated[1].ranges.items()}
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


def test_no_readable_photo_is_told_of_a_folder_or_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"none")
    with pytest.raises(InputError, match=f"^no photo in '{tmp_path}' can be read"):
        calibration_frames((SIZE, SIZE), "demo", tmp_path, 8, SILENT)

    def broken(folders: Mapping[str, str], *_: object, **__: object) -> None:
        (Path(folders["train"]) / "a.jpg").write_bytes(b"none")

    monkeypatch.setattr("deimv2.api.calibration.make_scenes", broken)
    with pytest.raises(InputError, match=r"^no photo can be read"):
        calibration_frames((SIZE, SIZE), "demo", None, 8, SILENT)
