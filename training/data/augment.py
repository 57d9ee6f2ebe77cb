"""Changes of single photos, with their boxes: mosaic, colours, zoom-out, crop, flip, resize.

All are drawn from one generator per sample, so that a sample depends on the seed, the epoch and its
place in it, and on nothing else. Sources: mosaic with later affine transform, YOLOX (arXiv
2107.08430) as DEIM uses it; colours, zoom-out and crop, SSD (arXiv 1512.02325, sections 2.2, 3.6).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from deimv2.training.data.dataset import Boxes, Labels, photo_pixels
from deimv2.training.recipes import Augment

Rng = np.random.Generator
# Least IoU of some box with the crop; 1: no crop.
CROP_OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
CROP_TRIALS = 40
CROP_LEAST = 0.3  # of a side


@dataclass(frozen=True, eq=False)
class Picture:
    """An RGB image and its N objects: labels int64 [N], boxes [N, 4], x1, y1, x2, y2 in pixels."""

    image: Image.Image
    labels: Labels
    boxes: Boxes

    def kept(self, least: float) -> "Picture":
        """With the boxes clipped to the image, and only those of at least so many pixels a side."""
        boxes = clip(self.boxes, self.image.size)
        keep = (boxes[:, 2:] - boxes[:, :2] >= max(least, 1e-3)).all(axis=1)
        return replace(self, labels=self.labels[keep], boxes=boxes[keep])


def clip(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    return boxes.clip(0, np.array([*size, *size], np.float32))


def augment(
    picture: Picture,
    partners: Callable[[int], list[Picture]],
    c: Augment,
    epoch: int,
    size: tuple[int, int],
    rng: Rng,
) -> Picture:
    """A picture of `size` (height, width), changed as the recipe does it in this epoch.

    Objects with a side below `min_side` pixels are left out before the last resize, where those of
    a picture smaller than `size` are taken as it will enlarge them, and after it.

    partners: gives so many other pictures for a mosaic.
    """
    least = c.min_side * photo_pixels(picture.image.size, size)
    if c.epochs[0] <= epoch < c.epochs[1]:
        in_mosaic = c.mosaic_epochs[0] <= epoch < c.mosaic_epochs[1] and rng.random() < c.mosaic
        if in_mosaic:
            picture = mosaic([picture, *partners(3)], c, size, rng)
        else:
            picture = reduced(picture, size)
        picture = distort_colours(picture, c.colours, rng)
        if not in_mosaic:
            picture = zoom_out(picture, c.fill, rng)
            if rng.random() < c.crop:
                picture = crop(picture, rng)
    picture = picture.kept(least)
    if rng.random() < 0.5:
        picture = flip(picture)
    return resize(picture, size).kept(c.min_side)


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """Stretched to (height, width), bilinear with antialiasing as everywhere in the project."""
    width, height = picture.image.size
    scale = np.array([size[1] / width, size[0] / height] * 2, np.float32)
    image = picture.image.resize(size[::-1], Image.Resampling.BILINEAR)
    return replace(picture, image=image, boxes=picture.boxes * scale)


def reduced(picture: Picture, size: tuple[int, int]) -> Picture:
    """So small, where it is larger, that the least crop still has the pixels of the input `size`
    (height, width): colours and zooming out would take memory and time for more."""
    width, height = picture.image.size
    scale = max(size[1] / width, size[0] / height) / CROP_LEAST
    if scale >= 1:
        return picture
    return resize(picture, (math.ceil(height * scale), math.ceil(width * scale)))


def flip(picture: Picture) -> Picture:
    """Left and right exchanged."""
    x1, y1, x2, y2 = picture.boxes.T
    width = picture.image.width
    boxes = np.stack([width - x2, y1, width - x1, y2], axis=1)
    image = picture.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return replace(picture, image=image, boxes=boxes)


def distort_colours(picture: Picture, probability: float, rng: Rng) -> Picture:
    """Brightness, contrast, saturation and hue, each with this probability; then the channels."""
    image = picture.image
    wanted = rng.random(6) < probability
    contrast_first = wanted[5]
    if wanted[0]:
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.875, 1.125))
    contrast = rng.uniform(0.5, 1.5)
    if wanted[1] and contrast_first:
        image = ImageEnhance.Contrast(image).enhance(contrast)
    if wanted[2]:
        image = ImageEnhance.Color(image).enhance(rng.uniform(0.5, 1.5))
    if wanted[3]:
        image = _turn_hue(image, rng.uniform(-0.05, 0.05))
    if wanted[1] and not contrast_first:
        image = ImageEnhance.Contrast(image).enhance(contrast)
    if wanted[4]:
        image = Image.fromarray(np.ascontiguousarray(np.asarray(image)[..., rng.permutation(3)]))
    return replace(picture, image=image)


def _turn_hue(image: Image.Image, turns: float) -> Image.Image:
    """By a share of the full circle."""
    hue, *others = image.convert("HSV").split()
    hue = hue.point([(value + round(turns * 256)) % 256 for value in range(256)])
    return Image.merge("HSV", (hue, *others)).convert("RGB")


def zoom_out(picture: Picture, fill: int, rng: Rng) -> Picture:
    """Half of the pictures somewhere on a canvas of one to four times their sides."""
    if rng.random() >= 0.5:
        return picture
    width, height = picture.image.size
    scale = rng.uniform(1, 4)
    side = int(width * scale), int(height * scale)
    x, y = int(rng.uniform(0, side[0] - width)), int(rng.uniform(0, side[1] - height))
    canvas = Image.new("RGB", side, (fill,) * 3)
    canvas.paste(picture.image, (x, y))
    return replace(picture, image=canvas, boxes=picture.boxes + np.array([x, y, x, y], np.float32))


def crop(picture: Picture, rng: Rng) -> Picture:
    """A part that overlaps an object by a share drawn; objects centred outside are lost.

    Tries crops of CROP_LEAST to 1 of the sides, until one fits or the whole picture is drawn.
    """
    width, height = picture.image.size
    if not len(picture.labels):
        return picture
    while True:
        least = CROP_OVERLAPS[rng.integers(len(CROP_OVERLAPS))]
        if least >= 1:
            return picture
        for _ in range(CROP_TRIALS):
            w = int(width * rng.uniform(CROP_LEAST, 1))
            h = int(height * rng.uniform(CROP_LEAST, 1))
            if not (w and h and 0.5 <= w / h <= 2):
                continue
            x, y = int((width - w) * rng.random()), int((height - h) * rng.random())
            window = np.array([x, y, x + w, y + h], np.float32)
            inside = _centred(picture.boxes, window)
            if inside.any() and _overlaps(picture.boxes[inside], window).max() >= least:
                return Picture(
                    picture.image.crop((x, y, x + w, y + h)),
                    picture.labels[inside],
                    clip(picture.boxes[inside] - window[[0, 1, 0, 1]], (w, h)),
                )


def _centred(boxes: Boxes, window: Boxes) -> npt.NDArray[np.bool_]:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside: npt.NDArray[np.bool_] = (window[:2] < centre) & (centre < window[2:])
    return inside[:, 0] & inside[:, 1]


def _overlaps(boxes: Boxes, window: Boxes) -> npt.NDArray[np.float32]:
    """IoU [N] of boxes with the window."""
    low, high = np.maximum(boxes[:, :2], window[:2]), np.minimum(boxes[:, 2:], window[2:])
    shared = (high - low).clip(min=0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (window[2:] - window[:2]).prod()
    return shared / (areas - shared)


def shrink(picture: Picture, c: Augment, size: tuple[int, int]) -> Picture:
    """As one of a mosaic's four: the shorter side `tile` of the input's, proportions kept."""
    width, height = picture.image.size
    scale = c.tile * min(size) / min(width, height)
    return resize(picture, (max(1, round(height * scale)), max(1, round(width * scale))))


def mosaic(pictures: list[Picture], c: Augment, size: tuple[int, int], rng: Rng) -> Picture:
    """Four pictures in a square of two by two, which is then turned, scaled and moved."""
    tiles = [shrink(picture, c, size) for picture in pictures]
    width, height = (max(tile.image.size[axis] for tile in tiles) for axis in (0, 1))
    canvas = Image.new("RGB", (2 * width, 2 * height))
    boxes = []
    for i, tile in enumerate(tiles):
        x, y = i % 2 * width, i // 2 * height
        canvas.paste(tile.image, (x, y))
        boxes.append(tile.boxes + np.array([x, y, x, y], np.float32))
    whole = Picture(canvas, np.concatenate([t.labels for t in tiles]), np.concatenate(boxes))
    return transform(whole, c, rng)


def transform(picture: Picture, c: Augment, rng: Rng) -> Picture:
    """Turned about its centre, scaled and moved at random; boxes enclose what they enclosed."""
    angle = np.deg2rad(rng.uniform(-c.rotation, c.rotation))
    scale = rng.uniform(*c.scaling)
    side = np.array(picture.image.size, np.float64)
    shift = np.round(rng.uniform(-1, 1, 2) * c.translation * side)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = side / 2
    back = np.linalg.inv(turn)  # PIL asks where a pixel of the result comes from
    start = centre - back @ (centre + shift)
    image = picture.image.transform(
        picture.image.size,
        Image.Transform.AFFINE,
        (*back[0], start[0], *back[1], start[1]),
        Image.Resampling.BILINEAR,
        fillcolor=(c.fill,) * 3,
    )
    x1, y1, x2, y2 = picture.boxes.T
    corners = np.stack([np.stack([x, y], -1) for x in (x1, x2) for y in (y1, y2)], axis=1)
    moved = (corners - centre) @ turn.T + centre + shift  # [N, 4, 2]
    boxes = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1).astype(np.float32)
    return replace(picture, image=image, boxes=boxes).kept(0)
