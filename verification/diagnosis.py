"""What is probably wrong with an artifact that fails on the golden photographs.

Each cause is a hypothesis that is tested before it is named. A mistake in the outputs can be undone
in what was detected, reversed channels in the frame: the cause is named if the artifact then holds
its limits. Frames are bytes, so a normalisation can only be undone nearly: there `agreement` must
rise well above what it is without. What no test carries is not said.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from deimv2.converters.contract import EXPECTED, NAMES, OUTPUTS
from deimv2.converters.golden import Golden
from deimv2.converters.precision import Limits
from deimv2.converters.runner import Frame, Runner
from deimv2.model.detections import Detections
from deimv2.model.ports import Port
from deimv2.model.variants import IMAGENET, PLAIN, RGB, Variant
from deimv2.verification.matching import iou
from deimv2.verification.parity import SAME_IOU, replay

Size = tuple[int, int]
Statistics = tuple[RGB, RGB]  # mean, std
SYMMETRIC: Statistics = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)  # bytes to -1..1
KINDS = {each.name: each.kind for each in OUTPUTS}

# Measured on Atto with the demo weights, 192 and 320 px: undoing the right normalisation gives 0.97
# and more, a wrong one at most 0.62; unlike normalisations agree to at most 0.5 as they are.
MIN_AGREEMENT, MIN_GAIN = 0.7, 0.2
# There, what differs by one level of 255 agrees to 0.89 and more, a photograph with black to 0.03.
ALIKE, UNLIKE = 0.8, 0.3
# Photographs in two levels, 0 and 1, agree with the reference to 0.12 and more where the division
# by 255 is missing, and to 0 elsewhere.
MIN_TRACE = 0.05
MIN_EXACT = 0.99  # of float32, whose rounding changes no digit that agreement is told in


def swapped_outputs(outputs: Sequence[Port]) -> str | None:
    """One sentence for an artifact whose outputs are of the right kinds but under wrong names; None
    for any other."""
    named = {
        NAMES[i] if port.name == f"#{i}" and i < len(NAMES) else port.name: port
        for i, port in enumerate(outputs)
    }
    found = {name: (port.dtype, len(port.shape)) for name, port in named.items()}
    if sorted(found.values()) != sorted(KINDS.values()) or found == KINDS:
        return None
    given = ", ".join(f"{name} {port.dtype} {list(port.shape)}" for name, port in named.items())
    return (
        f"the outputs are {given}, expected {EXPECTED}: they are swapped or misnamed, and apps "
        "take them by name (of a .pte by place); convert again with the outputs in this order"
    )


def find_cause(
    runner: Runner,
    goldens: Sequence[Golden],
    found: Sequence[Detections],
    limits: Limits,
    variant: Variant,
) -> str | None:
    """One sentence that names the cause and the fix, None where no hypothesis holds.

    found: what `runner` detects on each of `goldens`, which fails `limits`.
    """
    references = [golden.reference for golden in goldens]
    frames = [golden.frame for golden in goldens]
    plainly = agreement(references, found)
    for undo, sentence in OUTPUT_MISTAKES:
        with np.errstate(all="ignore"):  # of what is not finite
            undone = [undo(each, runner.size) for each in found]
        # Wide limits may be held by chance, as where low scores are halved.
        gained = agreement(references, undone) - plainly > MIN_GAIN
        if gained and replay(goldens, undone, runner.size, limits).passed(limits):
            return sentence
    reversed_channels = [runner.detect(frame[..., ::-1].copy()) for frame in frames]
    if replay(goldens, reversed_channels, runner.size, limits).passed(limits):
        return (
            "the channels are read as BGR, expected RGB: with reversed channels it holds its "
            "limits; leave out the reversal before or inside the graph, and convert again"
        )
    return (
        _range_mistake(runner, frames, references, found)
        or _normalisation_mistake(runner, frames, references, plainly, variant)
        or _other_weights(plainly, limits)
    )


def agreement(left: Iterable[Detections], right: Iterable[Detections]) -> float:
    """0..1: the share of all scores that has a detection of the same label, place and score on
    the other side; 1 where all is equal, or nothing is there. Photographs are paired in order; a
    score that is no number counts as 0."""
    shared = whole = 0.0
    for a, b in zip(left, right, strict=True):
        ours, theirs = (np.nan_to_num(d.scores, posinf=0, neginf=0).clip(0, 1) for d in (a, b))
        same = (a.labels[:, None] == b.labels[None]) & (iou(a.boxes, b.boxes) >= SAME_IOU)
        common = np.where(same, np.minimum(ours[:, None], theirs[None]), 0)
        shared += float(common.max(1, initial=0).sum() + common.max(0, initial=0).sum())
        whole += float(ours.sum() + theirs.sum())
    return shared / whole if whole else 1.0


def renormalised(frame: Frame, seen: Statistics, meant: Statistics) -> Frame:
    """The frame from which a network that normalises by `seen` gets what it should get of `frame`
    by `meant`, as far as bytes can hold it."""
    (seen_mean, seen_std), (mean, std) = np.array(seen), np.array(meant)
    pixels = 255 * (seen_std * (frame / 255 - mean) / std + seen_mean)
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


def _range_mistake(
    runner: Runner,
    frames: Sequence[Frame],
    references: Sequence[Detections],
    found: Sequence[Detections],
) -> str | None:
    """Pixels that count 255 times too much or too little: 0 and 1 of 255 are both black to a sound
    network, whatever its normalisation, and a photograph is not."""
    if not all(np.isfinite(each.scores).all() and each.scores.any() for each in found):
        return None  # what is detected nowhere, or is no number, is alike for other reasons
    black = [runner.detect(np.zeros_like(frames[0]))] * len(frames)
    if (like := agreement(black, found)) > ALIKE:
        return (
            f"the photographs are detected like a black frame (agreement {like:.2f} of 1): the "
            "input is divided by 255 twice, or not read at all; scale bytes once inside the "
            "graph, and convert again"
        )
    dim = [runner.detect((frame > 127).astype(np.uint8)) for frame in frames]
    known = agreement(references, dim) > agreement(references, found) + MIN_TRACE
    if known and (like := agreement(black, dim)) < UNLIKE:
        return (
            f"frames of 0 and 1 of 255 are no black ones to it (agreement {like:.2f} of 1): most "
            "likely the normalisation is missing, and pixels are not divided by 255; normalise "
            "bytes inside the graph, and convert again"
        )
    return None


def _normalisation_mistake(
    runner: Runner,
    frames: Sequence[Frame],
    references: Sequence[Detections],
    plainly: float,
    variant: Variant,
) -> str | None:
    meant = variant.mean, variant.std
    reached: dict[str, float] = {}
    for name, seen in _normalisations(meant).items():
        undone = [runner.detect(renormalised(frame, seen, meant)) for frame in frames]
        reached[name] = agreement(references, undone)
    best = max(reached, key=lambda name: reached[name])
    if reached[best] < max(MIN_AGREEMENT, plainly + MIN_GAIN):
        return None
    return (
        f"the pixels are most likely {best}, expected {_described(meant)}: where the frame makes "
        f"up for that, the agreement rises from {plainly:.2f} to {reached[best]:.2f} of 1; convert "
        f"again with the mean and standard deviation of {variant.name}"
    )


def _normalisations(meant: Statistics) -> Mapping[str, Statistics]:
    """Normalisations that are applied by mistake, by their descriptions."""
    mean, std = np.array(meant)
    twice: Any = tuple(mean + mean * std), tuple(std**2)
    usual = {_described(each): each for each in (PLAIN, SYMMETRIC, IMAGENET)}
    usual.pop(_described(meant), None)
    return usual | ({"normalised twice": twice} if any(mean) else {})


def _described(statistics: Statistics) -> str:
    mean, std = statistics
    if not any(mean):
        return "divided by 255 alone"
    return f"normalised by the mean {list(mean)} and deviation {list(std)} of 0..1"


def _other_weights(plainly: float, limits: Limits) -> str | None:
    """For want of a known mistake. Rounding explains much where the limits leave room for it."""
    exact = limits.min_score is None
    if plainly >= (MIN_EXACT if exact else UNLIKE):
        return None
    return (
        f"it detects other things (agreement {plainly:.2f} of 1) and no known mistake explains it: "
        "a damaged weight, other weights than the manifest's, or numbers that overflow; convert "
        "again from the weights that the manifest names"
    )


def _with_boxes(matrix: npt.ArrayLike) -> Callable[[Detections, Size], Detections]:
    weight = np.array(matrix, np.float32).T
    return lambda found, size: replace(found, boxes=found.boxes @ weight)


def _from_pixels(found: Detections, size: Size) -> Detections:
    height, width = size
    sides = np.array([width, height, width, height])
    return replace(found, boxes=(found.boxes / sides).astype(np.float32))


def _with_scores(factor: float) -> Callable[[Detections, Size], Detections]:
    return lambda found, size: replace(found, scores=found.scores * np.float32(factor))


def _from_logits(found: Detections, size: Size) -> Detections:
    return replace(found, scores=(1 / (1 + np.exp(-found.scores))).astype(np.float32))


def _with_labels(shift: int) -> Callable[[Detections, Size], Detections]:
    return lambda found, size: replace(found, labels=found.labels + np.int32(shift))


# How a mistake is undone, and what to say if that makes everything right.
OUTPUT_MISTAKES: tuple[tuple[Callable[[Detections, Size], Detections], str], ...] = (
    (
        _with_labels(-1),
        "all labels are one more than expected, as if class 0 were the background; labels count "
        "the class names from 0: leave out the shift, and convert again",
    ),
    (
        _with_labels(1),
        "all labels are one less than expected, as if a background class had been dropped that "
        "the model does not have; leave out the shift, and convert again",
    ),
    (
        _with_boxes([[1, 0, -0.5, 0], [0, 1, 0, -0.5], [1, 0, 0.5, 0], [0, 1, 0, 0.5]]),
        "the boxes are centre and size (cx, cy, w, h), expected corners (x1, y1, x2, y2); turn "
        "them into corners inside the graph, and convert again",
    ),
    (
        _with_boxes([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]),
        "x and y of the boxes are swapped (y1, x1, y2, x2), expected x1, y1, x2, y2; give them in "
        "this order, and convert again",
    ),
    (
        _from_pixels,
        "the boxes are in pixels, expected 0..1 of the frame; divide them by its width and "
        "height inside the graph, and convert again",
    ),
    (
        _with_boxes(np.eye(4) / 2),
        "all boxes are 2 times what is expected, so a scale is off by two; correct what "
        "multiplies the boxes, and convert again",
    ),
    (
        _with_boxes(np.eye(4) * 2),
        "all boxes are 0.5 times what is expected, so a scale is off by two; correct what "
        "multiplies the boxes, and convert again",
    ),
    (
        _with_scores(0.5),
        "all scores are 2 times what is expected, so a scale is off by two; correct what "
        "multiplies the scores, and convert again",
    ),
    (
        _with_scores(2),
        "all scores are 0.5 times what is expected, so a scale is off by two; correct what "
        "multiplies the scores, and convert again",
    ),
    (
        _from_logits,
        "the scores are logits, expected 0..1; apply the sigmoid inside the graph, and convert "
        "again",
    ),
)
