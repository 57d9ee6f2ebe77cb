"""The golden photographs with what the reference and each artifact detect on them."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from deimv2.converters.golden import Golden
from deimv2.converters.manifest import Manifest
from deimv2.model.detections import Detections
from deimv2.model.drawing import draw

SIDE = 480  # pixels of a picture's longer side: sharp on a phone, and the page stays below 3 MB
SCALE = 1.75  # of lines and names, for pictures that are shown at half their size
QUALITY = 80
BEST = 10  # detections shown where none is above the threshold
MAX_SHOWN = 20  # shown where there are more: untrained weights may score high everywhere


@dataclass(frozen=True)
class Picture:
    """title: who detected; source: a data URI; found: names and scores, best first.

    more:    how many there are above the threshold that are not shown
    undrawn: how many of those to show have no finite box and score, or a label without a name
    """

    title: str
    source: str
    found: tuple[str, ...]
    more: int
    undrawn: int


@dataclass(frozen=True)
class Photograph:
    """confident: whether something is above the threshold; else the best detections are shown.

    size: (width, height) of the pictures
    """

    name: str
    attribution: str
    confident: bool
    size: tuple[int, int]
    pictures: tuple[Picture, ...]


def photographs(
    goldens: Sequence[Golden],
    found: Mapping[str, Sequence[Detections]],
    manifest: Manifest,
) -> list[Photograph]:
    """Those first on which something is found with confidence.

    found: by name, the detections on each photograph, in the order of `goldens`
    """
    rows = zip(goldens, manifest.golden, zip(*found.values(), strict=True), strict=True)
    made = [
        photograph(golden, entry.source, dict(zip(found, each, strict=True)), manifest)
        for golden, entry, each in rows
    ]
    return sorted(made, key=lambda each: not each.confident)


def photograph(
    golden: Golden, attribution: str, found: Mapping[str, Detections], manifest: Manifest
) -> Photograph:
    frame = Image.fromarray(golden.frame)
    ratio = SIDE / max(frame.size)
    size = (max(1, round(frame.width * ratio)), max(1, round(frame.height * ratio)))
    frame = frame.resize(size, Image.Resampling.LANCZOS)
    above = {name: each.above(manifest.score_threshold) for name, each in found.items()}
    confident = any(map(len, above.values()))
    pictures = []
    for name, each in found.items():
        shown = above[name].best(MAX_SHOWN) if confident else each.best(BEST)
        more = max(0, len(above[name]) - MAX_SHOWN)
        pictures.append(picture(name, frame, shown, more, manifest.labels))
    return Photograph(golden.name, attribution, confident, size, tuple(pictures))


def picture(
    title: str, frame: Image.Image, shown: Detections, more: int, labels: Sequence[str]
) -> Picture:
    """A broken artifact may give any numbers; what can be drawn of them is drawn."""
    named = (shown.labels >= 0) & (shown.labels < len(labels))
    keep = named & np.isfinite(shown.boxes).all(axis=1) & np.isfinite(shown.scores)
    drawable = shown.take(keep)
    drawn = draw(frame, drawable, labels, threshold=-np.inf, scale=SCALE)
    content = io.BytesIO()
    drawn.save(content, "JPEG", quality=QUALITY)
    names = zip(drawable.labels.tolist(), drawable.scores.tolist(), strict=True)
    return Picture(
        title,
        f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}",
        tuple(f"{labels[label]} {score:.3f}" for label, score in names),
        more,
        int((~keep).sum()),
    )
