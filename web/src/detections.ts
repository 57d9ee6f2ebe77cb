/** What a detector says about one frame, best first. */

import { Problem } from "./problem.ts";

/** boxes: 4 numbers each, x1, y1, x2, y2 in 0..1 of the frame, not clipped to it; labels: places in
 * the manifest's list of class names. */
export interface Detections {
  boxes: Float32Array;
  scores: Float32Array;
  labels: Int32Array;
}

interface Row {
  label: number;
  score: number | null;
  box: (number | null)[];
}

/** Of rows as `Detections.to_json` of `model/detections.py` writes them; null is NaN. */
export function fromRows(rows: unknown): Detections {
  if (!Array.isArray(rows) || !rows.every(isRow)) {
    throw new Problem("detections are no list of label, score and box; export again");
  }
  return {
    boxes: Float32Array.from(rows.flatMap((row: Row) => row.box.map(number))),
    scores: Float32Array.from(rows, (row: Row) => number(row.score)),
    labels: Int32Array.from(rows, (row: Row) => row.label),
  };
}

function isRow(row: unknown): row is Row {
  const { label, score, box } = (row ?? {}) as Partial<Row>;
  const isNumber = (value: unknown) => value === null || typeof value === "number";
  return (
    Number.isInteger(label) &&
    isNumber(score) &&
    Array.isArray(box) &&
    box.length === 4 &&
    box.every(isNumber)
  );
}

function number(value: number | null): number {
  return value ?? Number.NaN;
}

export function joined(first: Detections, then: Detections): Detections {
  return {
    boxes: Float32Array.of(...first.boxes, ...then.boxes),
    scores: Float32Array.of(...first.scores, ...then.scores),
    labels: Int32Array.of(...first.labels, ...then.labels),
  };
}

/** How many scores are greater than the threshold; they stand first. */
export function countAbove(found: Detections, threshold: number): number {
  const end = found.scores.findIndex((score) => !(score > threshold));
  return end < 0 ? found.scores.length : end;
}

/** Whether a row before this one, and so a better one, has the same box: another label of one object. */
export function isRepeated({ boxes }: Detections, index: number): boolean {
  const box = boxes.subarray(4 * index, 4 * index + 4);
  for (let at = 0; at < 4 * index; at += 4) {
    if (box.every((edge, i) => edge === boxes[at + i])) return true;
  }
  return false;
}

/** Box `index` in pixels of an upright frame. */
export function toFrame(
  found: Detections,
  index: number,
  width: number,
  height: number,
): [x1: number, y1: number, x2: number, y2: number] {
  const [x1, y1, x2, y2] = found.boxes.subarray(4 * index, 4 * index + 4);
  return [x1 * width, y1 * height, x2 * width, y2 * height];
}
