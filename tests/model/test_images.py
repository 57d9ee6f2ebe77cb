"""A photo of any kind ends as upright RGB, or as one line that says what is wrong with it."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos, load_photo, normalise, resize, to_tensor

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
UPRIGHT = np.array([[RED, GREEN, BLUE], [WHITE, RED, GREEN]], np.uint8)  # 2 x 3, all ways differ

# How a camera stores an upright picture under each EXIF orientation (EXIF 2.3, tag 0x0112).
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1),
    7: UPRIGHT[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, -1),
}


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def pixel(path: Path) -> tuple[int, ...]:
    photo = load_photo(path)
    assert photo.mode == "RGB"
    return photo.getpixel((0, 0))


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as error:
        load_photo(path)
    message = str(error.value)
    assert "\n" not in message
    assert path.name in message
    assert "expected" in message
    return message


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "jpg", "bmp"])
def test_every_format_gives_the_same_rgb(tmp_path: Path, suffix: str) -> None:
    path = save(Image.new("RGB", (9, 7), (200, 100, 50)), tmp_path / f"photo.{suffix}")
    assert load_photo(path).size == (9, 7)
    assert np.abs(np.subtract(pixel(path), (200, 100, 50))).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_is_turned_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    path = save(stored, tmp_path / f"turned.{suffix}", exif=exif)
    np.testing.assert_array_equal(np.asarray(load_photo(path)), UPRIGHT)


def test_a_16_bit_photo_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.array([[257, 514, 771]], np.uint16))
    path = save(stored, tmp_path / "turned.png", exif=exif)
    assert np.asarray(load_photo(path))[..., 0].tolist() == [[1], [2], [3]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = save(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "print.jpg", quality=95)
    red, green, blue = pixel(path)
    assert red > 240
    assert green < 15
    assert blue < 15


@pytest.mark.parametrize(("mode", "colour"), [("1", 1), ("L", 90), ("LA", (90, 10))])
def test_grey_is_repeated_in_all_channels(tmp_path: Path, mode: str, colour: int) -> None:
    value = 255 if mode == "1" else 90
    assert pixel(save(Image.new(mode, (4, 4), colour), tmp_path / "grey.png")) == (value,) * 3


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    deep = np.array([[0, 257, 32768, 65535]], np.uint16)
    path = save(Image.fromarray(deep), tmp_path / f"deep.{suffix}")
    assert np.asarray(load_photo(path))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_16_bit_grey_in_32_bit_integers_is_scaled_too(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.array([[0, 32768, 65535]], np.int32)), tmp_path / "deep.tiff")
    assert np.asarray(load_photo(path))[0, :, 0].tolist() == [0, 128, 255]


def test_8_bit_grey_in_32_bit_integers_stays_as_it_is(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.array([[0, 128, 255]], np.int32)), tmp_path / "deep.tiff")
    assert np.asarray(load_photo(path))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    "pixels", [np.array([[70000]], np.int32), np.array([[-1]], np.int32), np.ones((1, 1), "f4")]
)
def test_pixels_of_unknown_range_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    assert "save it as 8-bit" in complaint(save(Image.fromarray(pixels), tmp_path / "deep.tiff"))


def test_transparency_is_dropped_not_blended(tmp_path: Path) -> None:
    path = save(Image.new("RGBA", (4, 4), (10, 200, 30, 0)), tmp_path / "clear.png")
    assert pixel(path) == (10, 200, 30)


def test_a_palette_with_transparency_keeps_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 200, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    path = save(image, tmp_path / "palette.png", transparency=bytes([0, 128]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = np.asarray(load_photo(path))
    assert pixels[0].tolist() == [[10, 200, 30], [40, 50, 60]]


@pytest.mark.parametrize("size", [(1, 1), (8000, 10), (10, 8000)])
def test_extreme_sizes_are_photos_too(tmp_path: Path, size: tuple[int, int]) -> None:
    photo = load_photo(save(Image.new("RGB", size, RED), tmp_path / "odd.png"))
    assert photo.size == size
    resized = resize(photo, (32, 48))
    assert resized.shape == (32, 48, 3)
    assert (resized == RED).all()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no photo at" in complaint(tmp_path / "nowhere.jpg")


def test_a_folder_is_not_a_photo(tmp_path: Path) -> None:
    assert "is a folder" in complaint(tmp_path)


def test_text_under_an_image_name_is_not_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("not a photo at all")
    assert "is of no kind that is read" in complaint(path)


def test_a_format_outside_the_list_is_refused(tmp_path: Path) -> None:
    path = save(Image.new("RGB", (4, 4)), tmp_path / "page.jpg", format="EPS")
    assert "is of no kind that is read" in complaint(path)


def test_an_empty_file_is_not_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.touch()
    assert "0 bytes" in complaint(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = save(Image.fromarray(noise), tmp_path / f"whole.{suffix}").read_bytes()
    path = tmp_path / f"half.{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    complaint(path)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    path = save(Image.new("L", (1, 1)), tmp_path / "bomb.png")
    data = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 20_000, 20_000) + data[24:29]
    path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    assert "178 megapixels" in complaint(path)


def test_resize_is_pil_bilinear_stretching_to_height_by_width() -> None:
    photo = load_photo(PHOTOGRAPHS[0])
    resized = resize(photo, (320, 416))
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, photo.resize((416, 320), Image.Resampling.BILINEAR))


def test_resize_antialiases() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(resize(Image.fromarray(stripes), (8, 8))[:, 1:-1].astype(int)) < 8


def test_resize_refuses_what_it_was_not_made_for() -> None:
    with pytest.raises(InputError, match="mode is L"):
        resize(Image.new("L", (4, 4)), (8, 8))
    with pytest.raises(InputError, match=r"\(0, 8\)"):
        resize(Image.new("RGB", (4, 4)), (0, 8))


def test_to_tensor_puts_channels_first_and_scales_to_one() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = to_tensor(np.asarray(Image.fromarray(UPRIGHT)))  # read-only, as PIL gives it
    assert tensor.shape == (1, 3, 2, 3)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    assert tensor[0, :, 0, 1].tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("image", [np.zeros((2, 2, 3)), np.zeros((3, 2, 2), np.uint8)])
def test_to_tensor_refuses_other_arrays(image: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected uint8"):
        to_tensor(image)


def test_normalise_works_per_channel() -> None:
    images = torch.full((2, 3, 4, 5), 0.5)
    out = normalise(images, mean=(0.5, 0.25, 0.0), std=(0.1, 0.5, 0.25))
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert out[1, :, 3, 4].tolist() == [0.0, 0.5, 2.0]


def test_photos_are_found_in_order_of_their_names(tmp_path: Path) -> None:
    for name in ["b.PNG", "a.jpg", "notes.txt", "c.tiff", "._a.jpg"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in find_photos(tmp_path)] == ["a.jpg", "b.PNG", "c.tiff"]


def test_a_folder_without_photos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no photos in"):
        find_photos(tmp_path)
    with pytest.raises(InputError, match="no folder at"):
        find_photos(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("http://example.com/a.jpg", "'http://example.com/a.jpg' is a URL, expected a file; downl"),
        ("rtsp://camera/1", "'rtsp://camera/1' is a URL"),
        ("0", "'0' is a camera, expected a file; record a video first"),
        ("-", "'-' is standard input, expected a file; save it as one first"),
        ("C:/none.jpg", "no photo at 'C:/none.jpg'"),
    ],
)
def test_what_names_no_file_is_told_apart(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        load_photo(name)


def test_the_photographs_are_real_small_and_attributed() -> None:
    attribution = (PHOTOGRAPHS[0].parent / "ATTRIBUTION.md").read_text()
    assert len(PHOTOGRAPHS) >= 4
    for path in PHOTOGRAPHS:
        photo = load_photo(path)
        assert 256 <= max(photo.size) <= 640
        assert np.asarray(photo).std() > 30
        assert path.stat().st_size < 120_000
        assert f"`{path.name}`" in attribution


def test_a_damaged_avif_is_named(tmp_path: Path) -> None:
    """Its decoder raises a RuntimeError, for some damage when it is opened already."""
    Image.new("RGB", (64, 64), RED).save(path := tmp_path / "a.avif")
    whole = path.read_bytes()
    for box in (b"iloc", b"mdat"):
        start = whole.index(box) + len(box)
        path.write_bytes(whole[:start] + bytes(16) + whole[start + 16 :])
        assert "cannot be read (" in complaint(path)


def test_avif_is_read_and_heic_names_the_plug_in(tmp_path: Path) -> None:
    Image.new("RGB", (32, 16), (200, 10, 10)).save(tmp_path / "a.avif")
    assert load_photo(tmp_path / "a.avif").size == (32, 16)
    (tmp_path / "b.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(InputError, match="pip install pillow-heif; or convert it to JPEG"):
        load_photo(tmp_path / "b.heic")
