"""A mistake is named where a test of it carries, and not elsewhere (`test_broken`: real files)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor

from deimv2.converters.golden import Golden
from deimv2.converters.precision import PRECISIONS
from deimv2.converters.runner import Frame
from deimv2.model.detections import Detections
from deimv2.model.images import normalise, to_tensor
from deimv2.model.ports import Port
from deimv2.model.variants import IMAGENET, PLAIN, VARIANTS
from deimv2.tests.verification.detections import SIZE, some, take
from deimv2.verification.diagnosis import agreement, find_cause, renormalised, swapped_outputs
from deimv2.verification.parity import replay

BOXES, SCORES, LABELS = (
    Port("boxes", (1, 9, 4), "float32"),
    Port("scores", (1, 9), "float32"),
    Port("labels", (1, 9), "int32"),
)
NOTHING = take(some(), [])


class Replay:
    """Finds one thing in photographs, another in reversed ones, and nothing in what is dark."""

    size, labels = SIZE, None

    def __init__(self, found: Detections, reversed_found: Detections = NOTHING) -> None:
        self.found, self.reversed_found = found, reversed_found

    def detect(self, frame: Frame) -> Detections:
        if frame.max() < 2:
            return NOTHING
        return self.found if frame[0, 0, 0] > frame[0, 0, 2] else self.reversed_found


def golden(reference: Detections) -> Golden:
    frame = np.zeros((*SIZE, 3), np.uint8)
    frame[..., 0] = 200
    return Golden("red", frame, reference, NOTHING)


def cause(
    found: Detections, reversed_found: Detections = NOTHING, precision: str = "fp32"
) -> str | None:
    runner, goldens = Replay(found, reversed_found), [golden(some())]
    answers = [runner.detect(each.frame) for each in goldens]
    return find_cause(runner, goldens, answers, PRECISIONS[precision].limits, VARIANTS["atto"])


def centre_and_size(boxes: np.ndarray) -> np.ndarray:
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])


def with_boxes(change: Callable[[np.ndarray], np.ndarray]) -> Detections:
    return replace(some(), boxes=change(some().boxes).astype(np.float32))


MISTAKES = {
    "labels are one more": replace(some(), labels=some().labels + 1),
    "labels are one less": replace(some(), labels=some().labels - 1),
    "centre and size": with_boxes(centre_and_size),
    "x and y of the boxes are swapped": with_boxes(lambda boxes: boxes[:, [1, 0, 3, 2]]),
    "boxes are in pixels": with_boxes(lambda boxes: boxes * 320),
    "boxes are 2 times": with_boxes(lambda boxes: boxes * 2),
    "boxes are 0.5 times": with_boxes(lambda boxes: boxes / 2),
    "scores are 2 times": replace(some(), scores=some().scores * 2),
    "scores are 0.5 times": replace(some(), scores=some().scores / 2),
    "scores are logits": replace(some(), scores=np.log(some().scores / (1 - some().scores))),
}


@pytest.mark.parametrize("part", MISTAKES)
def test_a_mistake_in_the_outputs_is_named(part: str) -> None:
    sentence = cause(MISTAKES[part])
    assert sentence is not None
    assert part in sentence
    assert sentence.endswith("convert again")


def test_half_of_a_mistake_is_not_named() -> None:
    labels = some().labels.copy()
    labels[:20] += 1
    assert "no known mistake explains it" in (cause(replace(some(), labels=labels)) or "")
    assert cause(replace(some(), labels=labels), precision="int8") is None  # half is right


def test_reversed_channels_are_named() -> None:
    assert "read as BGR" in (cause(NOTHING, some()) or "")


@pytest.mark.parametrize(
    ("precision", "noise"),
    [("fp16", 0.03), ("int8", 0.03), ("fp32", 0.001), ("int8-weight", 0.001)],
)
def test_noise_beyond_the_limits_is_no_mistake(precision: str, noise: float) -> None:
    rng = np.random.default_rng(0)
    noisy = replace(
        some(),
        boxes=some().boxes + rng.normal(0, noise, (40, 4)).astype(np.float32),
        scores=some().scores + rng.normal(0, noise, 40).astype(np.float32),
    )
    assert not replay([golden(some())], [noisy], SIZE, PRECISIONS[precision].limits).passed(
        PRECISIONS[precision].limits
    )
    assert cause(noisy, precision=precision) is None


def test_wide_limits_that_halving_meets_by_chance_name_no_mistake() -> None:
    """Low scores, of which two are too far off for int8, and half of them are not."""
    low = replace(some(), scores=some().scores / 9)
    off = replace(low, scores=low.scores + np.float32([0.06, 0.06, *[0] * 38]))
    halved = replace(off, scores=off.scores / 2)
    limits = replace(PRECISIONS["int8"].limits, score=0.05, within=1.0, min_score=0.0)
    limits, variant = replace(limits, least=0), VARIANTS["atto"]
    assert not replay([golden(low)], [off], SIZE, limits).passed(limits)
    assert replay([golden(low)], [halved], SIZE, limits).passed(limits)
    assert find_cause(Replay(off), [golden(low)], [off], limits, variant) is None


def test_other_detections_are_told() -> None:
    assert "no known mistake explains it" in (
        cause(replace(some(), labels=some().labels * 0 + 90)) or ""
    )


def test_numbers_that_are_none_are_no_mistake_of_the_outputs() -> None:
    broken = replace(some(), scores=some().scores * np.float32("nan"))
    assert "no known mistake explains it" in (cause(broken) or "")


@pytest.mark.parametrize(
    "outputs",
    [
        (replace(BOXES, name="scores"), replace(SCORES, name="boxes"), LABELS),
        (BOXES, replace(LABELS, name="scores"), replace(SCORES, name="labels")),
        (replace(SCORES, name="#0"), replace(BOXES, name="#1"), replace(LABELS, name="#2")),
        (replace(BOXES, name="Identity"), SCORES, LABELS),
    ],
)
def test_outputs_under_wrong_names_are_told(outputs: tuple[Port, ...]) -> None:
    sentence = swapped_outputs(outputs)
    assert sentence is not None
    assert "swapped or misnamed" in sentence
    assert f"{'boxes' if outputs[0].name == '#0' else outputs[0].name} float32" in sentence


def test_outputs_by_name_stand_in_any_order_and_others_in_one() -> None:
    assert swapped_outputs((SCORES, LABELS, BOXES)) is None
    unnamed = [replace(port, name=f"#{i}") for i, port in enumerate((BOXES, SCORES, LABELS))]
    assert swapped_outputs(unnamed) is None


def test_agreement_is_the_share_of_scores_on_both_sides() -> None:
    first = some()
    halves = take(first, range(20)), take(first, range(20, 40))
    assert agreement([first], [first]) == pytest.approx(1)
    assert agreement([halves[0]], [halves[1]]) == 0
    assert agreement([NOTHING], [NOTHING]) == 1
    assert agreement([first], [NOTHING]) == 0
    share = 2 * halves[0].scores.sum() / (first.scores.sum() + halves[0].scores.sum())
    assert agreement([first], [halves[0]]) == pytest.approx(share)
    assert agreement([halves[0]], [first]) == pytest.approx(share)


class Normalising:
    """Detects what it should in pixels that are normalised as they should be."""

    size, labels = SIZE, None

    def __init__(self, mistake: Callable[[Tensor], Tensor], wanted: Tensor) -> None:
        self.mistake, self.wanted = mistake, wanted

    def detect(self, frame: Frame) -> Detections:
        # half a step of a byte, seen through the deviation twice, is 0.04
        near = (self.mistake(to_tensor(frame)) - self.wanted).abs().max() < 0.06
        return some() if near else NOTHING


@pytest.mark.parametrize(
    ("variant", "mistake", "named"),
    [
        ("atto", lambda x: normalise(x, *IMAGENET), "normalised by the mean [0.485, 0.456, 0.406]"),
        ("atto", lambda x: 2 * x - 1, "normalised by the mean [0.5, 0.5, 0.5] and deviation [0.5"),
        ("s", lambda x: x, "divided by 255 alone, expected normalised by the mean [0.485, 0.456"),
        ("s", lambda x: 2 * x - 1, "normalised by the mean [0.5, 0.5, 0.5] and deviation [0.5"),
        ("s", lambda x: normalise(normalise(x, *IMAGENET), *IMAGENET), "normalised twice"),
    ],
)
def test_another_normalisation_is_named(
    variant: str, mistake: Callable[[Tensor], Tensor], named: str
) -> None:
    # grey, so that no byte that makes up for the mistake is cut off
    frame = np.random.default_rng(0).integers(126, 160, (*SIZE, 3), dtype=np.uint8)
    c, goldens = VARIANTS[variant], [Golden("grey", frame, some(), NOTHING)]
    runner = Normalising(mistake, normalise(to_tensor(frame), c.mean, c.std))
    limits = PRECISIONS["fp32"].limits
    sentence = find_cause(runner, goldens, [runner.detect(frame)], limits, c)
    assert sentence is not None and f"the pixels are most likely {named}" in sentence
    assert "rises from 0.00 to 1.00 of 1" in sentence


def test_a_frame_makes_up_for_another_normalisation() -> None:
    """As far as bytes go: half a step, seen through the deviation."""
    frame = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    changed = renormalised(frame, seen=IMAGENET, meant=PLAIN)
    given, wanted = normalise(to_tensor(changed), *IMAGENET), normalise(to_tensor(frame), *PLAIN)
    assert (given - wanted).abs().max() < 0.51 / 255 / min(IMAGENET[1])
