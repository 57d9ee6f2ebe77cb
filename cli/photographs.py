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
        found = with_detections(net, find_photos(folder))
        if len(found) >= LEAST or args.photos is not None:
            return found
    if args.weights == "demo":
        return find_photos(DEMO / "photographs")
    return PHOTOGRAPHS


def with_detections(net: "DEIMv2", paths: Sequence[Path]) -> list[Path]:
    """As few of the photos as have ENOUGH detections together, evenly chosen from those that have
    any; where MOST have not, the MOST with most. LOOKED_AT are looked at, one of each name."""
    from evaluation.kept import MIN_SCORE
    from model.errors import InputError
    from model.images import load_photo, resize
    from model.postprocess import detect

    counts: dict[Path, int] = {}
    unique = list({path.stem: path for path in paths}.values())
    for path in console.track(evenly(unique, LOOKED_AT), "choosing photographs"):
        try:
            (found,) = detect(net, resize(load_photo(path), net.image_size))
        except InputError as error:
            console.log(f"passed over: {error}")
            continue
        counts[path] = int((found.scores > MIN_SCORE).sum())
    full = [path for path, count in counts.items() if count]
    for number in range(LEAST, min(MOST, len(full)) + 1):
        chosen = evenly(full, number)
        if sum(counts[path] for path in chosen) >= ENOUGH:
            return chosen
    return sorted(sorted(counts, key=lambda path: -counts[path])[:MOST])


def evenly(paths: Sequence[Path], most: int) -> list[Path]:
    """At most so many of them, from all places alike."""
    share = max(1.0, len(paths) / most)
    return [paths[int(i * share)] for i in range(min(most, len(paths)))]
