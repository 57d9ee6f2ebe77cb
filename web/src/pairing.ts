/**
 * Pairs the detections of two programs by label and place, whatever rows they stand in, in the two
 * rounds that `verification/matching.py` describes.
 */

import type { Detections } from "./detections.ts";

/** [rows][columns] */
export type Table = number[][];

/** Row -> column. */
export type Partners = Map<number, number>;

type Test = (row: number, column: number) => boolean;

/** Round 1: as many pairs within the limits as there can be, by augmenting paths, cheapest first. */
export function pairWithin(cost: Table, within: Test): Partners {
  const neighbours = cost.map((costs, i) =>
    costs
      .map((_, j) => j)
      .filter((j) => within(i, j))
      .sort((a, b) => ascending(costs[a], costs[b])),
  );
  const owner = new Map<number, number>();

  const place = (row: number, visited: Set<number>): boolean => {
    const free = neighbours[row].find((column) => !owner.has(column));
    if (free !== undefined) {
      owner.set(free, row);
      return true;
    }
    for (const column of neighbours[row]) {
      if (visited.has(column)) continue;
      visited.add(column);
      if (place(owner.get(column) as number, visited)) {
        owner.set(column, row); // its owner moved on
        return true;
      }
    }
    return false;
  };
  neighbours.forEach((_, row) => {
    place(row, new Set());
  });
  return new Map(Array.from(owner, ([column, row]) => [row, column]));
}

/** Round 2: adds the pairs left over that are recognisably the same, cheapest first. */
export function pairRest(partners: Partners, cost: Table, same: Test): void {
  const taken = new Set(partners.values());
  const left = cost.flatMap((costs, i) =>
    costs.flatMap((price, j) => (same(i, j) ? [{ i, j, price }] : [])),
  );
  for (const { i, j } of left.sort((a, b) => ascending(a.price, b.price))) {
    if (partners.has(i) || taken.has(j)) continue;
    partners.set(i, j);
    taken.add(j);
  }
}

/** Largest edge distance of all pairs, in pixels of an input of that size. */
export function edgeDistances(a: Detections, b: Detections, height: number, width: number): Table {
  return table(a, b, (i, j) => {
    const edges = [0, 1, 2, 3].map((edge) => {
      const scale = edge % 2 === 0 ? width : height;
      return Math.abs(a.boxes[4 * i + edge] * scale - b.boxes[4 * j + edge] * scale);
    });
    return Math.max(...edges);
  });
}

export function scoreDistances(a: Detections, b: Detections): Table {
  return table(a, b, (i, j) => Math.abs(a.scores[i] - b.scores[j]));
}

/** Intersection over union; 0 where both boxes are empty or one is not a number. */
export function iou(a: Detections, i: number, b: Detections, j: number): number {
  const [ax1, ay1, ax2, ay2] = a.boxes.subarray(4 * i, 4 * i + 4);
  const [bx1, by1, bx2, by2] = b.boxes.subarray(4 * j, 4 * j + 4);
  const area = (width: number, height: number) => Math.max(0, width) * Math.max(0, height);
  const shared = area(
    Math.min(ax2, bx2) - Math.max(ax1, bx1),
    Math.min(ay2, by2) - Math.max(ay1, by1),
  );
  const union = area(ax2 - ax1, ay2 - ay1) + area(bx2 - bx1, by2 - by1) - shared;
  return union > 0 ? shared / union : 0;
}

function table(a: Detections, b: Detections, cell: (i: number, j: number) => number): Table {
  return Array.from(a.scores, (_, i) => Array.from(b.scores, (_, j) => cell(i, j)));
}

/** For sorting; what is not a number comes last. */
export function ascending(a: number, b: number): number {
  const [left, right] = [a, b].map((each) =>
    Number.isNaN(each) ? Number.POSITIVE_INFINITY : each,
  );
  return left < right ? -1 : left > right ? 1 : 0;
}
