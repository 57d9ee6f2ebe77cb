"""Which photographs an export is checked on."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli import console

if TYPE_CHECKING:
    from cli.weights import Loaded
    from model import DEIMv2

LOOKED_AT = 200
ENOUGH = 200  # detections to compare
LEAST, MOST = 3, 32  # photographs


def golden_photographs(
    args: argparse.Namespace, loaded: "Loaded", net: "DEIMv2"
) -> "Sequence[Path]":
    """Those that were named, or calibrated on, or validated on; else those that come along.

    net: in float.
    """
    from cli.weights import DEMO
    from evaluation.photographs import PHOTOGRAPHS
    from model.images import find_photos

    folder = args.photos or args.calibration or loaded.photos
    if folder is not None:
        return with_most_detections(net, find_photos(folder))
    if args.weights == "demo":
        return find_photos(DEMO / "photographs")
    return PHOTOGRAPHS


def with_most_detections(net: "DEIMv2", paths: Sequence[Path]) -> list[Path]:
    """As few of the photos as have ENOUGH detections together, MOST at most, LEAST at least.

    Looks at LOOKED_AT of them, evenly chosen; one of each name.
    """
    from evaluation.kept import MIN_SCORE
    from model.errors import InputError
    from model.images import load_photo, resize
    from model.postprocess import detect

    share = max(1.0, len(paths) / LOOKED_AT)
    looked_at = [paths[int(i * share)] for i in range(min(LOOKED_AT, len(paths)))]
    counts: dict[Path, int] = {}
    for path in console.track(looked_at, "choosing photographs"):
        try:
            (found,) = detect(net, resize(load_photo(path), net.image_size))
        except InputError as error:
            console.log(f"passed over: {error}")
            continue
        counts[path] = int((found.scores > MIN_SCORE).sum())
    chosen: dict[str, Path] = {}
    total = 0
    for path in sorted(counts, key=lambda path: (-counts[path], path.name)):
        if len(chosen) == MOST or (total >= ENOUGH and len(chosen) >= LEAST):
            break
        if path.stem not in chosen:
            chosen[path.stem] = path
            total += counts[path]
    return sorted(chosen.values())
