"""From a photo on disk to the network's input, the same way everywhere.

Photo, upright and RGB -> stretched to the input size -> float32 in 0..1 -> normalised.
Each arrow is a function here; training, `predict`, calibration and golden files all use them.
"""

import struct
import warnings
import zlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError, features

from deimv2.model.errors import InputError
from deimv2.model.files import require_local

if TYPE_CHECKING:
    import torch

AVIF = ("AVIF",) if features.check("avif") else ()  # as Pillow was built
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", *AVIF)
HEIF = frozenset({".heic", ".heif"})  # read by a plug-in of Pillow's, where it is installed
SUFFIXES = HEIF | {
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif",
}  # fmt: skip
KINDS = "JPEG, PNG, WebP, AVIF, BMP or TIFF"

# What Pillow's decoders raise on damaged files, AVIF's a RuntimeError. Its switch
# LOAD_TRUNCATED_IMAGES stays off: half a photo would be detected on without a word.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error, zlib.error)

Item = TypeVar("Item")


def load_photo(path: str | PathLike[str]) -> Image.Image:
    """Reads a photo as 8-bit RGB, turned upright as its EXIF orientation says.

    Greyscale is repeated into three channels, 16-bit greyscale scaled to 8 bits (65535 -> 255).
    Transparency is dropped, not blended, as PIL's `convert("RGB")` does it and as the network was
    trained. Of an animation, the first frame is read.

    Raises InputError if there is no photo at `path`, or it is damaged, of another format, larger
    than Pillow's limit against decompression bombs (178 megapixels), or of more than 16 bits.
    """
    path = Path(path)
    _require_content(path)
    formats = _formats(path)
    try:
        with warnings.catch_warnings():  # Pillow warns from half its limit on
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as photo:
                upright = ImageOps.exif_transpose(photo)
    except Image.DecompressionBombError:
        raise InputError(
            f"'{path}' has more than 178 megapixels, expected a photo; scale it down first"
        ) from None
    except UnidentifiedImageError:
        raise InputError(
            f"'{path}' is of no kind that is read here, whatever its name says; expected {KINDS}; "
            "convert it first"
        ) from None
    except DAMAGED as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"'{path}' cannot be read ({reason}); expected a whole {KINDS} file; copy it again"
        ) from error
    return _to_rgb(upright, f"'{path}'")


def as_photo(image: Image.Image) -> Image.Image:
    """What `load_photo` gives for the file that an image was opened from: upright, 8-bit RGB.

    Raises InputError as that does, and for an image without pixels.
    """
    name = f"the image {image.size[0]}x{image.size[1]} in mode {image.mode}"
    if 0 in image.size:
        raise InputError(f"{name} has no pixels, expected a photo")
    try:
        return _to_rgb(ImageOps.exif_transpose(image), name)
    except DAMAGED as error:  # Pillow reads pixels when they are asked for
        reason = " ".join(str(error).split())
        raise InputError(f"{name} cannot be read ({reason}), expected a whole one") from error


def resize(photo: Image.Image, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Stretches an RGB photo to `size` = (H, W) in pixels; the aspect ratio is not kept.

    Bilinear with antialiasing, as PIL's BILINEAR does it. Returns uint8 [H, W, 3] in 0..255.
    Raises InputError if the photo is not RGB or a side of `size` is below 1.
    """
    height, width = size
    if photo.mode != "RGB":
        raise InputError(f"the photo's mode is {photo.mode}, expected RGB; use load_photo")
    if height < 1 or width < 1:
        raise InputError(f"size is {size}, expected (height, width) of at least 1 pixel each")
    return np.array(photo.resize((width, height), Image.Resampling.BILINEAR))


def find_photos(folder: str | PathLike[str], below: bool = False) -> list[Path]:
    """The photos in a folder, known by their suffix, sorted by path. Subfolders are searched too if
    `below` is set, or if the folder itself has no photos.

    Raises InputError if the folder does not exist or holds none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"no folder at '{folder}', expected one with photos; check the path")
    photos = sorted(
        path
        for path in (folder.rglob("*") if below else folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not photos and not below and any(child.is_dir() for child in folder.iterdir()):
        return find_photos(folder, below=True)
    if not photos:
        raise InputError(f"no photos in '{folder}', expected {KINDS} files; name another folder")
    return photos


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items (1 or more), evenly spaced, in their order."""
    share = max(1.0, len(items) / most)
    return [items[int(i * share)] for i in range(min(most, len(items)))]


def to_tensor(image: npt.NDArray[np.uint8]) -> "torch.Tensor":
    """uint8 [H, W, 3] in 0..255 -> float32 [1, 3, H, W] in 0..1. Raises InputError otherwise."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"the image is {image.dtype} {list(image.shape)}, expected uint8 [H, W, 3]; use resize"
        )
    import torch

    return torch.tensor(image).permute(2, 0, 1)[None].float().contiguous() / 255


def normalise(
    images: "torch.Tensor", mean: Sequence[float], std: Sequence[float]
) -> "torch.Tensor":
    """(images - mean) / std per channel. images: float32 [B, 3, H, W] in 0..1."""
    statistics = images.new_tensor([mean, std]).view(2, 1, -1, 1, 1)
    return (images - statistics[0]) / statistics[1]


def _formats(path: Path) -> tuple[str, ...]:
    """Pillow's formats that a file of this name may have."""
    if path.suffix.lower() not in HEIF:
        return FORMATS
    try:
        import pillow_heif
    except ImportError as error:
        raise InputError(
            f"'{path}' is a HEIC photo, which needs a plug-in: pip install pillow-heif; or convert "
            "it to JPEG"
        ) from error
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _require_content(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"'{path}' is a folder, expected one photo; name a file inside it")
    require_local(path)
    if not path.is_file():
        raise InputError(f"no photo at '{path}', expected a {KINDS} file; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"'{path}' is empty (0 bytes), expected {KINDS}; copy it again")


def _to_rgb(photo: Image.Image, name: str) -> Image.Image:
    if photo.mode == "F":
        raise InputError(
            f"{name} has floating-point pixels, expected 8 or 16 bits; save it as 8-bit"
        )
    if photo.mode.startswith("I"):  # 16-bit greyscale: convert("RGB") would clip at 255
        wide = np.asarray(photo).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise InputError(f"{name} has 32-bit pixels, expected 8 or 16; save it as 8-bit")
        # 32 bits hold either; what is nearly black in 16 of them was meant in 8
        in_8_bits = photo.mode == "I" and wide.max() <= 255
        wide = wide if in_8_bits else (wide * 255 + 32767) // 65535
        photo = Image.fromarray(wide.astype(np.uint8))
    if photo.mode == "P" and "transparency" in photo.info:
        photo = photo.convert("RGBA")  # the same colours, without Pillow's warning
    return photo.convert("RGB")
