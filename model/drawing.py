"""Draws detections onto a photo."""

import colorsys
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, zip_longest
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from deimv2.model.detections import Detections
from deimv2.model.files import write_whole

Colour = tuple[int, int, int]
KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
GOLDEN_RATIO = 0.618034  # steps of hue that keep neighbouring classes far apart


def draw(
    photo: Image.Image,
    detections: Detections,
    labels: Sequence[str],
    threshold: float,
    scores: bool = True,
    scale: float = 1.0,
    ids: Sequence[int] | None = None,
) -> Image.Image:
    """A copy of the photo with a box and a name for each detection above `threshold`.

    photo: RGB, of any size. labels: the class names, by label index. scores: written too.
    Line and text sizes follow the photo's, times `scale`; the best detection is drawn last, on top,
    and names stand where they cover no other name, as far as there is room. ids: of each
    detection's track, written before its name. Raises InputError for a label that has no name.
    """
    shown = detections.above(threshold)
    shown.require_names(labels)
    canvas = photo.copy()
    pen = ImageDraw.Draw(canvas)
    side = math.sqrt(photo.width * photo.height)
    line = max(1, round(scale * side / 300))
    font = ImageFont.load_default(max(10, round(scale * side / 40)))
    rows = zip(shown.boxes.tolist(), shown.scores.tolist(), shown.labels.tolist(), strict=True)
    found = [(_corners(box, photo.size), score, label) for box, score, label in rows]
    for corners, _, label in reversed(found):
        pen.rectangle(corners, outline=colour(label), width=line)
    tracks = [] if ids is None else compress(ids, (detections.scores > threshold).tolist())
    tags: list[_Tag] = []
    for (corners, score, label), track in zip_longest(found, tracks):
        text = f"{labels[label]} {score:.2f}" if scores else labels[label]
        text = text if track is None else f"#{track} {text}"
        tags.append(_tag(pen, corners, text, colour(label), font, photo.size, tags))
    for tag in reversed(tags):
        pen.rectangle(tag.area, fill=tag.background)
        pen.text(tag.start, tag.text, fill=ink(tag.background), font=font)
    return canvas


@dataclass(frozen=True)
class _Tag:
    """A name on its background. area: left, top, right, bottom; start: of the text."""

    text: str
    background: Colour
    area: tuple[int, int, int, int]
    start: tuple[float, float]

    def covers(self, other: tuple[int, int, int, int]) -> bool:
        left, top, right, bottom = self.area
        return left <= other[2] and other[0] <= right and top <= other[3] and other[1] <= bottom


def colour(label: int) -> Colour:
    """The class's colour, always the same: bright, and unlike that of the classes beside it."""
    red, green, blue = colorsys.hsv_to_rgb(label * GOLDEN_RATIO % 1, 0.8, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def ink(background: Colour) -> Colour:
    """Black or white, whichever contrasts more with the background (WCAG 2 relative luminance)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in background)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


def _corners(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 in 0..1 -> pixels inside an image of `size` = (width, height), in order."""

    def pixel(value: float, length: int) -> int:
        return min(max(round(value * length), 0), length - 1)

    left, right = sorted((pixel(box[0], size[0]), pixel(box[2], size[0])))
    top, bottom = sorted((pixel(box[1], size[1]), pixel(box[3], size[1])))
    return left, top, right, bottom


def _tag(
    pen: ImageDraw.ImageDraw,
    corners: tuple[int, int, int, int],
    text: str,
    background: Colour,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
    others: Sequence[_Tag],
) -> _Tag:
    """The text above the box, or inside it where there is no room above; further down where another
    tag is in the way, and back in the first place if no place is free."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = math.ceil(right - left) + 4, math.ceil(bottom - top) + 4
    x = max(0, min(corners[0], size[0] - width))
    usual = corners[1] - height if corners[1] >= height else corners[1]

    def area(y: int) -> tuple[int, int, int, int]:
        return x, y, x + width - 1, y + height - 1

    places = [y for y in range(usual, size[1] - height + 1, height)]
    free = (y for y in places if not any(tag.covers(area(y)) for tag in others))
    y = next(free, usual)
    return _Tag(text, background, area(y), (x + 2 - left, y + 2 - top))


def save_picture(image: Image.Image, path: Path) -> None:
    """Writes a picture of one of KINDS, known by its suffix."""
    content = io.BytesIO()
    image.save(content, KINDS[path.suffix.lower()], quality=92)
    write_whole(path, content.getvalue())
