"""The golden photographs with what the reference and each artifact detect on them."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from converters.golden import Golden
from converters.manifest import Manifest
from evaluation.draw import draw
from model.detections import Detections

SIDE = 480  # pixels of a picture's longer side: sharp on a phone, and the page stays below 3 MB
SCALE = 1.75  # of lines and names, for pictures that are shown at half their size
QUALITY = 80
BEST = 10  # detections shown where none is above the threshold


@dataclass(frozen=True)
class Picture:
    """title: who detected; source: a data URI; found: names and scores, best first.

    undrawn: how many detections have no finite box, or a label without a name
    """

    title: str
    source: str
    found: tuple[str, ...]
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
    """found: by name, the detections on each photograph, in the order of `goldens`."""
    rows = zip(goldens, manifest.golden, zip(*found.values(), strict=True), strict=True)
    return [
        photograph(golden, entry.source, dict(zip(found, each, strict=True)), manifest)
        for golden, entry, each in rows
    ]


def photograph(
    golden: Golden, attribution: str, found: Mapping[str, Detections], manifest: Manifest
) -> Photograph:
    frame = Image.fromarray(golden.frame)
    ratio = SIDE / max(frame.size)
    size = (max(1, round(frame.width * ratio)), max(1, round(frame.height * ratio)))
    frame = frame.resize(size, Image.Resampling.LANCZOS)
    above = {name: each.above(manifest.score_threshold) for name, each in found.items()}
    confident = any(map(len, above.values()))
    shown = above if confident else {name: each.best(BEST) for name, each in found.items()}
    pictures = tuple(picture(name, frame, each, manifest.labels) for name, each in shown.items())
    return Photograph(golden.name, attribution, confident, size, pictures)


def picture(title: str, frame: Image.Image, found: Detections, labels: Sequence[str]) -> Picture:
    """A broken artifact may give any numbers; what can be drawn of them is drawn."""
    named = (found.labels >= 0) & (found.labels < len(labels))
    keep = named & np.isfinite(found.boxes).all(axis=1) & np.isfinite(found.scores)
    drawable = Detections(found.boxes[keep], found.scores[keep], found.labels[keep])
    drawn = draw(frame, drawable, labels, threshold=-np.inf, scale=SCALE)
    content = io.BytesIO()
    drawn.save(content, "JPEG", quality=QUALITY)
    names = zip(drawable.labels.tolist(), drawable.scores.tolist(), strict=True)
    return Picture(
        title,
        f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}",
        tuple(f"{labels[label]} {score:.3f}" for label, score in names),
        int((~keep).sum()),
    )
