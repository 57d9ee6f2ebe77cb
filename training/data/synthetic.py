"""The demo's data set: garments of Fashion-MNIST on photographs, at many sizes, turns and tints.

Sources, as the documentation of the demo lists them: the garments are Zalando's Fashion-MNIST (MIT
licence; arXiv 1708.07747), whose grey level serves as opacity and shading; the photographs are the
caller's. Scene i of a set depends on the seed and on i alone, so that any part of a set can be made
again. The classes Shirt and Pullover are left out: at 28 pixels they are hardly told from T-shirts
and coats, even by people (83.5 % right in the paper's human study).
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from deimv2.model.errors import InputError
from deimv2.model.files import make_folder, write_whole
from deimv2.model.images import find_photos, load_photo

# Fashion-MNIST's numbers for the classes, in the order of ours.
CLASSES = {
    "T-shirt": 0,
    "trousers": 1,
    "dress": 3,
    "coat": 4,
    "sandal": 5,
    "sneaker": 7,
    "bag": 8,
    "ankle boot": 9,
}
LARGEST = 1600  # pixels of a background's longer side
SIZE = 320  # pixels of a scene's sides
TURN = 20  # degrees to either side, at most
INSIDE = 0.6  # of a garment's area; it is not put where the frame cuts off more
SEEN = 0.5  # of it; no other is put where it hides more
OPAQUE = 0.5  # opacity that counts as the garment, for its box
QUALITY = 85  # of the JPEGs

Pixels = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Garments:
    """pictures: uint8 [N, 28, 28], grey on black. labels: int [N], index into CLASSES."""

    pictures: Pixels
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Style:
    """most: garments tried in a scene. sides: pixels that a garment's 28 become.

    varied: make more of few photos, with quarter turns, exchanged colours and double exposures.
    """

    most: int = 7
    sides: tuple[float, float] = (40.0, 190.0)
    varied: bool = False


PLAIN = Style()  # of the validation scenes
# To train on: more garments in a photo teach more in the same time, which is the idea of Dense O2O.
DENSE = Style(most=20, sides=(36.0, 160.0), varied=True)


@dataclass(frozen=True, eq=False)
class Scene:
    """photo: uint8 [SIZE, SIZE, 3]. labels [N]. boxes: float [N, 4], x, y, width, height."""

    photo: Pixels
    labels: list[int]
    boxes: list[list[float]]


def read_garments(folder: Path, part: str) -> Garments:
    """part: 'train' or 't10k', the two parts of Fashion-MNIST. Raises InputError without them."""
    pictures = _read_idx(folder / f"{part}-images-idx3-ubyte.gz", 3)
    numbers = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 1)
    ours = np.full(256, -1)
    ours[list(CLASSES.values())] = np.arange(len(CLASSES))
    labels = ours[numbers]
    if len(labels) != len(pictures) or labels.max(initial=-1) < 0:
        raise InputError(
            f"'{folder}' has {len(pictures)} pictures and {len(labels)} labels in part '{part}', "
            "expected a label for each and garments among them; copy Fashion-MNIST again"
        )
    return Garments(pictures[labels >= 0], labels[labels >= 0])


def read_photos(paths: Sequence[Path]) -> list[Image.Image]:
    """Photos, those of folders too, scaled down to what scenes need."""
    found = [file for path in paths for file in (find_photos(path) if path.is_dir() else [path])]
    photos = [load_photo(path) for path in found]
    for photo in photos:
        photo.thumbnail((LARGEST, LARGEST), Image.Resampling.BILINEAR)
    return photos


def _read_idx(path: Path, dimensions: int) -> Pixels:
    """An array in the format of MNIST: 4 bytes of type, big-endian sides, then the values."""
    if not path.is_file():
        raise InputError(
            f"no file '{path}', expected a part of Fashion-MNIST; install it "
            "(apt-get install dataset-fashion-mnist) or name its folder"
        )
    start = 4 + 4 * dimensions
    try:
        content = gzip.decompress(path.read_bytes())
        sides = np.frombuffer(content[4:start], ">u4")
        return np.frombuffer(content[start:], np.uint8).reshape(sides)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(
            f"'{path}' is damaged ({error}), expected a file of Fashion-MNIST; copy it again"
        ) from error


def make_scene(
    garments: Garments,
    photos: Sequence[Image.Image],
    seed: int,
    index: int,
    style: Style = PLAIN,
) -> Scene:
    """Scene number `index`. photos: RGB, of which one is the background."""
    rng = np.random.default_rng([seed, index])
    canvas = (_varied if style.varied else _background)(photos, rng)
    masks: list[npt.NDArray[np.bool_]] = []  # of what is seen of each garment
    areas, labels = list[int](), list[int]()
    for _ in range(rng.integers(1, style.most + 1)):
        picked = int(rng.integers(len(garments.labels)))
        opacity, shade = _turned(garments.pictures[picked], style.sides, rng)
        colour = _tint(rng) * shade[..., None]
        place = [int(rng.integers(-side // 8, SIZE - side + side // 8 + 1)) for side in shade.shape]
        whole = np.zeros((SIZE, SIZE), np.float32)
        inside, cut = _overlap(place, shade.shape)
        whole[inside] = opacity[cut]
        cover = whole > OPAQUE
        left = [mask & ~cover for mask in masks]
        hidden = any(mask.sum() < SEEN * area for mask, area in zip(left, areas, strict=True))
        if hidden or cover.sum() < max(1, INSIDE * (opacity > OPAQUE).sum()):
            continue
        canvas[inside] += (colour[cut] - canvas[inside]) * opacity[cut][..., None]
        masks = [*left, cover]
        areas.append(int(cover.sum()))
        labels.append(int(garments.labels[picked]))
    noise = rng.normal(0, rng.uniform(0, 5), canvas.shape)
    photo = (canvas + noise).clip(0, 255).astype(np.uint8)
    return Scene(photo, labels, [_box(mask) for mask in masks])


def _varied(photos: Sequence[Image.Image], rng: np.random.Generator) -> Weights:
    """A background turned by quarters, its colours exchanged; half of them with a second one."""
    pixels = _background(photos, rng)
    if rng.random() < 0.5:
        pixels += (_background(photos, rng) - pixels) * rng.uniform(0.2, 0.8)
    pixels = np.rot90(pixels, int(rng.integers(4)))
    if rng.random() < 0.5:
        pixels = pixels[..., rng.permutation(3)]
    return np.ascontiguousarray(pixels)


def _background(photos: Sequence[Image.Image], rng: np.random.Generator) -> Weights:
    """A crop of any place and scale, perhaps mirrored, its brightness and contrast changed."""
    photo = photos[int(rng.integers(len(photos)))]
    side = int(min(photo.size) * rng.uniform(0.35, 1.0))
    x, y = (int(rng.integers(0, length - side + 1)) for length in photo.size)
    crop = photo.resize((SIZE, SIZE), Image.Resampling.BILINEAR, (x, y, x + side, y + side))
    pixels = np.asarray(crop, np.float32)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    mean = pixels.mean()
    return (pixels - mean) * rng.uniform(0.7, 1.1) + mean * rng.uniform(0.7, 1.15)


def _turned(
    picture: Pixels, sides: tuple[float, float], rng: np.random.Generator
) -> tuple[Weights, Weights]:
    """Opacity in 0..1 and shading [H, W] of a garment enlarged, stretched and turned."""
    side = np.exp(rng.uniform(*np.log(sides)))
    stretch = rng.uniform(0.85, 1.15)
    size = max(8, round(side * stretch)), max(8, round(side / stretch))
    image = Image.fromarray(picture)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.resize(size, Image.Resampling.BICUBIC)
    image = image.rotate(rng.uniform(-TURN, TURN), Image.Resampling.BILINEAR, expand=True)
    grey = np.asarray(image, np.float32) / 255
    opacity = (grey * 6 - 0.4).clip(0, 1)
    return opacity, 0.35 + 0.65 * grey


def _tint(rng: np.random.Generator) -> Weights:
    """A colour, 0..255, neither too dark to show its shading nor pure."""
    return rng.uniform(70, 255, 3).astype(np.float32)


def _overlap(place: Sequence[int], shape: Sequence[int]) -> tuple[Any, Any]:
    """Slices of the canvas and of the piece where a piece at this place covers the canvas."""
    canvas, piece = [], []
    for start, length in zip(place, shape, strict=True):
        low, high = max(start, 0), min(start + length, SIZE)
        canvas.append(slice(low, high))
        piece.append(slice(low - start, high - start))
    return tuple(canvas), tuple(piece)


def _box(mask: npt.NDArray[np.bool_]) -> list[float]:
    """x, y, width, height around a mask's true pixels."""
    y, x = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    sides = x[-1] - x[0] + 1, y[-1] - y[0] + 1
    return [float(v) for v in (x[0], y[0], *sides)]


def write_scenes(
    folder: Path,
    garments: Garments,
    photos: Sequence[Image.Image],
    count: int,
    seed: int,
    style: Style = PLAIN,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> None:
    """Writes scenes 0 to count - 1 as JPEGs and `annotations.json` (COCO) into the folder."""
    make_folder(folder)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in progress(range(count)):
        scene = make_scene(garments, photos, seed, index, style)
        stored = io.BytesIO()
        Image.fromarray(scene.photo).save(stored, "JPEG", quality=QUALITY)
        name = f"{index:06}.jpg"
        write_whole(folder / name, stored.getvalue())
        images.append({"id": index, "file_name": name, "width": SIZE, "height": SIZE})
        for label, box in zip(scene.labels, scene.boxes, strict=True):
            row = {"id": len(annotations) + 1, "image_id": index, "category_id": label + 1}
            annotations.append(row | {"bbox": box, "area": box[2] * box[3], "iscrowd": 0})
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_whole(folder / "annotations.json", json.dumps(content, separators=(",", ":")).encode())
