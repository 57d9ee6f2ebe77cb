import assert from "node:assert/strict";
import { test } from "node:test";
import { fromRows } from "../src/detections.ts";
import type { Precision } from "../src/manifest.ts";
import {
  compare,
  errorsOf,
  failures,
  LIMITS,
  merge,
  type Parity,
  short,
  toJson,
} from "../src/parity.ts";
import { jsonOf } from "./vectors.ts";

const vectors = jsonOf("parity.json");

/** Equal, numbers up to the last bits. */
function assertClose(found: unknown, expected: unknown, place: string): void {
  if (typeof expected === "number") {
    assert.ok(
      Math.abs((found as number) - expected) <= 1e-9,
      `${place}: ${found}, not ${expected}`,
    );
  } else if (typeof expected === "object" && expected !== null) {
    assert.deepEqual(Object.keys(found as object), Object.keys(expected), place);
    for (const [name, value] of Object.entries(expected)) {
      assertClose((found as Record<string, unknown>)[name], value, `${place}.${name}`);
    }
  } else assert.equal(found, expected, place);
}

test("the limits are Python's", () => assert.deepEqual(LIMITS, vectors.limits));

test("the vectors are all there", () => assert.ok(vectors.cases.length > 20));

for (const { name, size, reference, actual, candidates, verdicts } of vectors.cases) {
  for (const precision of Object.keys(LIMITS) as Precision[]) {
    test(`${name}: Python's verdict for ${precision}`, () => {
      const limits = LIMITS[precision];
      const next = candidates === null ? null : fromRows(candidates);
      const parity = compare(fromRows(reference), fromRows(actual), size, limits, next);
      assertClose(toJson(parity), verdicts[precision].numbers, name);
      assert.deepEqual(failures(parity, limits), verdicts[precision].failures);
    });
  }
}

test("several photographs add up", () => {
  const of = (
    counted: number,
    matched: number,
    box: number[],
    score: number[],
    label: number,
    atCut: number,
  ): Parity => ({
    counted,
    matched,
    boxPx: errorsOf(box),
    score: errorsOf(score),
    worstLabel: label,
    atCut,
    bestFirst: true,
    finite: true,
  });
  assert.deepEqual(
    merge([of(40, 40, [0.01, 0], [2e-5], 3, 1), of(20, 19, [0.002], [3e-5], 7, 0)]),
    of(60, 59, [0, 0.002, 0.01], [2e-5, 3e-5], 7, 1),
  );
});

test("of many pairs some are left out", () => {
  const of = (count: number) => {
    const { p50, p90, p99, worst } = errorsOf(Array.from({ length: count }, (_, i) => i));
    return [p50, p90, p99, worst];
  };
  assert.deepEqual(of(19), [9, 18, 18, 18]);
  assert.deepEqual(of(20), [9, 17, 18, 19]);
  assert.deepEqual(of(250), [124, 224, 247, 249]);
});

test("numbers are written as Python writes them", () => {
  const written: [number, string][] = [
    [0, "0"],
    [1, "1"],
    [0.95833, "0.9583"],
    [14.694, "14.69"],
    [1e-4, "0.0001"],
    [12345, "1.234e+04"],
    [12355, "1.236e+04"],
    [2e-5, "2e-05"],
    [9999.6, "1e+04"],
  ];
  for (const [number, text] of written) assert.equal(short(number), text);
});
