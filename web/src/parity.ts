/**
 * Do two programs detect the same? The same verdict, numbers and sentences as
 * `verification/parity.py`, whose limits are `converters/precision.py`'s, which says why;
 * `tests/vectors/parity.json` holds all languages to it.
 */

import { type Detections, joined } from "./detections.ts";
import type { Precision } from "./manifest.ts";
import { edgeDistances, iou, pairRest, pairWithin, scoreDistances, type Table } from "./pairing.ts";

/**
 * What an artifact of one precision must reach, and on which detections: a share `matched_share` of
 * those above `min_score` (null: all), of which `least` must be there, has a partner, and a share
 * `within` of the pairs keeps `box_px` and `score`, the worst `worst` times as much (null: any).
 */
export interface Limits {
  matched_share: number;
  box_px: number;
  score: number;
  min_score: number | null;
  within: number;
  least: number;
  worst: number | null;
}

const EXACT: Limits = {
  matched_share: 1,
  box_px: 0.05,
  score: 1e-4,
  min_score: null,
  within: 0.99,
  least: 0,
  worst: 20,
};
const HALF: Limits = {
  matched_share: 0.98,
  box_px: 4,
  score: 0.08,
  min_score: 0.3,
  within: 0.9,
  least: 5,
  worst: null,
};
const ROUNDED: Limits = {
  matched_share: 0.95,
  box_px: 12,
  score: 0.15,
  min_score: 0.3,
  within: 0.9,
  least: 20,
  worst: null,
};
export const LIMITS: Record<Precision, Limits> = {
  fp32: EXACT,
  fp16: HALF,
  int8: ROUNDED,
  int8x16: ROUNDED,
  "int8-weight": EXACT,
};

const SAME_IOU = 0.5;
const SAME_PX = 1;
const ROUNDING = 1e-6; // a runtime's sigmoid may turn the order of scores that differ by less
const FEW = 20; // of fewer, all must hold

/** Of the matched pairs: percentiles, and the largest. `values`: the single ones, ascending. */
export interface Errors {
  p50: number;
  p90: number;
  p99: number;
  worst: number;
  values: number[];
}

/** How far an artifact is from the reference, over one photograph or several. */
export interface Parity {
  counted: number;
  matched: number;
  boxPx: Errors;
  score: Errors;
  worstLabel: number | null;
  atCut: number;
  bestFirst: boolean;
  finite: boolean;
}

/** How many of `count` need not hold where `share` must: of FEW or more, one at least. */
function excused(count: number, share: number): number {
  if (share === 1 || count < FEW) return 0;
  return Math.max(1, Math.floor(count * (1 - share) + 1e-9));
}

/** Of the finite ones; what is not finite has a sentence of its own. */
export function errorsOf(values: number[]): Errors {
  const found = values.filter(Number.isFinite).sort((a, b) => a - b);
  const last = found.length - 1;
  if (last < 0) return { p50: 0, p90: 0, p99: 0, worst: 0, values: found };
  return {
    p50: found[Math.floor(last / 2)],
    p90: found[last - excused(found.length, 0.9)],
    p99: found[last - excused(found.length, 0.99)],
    worst: found[last],
    values: found,
  };
}

/**
 * `actual` against `reference` on one frame; size: height and width of the input. candidates: the
 * reference's next detections, after its last place, where they are known.
 */
