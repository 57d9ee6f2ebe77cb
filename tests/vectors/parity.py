"""Pairs of detections, and what `deimv2.verification.parity` says of each.

parity.json: `size`: [H, W] of the input; `reference`, `actual` and, where there are some,
`candidates`: detections, in which null stands for NaN; `verdicts`: for each precision of `limits`
the numbers, and the sentences in `failures`, none of them if it passes.
"""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from deimv2.converters.precision import PRECISIONS, Limits
from deimv2.model.detections import Detections
from deimv2.tests.vectors.text import to_bytes
from deimv2.tests.verification.detections import SIZE, at_the_cut, changed, some, take
from deimv2.verification.parity import compare

MADE_BY = "python -m deimv2.tests.vectors: verification.parity.compare in tests/vectors/parity.py"
Case = tuple[Detections, Detections, Detections | None]


def make() -> dict[str, bytes]:
    cases = [_case(name, *case) for name, case in pairs().items()]
    limits = {name: asdict(each.limits) for name, each in PRECISIONS.items()}
    return {"parity.json": to_bytes({"made_by": MADE_BY, "limits": limits, "cases": cases})}


def pairs() -> dict[str, Case]:
    """Good and bad, each of another kind."""
    good = some(32)
    ties = take(good, range(32))
    ties.scores[4:7] = ties.scores[4]
    shifted = Detections(good.boxes, good.scores, good.labels + np.int32(1))
    not_a_number, no_score, flat = (take(good, range(32)) for _ in range(3))
    no_score.scores[:] = np.nan
    not_a_number.boxes[2, 1] = not_a_number.scores[5] = np.nan
    flat.boxes[:, 2:] = flat.boxes[:, :2]
    order = [0, 1, 2, 3, 6, 4, 5, *range(7, 32)]
    return {
        "equal": (good, good, None),
        "nothing on both sides": (some(0), some(0), None),
        "nothing found": (good, some(0), None),
        "nothing expected": (some(0), good, None),
        "noise": (good, changed(changed(good, 3, box_px=0.04), 5, score=5e-5), None),
        "noise of fp16": (good, changed(changed(good, 3, box_px=0.7), 5, score=0.006), None),
        "one pair beyond": (good, changed(changed(good, 3, box_px=0.5), 3, score=1e-3), None),
        "two pairs beyond": (good, changed(changed(good, 3, score=5e-4), 5, score=1e-3), None),
        "one pair of few beyond": (
            take(good, range(19)),
            changed(take(good, range(19)), 3, score=5e-4),
            None,
        ),
        "rows of a tie swapped": (ties, take(ties, order), None),
        "not best first": (good, take(good, [1, 0, *range(2, 24)]), None),
        "labels shifted by one": (good, shifted, None),
        "one label wrong": (good, changed(good, 8, label=100), None),
        "one box moved": (good, changed(good, 0, box_px=5), None),
        "one box moved away": (good, changed(good, 7, box_px=250), None),
        "one score off": (good, changed(good, 0, score=0.0611), None),
        "one missing": (good, take(good, [i for i in range(32) if i != 3]), None),
        "one too many": (take(good, range(28)), take(good, [0, *range(28)]), None),
        "not numbers": (good, not_a_number, None),
        "no score is a number": (good, no_score, None),
        "boxes without an area": (flat, flat, None),
    } | ties_at_the_cut()


def ties_at_the_cut() -> dict[str, Case]:
    """Where the last place could go to another, and pairs that are hard to find."""
    cut, cut_otherwise = at_the_cut(last=40, score=0.1)
    nearby = take(some(41), [40])
    nearby.scores[:] = 0.1
    left = np.float32([0.0, 0.04, 0.03, 0.08]) / 320
    near = Detections(
        np.stack([left, 0 * left, 0 * left + 0.5, 0 * left + 0.5], 1).astype(np.float32),
        np.full(4, 0.5, np.float32),
        np.zeros(4, np.int32),
    )
    all_tie = take(some(32), range(32))
    all_tie.scores[:] = 0.5
    return {
        "a tie at the cut": (cut, cut_otherwise, None),
        "a tie at the cut, with candidates": (cut, cut_otherwise, nearby),
        "a wrong box in place of a tie": (cut, changed(cut_otherwise, 39, box_px=-20), nearby),
        "a gap at the cut": (*at_the_cut(last=40, score=0.05), None),
        "all scores tie": (
            all_tie,
            Detections(all_tie.boxes, all_tie.scores, all_tie.labels + np.int32(100)),
            None,
        ),
        "only a pairing that is not the nearest fits": (
            take(near, [0, 1]),
            take(near, [2, 3]),
            None,
        ),
    }


def _case(
    name: str, reference: Detections, actual: Detections, candidates: Detections | None
) -> dict[str, Any]:
    def verdict(limits: Limits) -> dict[str, Any]:
        parity = compare(reference, actual, SIZE, limits, candidates)
        return {"numbers": parity.to_json(), "failures": parity.failures(limits)}

    return {
        "name": name,
        "size": SIZE,
        "reference": _rows(reference),
        "actual": _rows(actual),
        "candidates": None if candidates is None else _rows(candidates),
        "verdicts": {name: verdict(each.limits) for name, each in PRECISIONS.items()},
    }


def _rows(detections: Detections) -> list[dict[str, Any]]:
    def number(value: float) -> float | None:
        return None if math.isnan(value) else value

    return [
        row | {"score": number(row["score"]), "box": [number(edge) for edge in row["box"]]}
        for row in detections.to_json()
    ]
