"""Draws detections onto a photo."""

import colorsys
import io
import math
from collections.abc import Sequence
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
) -> Image.Image:
    """A copy of the photo with a box and a name for each detection above `threshold`.

    photo: RGB, of any size. labels: the class names, by label index. scores: written too.
    Line and text sizes follow the photo's, times `scale`; the best detection is drawn last, on top.
    Raises InputError for a label that has no name.
    """
    shown = detections.above(threshold)
    shown.require_names(labels)
    canvas = photo.copy()
    pen = ImageDraw.Draw(canvas)
    side = math.sqrt(photo.width * photo.height)
    line = max(1, round(scale * side / 300))
    font = ImageFont.load_default(max(10, round(scale * side / 40)))
    rows = zip(shown.boxes.tolist(), shown.scores.tolist(), shown.labels.tolist(), strict=True)
    for box, score, label in reversed(list(rows)):
        corners = _corners(box, photo.size)
        pen.rectangle(corners, outline=colour(label), width=line)
        text = f"{labels[label]} {score:.2f}" if scores else labels[label]
        _tag(pen, corners, text, colour(label), font, photo.size)
    return canvas


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
) -> None:
    """Writes the text above the box, or inside it where there is no room above."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = math.ceil(right - left) + 4, math.ceil(bottom - top) + 4
    x = max(0, min(corners[0], size[0] - width))
    y = corners[1] - height if corners[1] >= height else corners[1]
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=background)
    pen.text((x + 2 - left, y + 2 - top), text, fill=ink(background), font=font)


def save_picture(image: Image.Image, path: Path) -> None:
    """Writes a picture of one of KINDS, known by its suffix."""
    content = io.BytesIO()
    image.save(content, KINDS[path.suffix.lower()], quality=92)
    write_whole(path, content.getvalue())