export function compare(
  reference: Detections,
  actual: Detections,
  [height, width]: [number, number],
  limits: Limits,
  candidates: Detections | null,
): Parity {
  const pool = candidates === null ? reference : joined(reference, candidates);
  const pixels = edgeDistances(pool, actual, height, width);
  const scores = scoreDistances(pool, actual);
  const cost = costsOf(pixels, scores, limits);
  const alike = (i: number, j: number) => pool.labels[i] === actual.labels[j];
  const partners = pairWithin(
    cost,
    (i, j) => alike(i, j) && pixels[i][j] <= limits.box_px && scores[i][j] <= limits.score,
  );
  const noise = errorsOf(Array.from(partners, ([i, j]) => scores[i][j])).worst;
  const near = Math.min(limits.score, 2 * noise);
  const cutHere = cutOf(reference, actual, near);
  const cutThere = candidates === null ? cutOf(actual, reference, near) : [];
  pairRest(partners, cost, (i, j) => {
    const bothCut = Boolean(cutHere[i] && cutThere[j]);
    const overlap = !bothCut && iou(pool, i, actual, j) >= SAME_IOU;
    return alike(i, j) && (pixels[i][j] <= SAME_PX || overlap);
  });

  const here = counted(reference, limits);
  const there = counted(actual, limits);
  const pairs = Array.from(partners).filter(([i, j]) => here[i] || there[j]);
  const paired = new Set(partners.values());
  const lost = placesOf(here).filter((i) => !partners.has(i));
  const extra = placesOf(there).filter((j) => !paired.has(j));
  const reallyLost = lost.filter((i) => !cutHere[i]);
  const reallyExtra = extra.filter((j) => !cutThere[j]);
  return {
    counted: pairs.length + Math.max(reallyLost.length, reallyExtra.length),
    matched: pairs.length,
    boxPx: errorsOf(pairs.map(([i, j]) => pixels[i][j])),
    score: errorsOf(pairs.map(([i, j]) => scores[i][j])),
    worstLabel: worstLabel(
      [...reallyLost.map((i) => pool.labels[i]), ...reallyExtra.map((j) => actual.labels[j])],
      pairs.map(([i, j]) => [cost[i][j], pool.labels[i]]),
    ),
    atCut: lost.length + extra.length - reallyLost.length - reallyExtra.length,
    bestFirst: isBestFirst(actual.scores),
    finite: actual.boxes.every(Number.isFinite) && actual.scores.every(Number.isFinite),
  };
}

/** Over several photographs: counts add up, and all errors stay. */
export function merge(parities: Parity[]): Parity {
  const sum = (of: (parity: Parity) => number) =>
    parities.reduce((total, each) => total + of(each), 0);
  const worse = (a: Parity, b: Parity) =>
    b.counted - b.matched - (a.counted - a.matched) ||
    b.boxPx.worst - a.boxPx.worst ||
    b.score.worst - a.score.worst;
  return {
    counted: sum((each) => each.counted),
    matched: sum((each) => each.matched),
    boxPx: errorsOf(parities.flatMap((each) => each.boxPx.values)),
    score: errorsOf(parities.flatMap((each) => each.score.values)),
    worstLabel: [...parities].sort(worse)[0].worstLabel,
    atCut: sum((each) => each.atCut),
    bestFirst: parities.every((each) => each.bestFirst),
    finite: parities.every((each) => each.finite),
  };
}

/** One sentence, with the number and its limit, for each thing that does not hold. */
export function failures(parity: Parity, limits: Limits): string[] {
  const label = parity.worstLabel === null ? "" : ` (worst label: ${parity.worstLabel})`;
  const { counted, matched, atCut } = parity;
  const found: string[] = [];
  if (!parity.finite) found.push("some boxes or scores are not numbers, all must be finite");
  if (!parity.bestFirst) {
    found.push("the detections are not ordered by score, they must be best first");
  }
  if (atCut > counted) {
    found.push(
      `${atCut} detections tie with the last one, the limit is as many as could be compared (${counted})`,
    );
  }
  if (counted < limits.least) {
    found.push(
      `only ${counted} detections above ${limits.min_score} to compare, expected ${limits.least} or more; ` +
        "take photographs of what the model detects",
    );
  }
  if (counted - matched > excused(counted, limits.matched_share)) {
    found.push(
      `${matched} of ${counted} detections matched (${short(matchedShare(parity))}), ` +
        `the limit is ${short(limits.matched_share)}${label}`,
    );
  }
  const box = beyond(parity.boxPx, "box", limits.box_px, " px", limits);
  const score = beyond(parity.score, "score", limits.score, "", limits);
  for (const sentence of [box, score]) if (sentence !== null) found.push(sentence + label);
  return found;
}

