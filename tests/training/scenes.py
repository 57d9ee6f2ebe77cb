"""Small data sets of real scenes: the committed validation part of the demo's set."""

import json
import shutil
from pathlib import Path

from deimv2.training.data.layouts import Part

GARMENTS = Path(__file__).parents[2] / "data" / "garments" / "val"


def few(folder: Path, count: int, start: int = 0) -> Part:
    """The scenes from `start` on, copied with their annotations."""
    content = json.loads((GARMENTS / "annotations.json").read_text())
    images = content["images"][start : start + count]
    kept = {image["id"] for image in images}
    rows = [row for row in content["annotations"] if row["image_id"] in kept]
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        shutil.copy(GARMENTS / image["file_name"], folder)
    whole = content | {"images": images, "annotations": rows}
    (folder / "annotations.json").write_text(json.dumps(whole))
    return Part(folder, folder / "annotations.json")
