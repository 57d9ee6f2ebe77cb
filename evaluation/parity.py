"""Do two programs detect the same? Worst case over the detections, each number with its limit.

Rows cannot be compared: where scores tie in the last bits, top-k orders them differently, and at
place K it even cuts differently. So detections are paired by what they are (see `pairing`).
Both sides count: a detection that only the artifact has is as wrong as one that it lacks.
Correlation and averages hide single errors, so the worst case is what is reported.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from evaluation.pairing import Bools, Floats, differences, iou, pair_rest, pair_within
from model.detections import Detections
from model.errors import InputError

if TYPE_CHECKING:
    from converters.golden import Golden

SAME_IOU = 0.5
SAME_PX = 1.0
ROUNDING = 1e-6  # a runtime's sigmoid may turn the order of scores that differ by less


@dataclass(frozen=True)
class Limits:
    """What an artifact of one precision must reach, and on which detections.

    matched_share: of the counted detections, how many must have a partner, 0..1
    box_px:        largest distance of a box edge, in pixels of the network's input
    score:         largest difference of a score
    min_score:     detections above this score count; None counts all
    at_least:      where fewer are above it, this many of the best count instead
    far_pairs:     what is further apart may be paired too, if it is recognisably the same, and then
                   its distance decides; else it has no partner, and the share decides
    """

    matched_share: float
    box_px: float
    score: float
    min_score: float | None = None
    at_least: int = 0
    far_pairs: bool = True

    def counted(self, scores: npt.NDArray[np.float32]) -> Bools:
        """Which of the detections count. scores: float32 [K], best first."""
        if self.min_score is None:
            return np.ones(len(scores), bool)
        above: Bools = scores > self.min_score
        if above.sum() < self.at_least:
            above = np.arange(len(scores)) < self.at_least
        return above


LIMITS: Mapping[str, Limits] = {
    # float32 differs by the order of its sums alone.
    "fp32": Limits(matched_share=1.0, box_px=0.05, score=1e-4),
    # float16 has 11 significant bits: one rounding is up to 0.16 px at the far edge of 640 pixels,
    # and 0.0002 of a score near 1; the network rounds many times over.
    "fp16": Limits(matched_share=0.99, box_px=1.0, score=0.01, min_score=0.3, at_least=20),
    # int8 is compared with PyTorch rounding at the same places. Sums differ in their last bits, and
    # where one lies between two steps it is rounded the other way: one step of a hundred or so. How
    # far that moves a single box has no bound.
    "int8": Limits(0.95, box_px=4.0, score=0.05, min_score=0.3, at_least=20, far_pairs=False),
    # The weights are those of the reference to the bit, and all else is float32.
    "int8-weight": Limits(matched_share=1.0, box_px=0.05, score=1e-4),
}


@dataclass(frozen=True)
class Parity:
    """How far an artifact is from the reference; worst case over one photo or several.

    box_px and score are the worst errors of matched pairs. worst_label is the label with most
    unmatched detections, or that of the worst pair if all matched, or None if nothing differs.
    at_cut detections lacked a partner because a near tie at place K was cut differently; they are
    not counted. finite: no box and no score of the artifact is NaN or infinite.
    """

    counted: int
    matched: int
    box_px: float
    score: float
    worst_label: int | None
    at_cut: int
    best_first: bool = True
    finite: bool = True

    @property
    def matched_share(self) -> float:
        return self.matched / self.counted if self.counted else 1.0

    def passed(self, limits: Limits) -> bool:
        return not self.failures(limits)

    def failures(self, limits: Limits) -> list[str]:
        """One sentence, with the number and its limit, for each thing that does not hold."""
        label = "" if self.worst_label is None else f" (worst label: {self.worst_label})"
        found = []
        if not self.finite:
            found.append("some boxes or scores are not numbers, all must be finite")
        if not self.best_first:
            found.append("the detections are not ordered by score, they must be best first")
        if self.at_cut > self.counted:
            found.append(
                f"{self.at_cut} detections tie with the last one, the limit is as many as could "
                f"be compared ({self.counted})"
            )
        if self.matched_share < limits.matched_share:
            found.append(
                f"{self.matched} of {self.counted} detections matched "
                f"({self.matched_share:.4g}), the limit is {limits.matched_share:.4g}{label}"
            )
        if self.box_px > limits.box_px:
            found.append(
                f"a box is {self.box_px:.4g} px off, the limit is {limits.box_px:.4g} px{label}"
            )
        if self.score > limits.score:
            found.append(f"a score is {self.score:.4g} off, the limit is {limits.score:.4g}{label}")
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "counted": self.counted,
            "matched": self.matched,
            "matched_share": self.matched_share,
            "box_px": self.box_px,
            "score": self.score,
            "worst_label": self.worst_label,
            "at_cut": self.at_cut,
            "best_first": self.best_first,
            "finite": self.finite,
        }


def compare(
    reference: Detections,
    actual: Detections,
    size: tuple[int, int],
    limits: Limits,
    candidates: Detections | None = None,
) -> Parity:
    """Measures `actual` against `reference` on one frame. size: (H, W) of the input, in pixels.

    candidates: the reference's next detections, after its last place. With them, what the artifact
    has in place of a tie at the cut is checked too; without them it is excused, and is in at_cut.
    """
    pool = reference if candidates is None else _join(reference, candidates)
    pixels, scores = differences(pool, actual, size)
    alike = pool.labels[:, None] == actual.labels[None, :]
    within = alike & (pixels <= limits.box_px) & (scores <= limits.score)
    cost = pixels / limits.box_px + scores / limits.score
    partner = pair_within(cost, within)

    noise = _worst(scores, [*partner.items()])
    cut_here, cut_there = _cuts(reference, actual, min(limits.score, 2 * noise))
    cut_here = np.append(cut_here, np.zeros(len(pool) - len(reference), bool))
    cut_there &= candidates is None
    overlap = (iou(pool.boxes, actual.boxes) >= SAME_IOU) & ~(cut_here[:, None] & cut_there)
    if limits.far_pairs:
        pair_rest(partner, cost, alike & ((pixels <= SAME_PX) | overlap))

    here = np.append(limits.counted(reference.scores), np.zeros(len(pool) - len(reference), bool))
    there = limits.counted(actual.scores)
    pairs = [(i, j) for i, j in partner.items() if here[i] or there[j]]
    here[list(partner.keys())] = False
    there[list(partner.values())] = False
    lost, extra = here & ~cut_here, there & ~cut_there
    unmatched = [*pool.labels[lost].tolist(), *actual.labels[extra].tolist()]
    return Parity(
        counted=len(pairs) + max(int(lost.sum()), int(extra.sum())),
        matched=len(pairs),
        box_px=_worst(pixels, pairs),
        score=_worst(scores, pairs),
        worst_label=_worst_label(
            unmatched, [(float(cost[p]), int(pool.labels[p[0]])) for p in pairs]
        ),
        at_cut=int((here & cut_here).sum() + (there & cut_there).sum()),
        best_first=bool((np.diff(actual.scores) <= ROUNDING).all()),  # NaN is no order either
        finite=bool(np.isfinite(actual.boxes).all() and np.isfinite(actual.scores).all()),
    )


def merge(parities: Sequence[Parity]) -> Parity:
    """The worst over several photos: counts add up, errors are the largest of any photo."""
    if not parities:
        raise InputError("0 parities to merge, expected one per photo; give at least one photo")
    worst = max(parities, key=lambda p: (p.counted - p.matched, p.box_px, p.score))
    return Parity(
        counted=sum(p.counted for p in parities),
        matched=sum(p.matched for p in parities),
        box_px=max(p.box_px for p in parities),
        score=max(p.score for p in parities),
        worst_label=worst.worst_label,
        at_cut=sum(p.at_cut for p in parities),
        best_first=all(p.best_first for p in parities),
        finite=all(p.finite for p in parities),
    )


def replay(
    goldens: Sequence["Golden"],
    found: Sequence[Detections],
    size: tuple[int, int],
    limits: Limits,
) -> Parity:
    """What was detected on each golden photograph against its reference; the worst over all."""
    pairs = zip(goldens, found, strict=True)
    return merge([compare(g.reference, d, size, limits, g.candidates) for g, d in pairs])


HEADER = (
    "artifact",
    "matched (limit)",
    "box px (limit)",
    "score (limit)",
    "worst label",
    "verdict",
)


def table(rows: Mapping[str, tuple[Parity, Limits]]) -> list[list[str]]:
    """One row of cells under HEADER per artifact, each number with its limit beside it."""
    return [
        [
            artifact,
            f"{parity.matched}/{parity.counted} = {parity.matched_share:.4g} "
            f"({limits.matched_share:.4g})",
            f"{parity.box_px:.4g} ({limits.box_px:.4g})",
            f"{parity.score:.4g} ({limits.score:.4g})",
            "-" if parity.worst_label is None else str(parity.worst_label),
            "pass" if parity.passed(limits) else "FAIL",
        ]
        for artifact, (parity, limits) in rows.items()
    ]


def _cuts(reference: Detections, actual: Detections, near: float) -> tuple[Bools, Bools]:
    """Which detections of each side tie, within `near`, with the other side's last place.

    Only lists of the same length are cut at the same place. `near` is the noise seen on the scores
    that did match (twice, for those that were not seen), not the whole limit: untrained weights
    give scores so close that all of them would pass as ties.
    """
    if len(reference) != len(actual) or not len(actual):
        return np.zeros(len(reference), bool), np.zeros(len(actual), bool)
    return (
        reference.scores <= float(actual.scores.min()) + near,
        actual.scores <= float(reference.scores.min()) + near,
    )


def _worst(errors: Floats, pairs: Sequence[tuple[int, int]]) -> float:
    """The largest error of the pairs. What is not finite has a sentence of its own, and no place in
    JSON."""
    found = [float(errors[pair]) for pair in pairs]
    return max((error for error in found if math.isfinite(error)), default=0.0)


def _worst_label(unmatched: Sequence[int], pairs: Sequence[tuple[float, int]]) -> int | None:
    """Most unmatched detections, else the costliest of `pairs` (cost, label), else None."""
    if unmatched:
        counts = Counter(unmatched)
        return max(counts, key=lambda label: (counts[label], -label))
    cost, label = max((p for p in pairs if math.isfinite(p[0])), default=(0.0, 0))
    return label if cost else None


def _join(first: Detections, then: Detections) -> Detections:
    return Detections(
        np.concatenate([first.boxes, then.boxes]),
        np.concatenate([first.scores, then.scores]),
        np.concatenate([first.labels, then.labels]),
    )