/** In the form of `deimv2 verify --json`. */
export function toJson(parity: Parity): Record<string, unknown> {
  const errors = ({ p50, p90, p99, worst }: Errors) => ({ p50, p90, p99, worst });
  return {
    counted: parity.counted,
    matched: parity.matched,
    matched_share: matchedShare(parity),
    box_px: errors(parity.boxPx),
    score: errors(parity.score),
    worst_label: parity.worstLabel,
    at_cut: parity.atCut,
    best_first: parity.bestFirst,
    finite: parity.finite,
  };
}

function matchedShare({ counted, matched }: Parity): number {
  return counted === 0 ? 1 : matched / counted;
}

/** Of this share of the pairs, as `Limits` has it. */
export function largest(errors: Errors, within: number): number {
  return { 1: errors.worst, 0.99: errors.p99 }[within] ?? errors.p90;
}

function beyond(
  errors: Errors,
  kind: string,
  limit: number,
  unit: string,
  { within, worst }: Limits,
): string | null {
  const most = largest(errors, within);
  const text = (value: number) => short(value) + unit;
  const all = (allowed: number) =>
    `a ${kind} is ${text(errors.worst)} off, the limit is ${text(allowed)}`;
  if (most <= limit) {
    return worst === null || errors.worst <= worst * limit ? null : all(worst * limit);
  }
  if (within === 1) return all(limit);
  return (
    `a ${kind} is up to ${text(most)} off in ${Math.round(within * 100)}% of the pairs ` +
    `(the worst: ${text(errors.worst)}), the limit is ${text(limit)}`
  );
}

/** In limits: 1 for a box, and 1 for a score, that just holds. */
function costsOf(pixels: Table, scores: Table, limits: Limits): Table {
  return pixels.map((row, i) =>
    row.map((px, j) => px / limits.box_px + scores[i][j] / limits.score),
  );
}

function isBestFirst(scores: Float32Array): boolean {
  return scores.every((score, k) => k === 0 || score - scores[k - 1] <= ROUNDING);
}

function counted({ scores }: Detections, { min_score }: Limits): boolean[] {
  return Array.from(scores, (score) => min_score === null || score > Math.fround(min_score));
}

function placesOf(flags: boolean[]): number[] {
  return flags.flatMap((flag, i) => (flag ? [i] : []));
}

/** Which of `mine` tie, within `near`, with the last place of `other`; lists of other lengths are cut
 * elsewhere. */
function cutOf(mine: Detections, other: Detections, near: number): boolean[] {
  if (mine.scores.length !== other.scores.length) return [];
  const last = Math.fround(Math.min(...other.scores) + near);
  return Array.from(mine.scores, (score) => score <= last);
}

/** Most unmatched detections, else the costliest pair's (cost, label), else null. */
function worstLabel(unmatched: number[], pairs: [number, number][]): number | null {
  const counts = new Map<number, number>();
  for (const label of unmatched) counts.set(label, (counts.get(label) ?? 0) + 1);
  const [most] = Array.from(counts).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  if (most !== undefined) return most[0];
  const [costliest] = pairs
    .filter(([cost]) => Number.isFinite(cost))
    .sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  return costliest !== undefined && costliest[0] > 0 ? costliest[1] : null;
}

/** Four significant digits, as Python's `.4g` writes them: halves to the even digit. */
export function short(value: number): string {
  if (value === 0) return "0";
  const [digits, power] = value.toExponential(99).split("e");
  const tie = /^\d\.\d{3}50*$/.test(digits) && Number(digits[4]) % 2 === 0;
  const rounded = tie ? `${digits.slice(0, 5)}e${power}` : value.toExponential(3);
  const exponent = Number(rounded.split("e")[1]);
  if (exponent >= -4 && exponent < 4) return String(Number(rounded));
  const kept = String(Number(rounded.split("e")[0]));
  return `${kept}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
