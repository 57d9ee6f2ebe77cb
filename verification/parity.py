"""Do two programs detect the same? Each number with its limit.

Rows cannot be compared: where scores tie in the last bits, top-k orders them differently, and at
place K it even cuts differently. So detections are paired by what they are (see `matching`).
Both sides count: a detection that only the artifact has is as wrong as one that it lacks.

In float32 all detections count and must have a partner (of the same label, at the same place, with
whatever score). Where numbers are rounded, what a user sees counts: detections above 0.3, of which
nearly all must have one. Of the pairs nearly all must be close: where two queries nearly tie, what
rounds lets the other one win, be it the order of float32's sums. There the worst has a limit, too.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from deimv2.converters.precision import Limits
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.verification.matching import Bools, Floats, differences, iou, pair_rest, pair_within

if TYPE_CHECKING:
    from deimv2.converters.golden import Golden

SAME_IOU = 0.5
SAME_PX = 1.0
ROUNDING = 1e-6  # a runtime's sigmoid may turn the order of scores that differ by less
FEW = 20  # of fewer, all must hold; from here on, one at least may not


def excused(count: int, share: float) -> int:
    """How many of `count` need not hold if `share` must; of FEW or more, at least one need not."""
    if share == 1 or count < FEW:
        return 0
    return max(1, math.floor(count * (1 - share) + 1e-9))


@dataclass(frozen=True)
class Errors:
    """Of the matched pairs: percentiles, and the largest. Of FEW or more, a percentile leaves out
    one at least. values: the single ones, where they are known."""

    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    values: tuple[float, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, values: Iterable[float]) -> "Errors":
        found = tuple(sorted(values))
        if not found:
            return cls()
        p90, p99 = (found[-1 - excused(len(found), share)] for share in (0.9, 0.99))
        return cls(found[(len(found) - 1) // 2], p90, p99, found[-1], found)

    def largest(self, within: float) -> float:
        """The largest error of this share of the pairs: 1, 0.99 or 0.9, as in `Limits`."""
        return {1.0: self.worst, 0.99: self.p99, 0.9: self.p90}[within]

    def failures(
        self, kind: str, limit: float, unit: str, within: float, worst: float | None = None
    ) -> list[str]:
        if (largest := self.largest(within)) <= limit:
            if worst is None or self.worst <= worst * limit:
                return []
            largest, limit, within = self.worst, worst * limit, 1
        if within == 1:
            return [f"a {kind} is {largest:.4g}{unit} off, the limit is {limit:.4g}{unit}"]
        return [
            f"a {kind} is up to {largest:.4g}{unit} off in {within:.0%} of the pairs (the worst: "
            f"{self.worst:.4g}{unit}), the limit is {limit:.4g}{unit}"
        ]


@dataclass(frozen=True)
class Parity:
    """How far an artifact is from the reference, over one photo or several.

    box_px and score are the errors of matched pairs. worst_label is the label with most unmatched
    detections, or that of the worst pair if all matched, or None if nothing differs. at_cut
    detections lacked a partner because a near tie at place K was cut differently; they are not
    counted. finite: no box and no score of the artifact is NaN or infinite.
    """

    counted: int
    matched: int
    box_px: Errors
    score: Errors
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
        if self.counted < limits.least:
            found.append(
                f"only {self.counted} detections above {limits.min_score} to compare, expected "
                f"{limits.least} or more; take photographs of what the model detects"
            )
        if self.counted - self.matched > excused(self.counted, limits.matched_share):
            found.append(
                f"{self.matched} of {self.counted} detections matched "
                f"({self.matched_share:.4g}), the limit is {limits.matched_share:.4g}{label}"
            )
        for kind, errors, limit, unit in (
            ("box", self.box_px, limits.box_px, " px"),
            ("score", self.score, limits.score, ""),
        ):
            beyond = errors.failures(kind, limit, unit, limits.within, limits.worst)
            found += [sentence + label for sentence in beyond]
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "counted": self.counted,
            "matched": self.matched,
            "matched_share": self.matched_share,
            "box_px": _to_json(self.box_px),
            "score": _to_json(self.score),
            "worst_label": self.worst_label,
            "at_cut": self.at_cut,
            "best_first": self.best_first,
            "finite": self.finite,
        }

    @classmethod
    def from_json(cls, content: Any) -> "Parity":
        """Raises KeyError or TypeError for what `to_json` did not give."""
        given = {part.name: content[part.name] for part in fields(cls)}
        return cls(**given | {name: Errors(**given[name]) for name in ("box_px", "score")})


def _to_json(errors: Errors) -> dict[str, float]:
    return {"p50": errors.p50, "p90": errors.p90, "p99": errors.p99, "worst": errors.worst}


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

    noise = _errors(scores, [*partner.items()]).worst
    cut_here, cut_there = _cuts(reference, actual, min(limits.score, 2 * noise))
    cut_here = np.append(cut_here, np.zeros(len(pool) - len(reference), bool))
    cut_there &= candidates is None
    overlap = (iou(pool.boxes, actual.boxes) >= SAME_IOU) & ~(cut_here[:, None] & cut_there)
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
        box_px=_errors(pixels, pairs),
        score=_errors(scores, pairs),
        worst_label=_worst_label(
            unmatched, [(float(cost[p]), int(pool.labels[p[0]])) for p in pairs]
        ),
        at_cut=int((here & cut_here).sum() + (there & cut_there).sum()),
        best_first=bool((np.diff(actual.scores) <= ROUNDING).all()),  # NaN is no order either
        finite=actual.finite,
    )


def merge(parities: Sequence[Parity]) -> Parity:
    """Over several photos: counts add up, and all errors stay."""
    if not parities:
        raise InputError("0 parities to merge, expected one per photo; give at least one photo")
    worst = max(parities, key=lambda p: (p.counted - p.matched, p.box_px.worst, p.score.worst))
    return Parity(
        counted=sum(p.counted for p in parities),
        matched=sum(p.matched for p in parities),
        box_px=Errors.of(error for p in parities for error in p.box_px.values),
        score=Errors.of(error for p in parities for error in p.score.values),
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
    "box px: p50, p90, p99, worst (limit)",
    "score: p50, p90, p99, worst (limit)",
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
            f"{_spread(parity.box_px)} ({_allowed(limits, limits.box_px)})",
            f"{_spread(parity.score)} ({_allowed(limits, limits.score)})",
            "-" if parity.worst_label is None else str(parity.worst_label),
            "pass" if parity.passed(limits) else "FAIL",
        ]
        for artifact, (parity, limits) in rows.items()
    ]


def _spread(errors: Errors) -> str:
    return ", ".join(f"{error:.2g}" for error in _to_json(errors).values())


def _allowed(limits: Limits, limit: float) -> str:
    """The limit, and which number it is for; then the limit of the worst, if there is one."""
    which = "" if limits.within == 1 else f"p{limits.within * 100:.0f} "
    worst = "" if limits.worst is None else f", worst {limits.worst * limit:.4g}"
    return f"{which}{limit:.4g}{worst}"


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


def _errors(errors: Floats, pairs: Sequence[tuple[int, int]]) -> Errors:
    """The errors of the pairs. Those that are not finite are left out: `finite` tells of them, and
    JSON cannot hold them."""
    found = (float(errors[pair]) for pair in pairs)
    return Errors.of(error for error in found if math.isfinite(error))


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
