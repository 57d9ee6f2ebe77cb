"""Photos made up: bright rectangles on black, noise, and annotation files for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deimv2.training.data.augment import Picture


def rectangles(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Picture:
    """size: (width, height). White boxes on black, of the classes 0, 1, ..."""
    image = Image.new("RGB", size)
    for box in boxes:
        image.paste((255, 255, 255), box)
    return Picture(image, np.arange(len(boxes)), np.array(boxes, np.float32).reshape(-1, 4))


def bright(image: Image.Image) -> list[float]:
    """The box around all bright pixels, x1, y1, x2, y2."""
    rows, columns = np.nonzero(np.asarray(image).max(axis=2) > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def noise(size: tuple[int, int], seed: int) -> Image.Image:
    """Coarse enough for a JPEG to keep it."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.NEAREST)


def write_photos(
    folder: Path, count: int, size: tuple[int, int] = (64, 48)
) -> list[dict[str, Any]]:
    """Noise, each photo another; gives their entries in an annotation file."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        noise(size, i).save(folder / f"{i}.jpg", quality=95)
    return [
        {"id": 10 * i, "file_name": f"{i}.jpg", "width": size[0], "height": size[1]}
        for i in range(count)
    ]


def annotation(image: int = 0, category: int = 1, bbox: Any = (8, 8, 16, 16), **more: Any) -> dict:
    return {"image_id": image, "category_id": category, "bbox": list(bbox), **more}


def write_coco(path: Path, images: list, annotations: list, categories: dict[int, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    named = [{"id": key, "name": name} for key, name in categories.items()]
    content = {"images": images, "annotations": annotations, "categories": named}
    path.write_text(json.dumps(content))
    return path
