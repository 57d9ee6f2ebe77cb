import assert from "node:assert/strict";
import { test } from "node:test";
import { countAbove, fromRows, toFrame } from "../src/detections.ts";
import { seen } from "../src/draw.ts";
import { jsonOf } from "./vectors.ts";

interface Case {
  width: number;
  height: number;
  rotation: number;
  box: number[];
  pixels: number[];
}

test("boxes lie where Python puts them", () => {
  // Browsers hand out frames that are upright.
  const cases = (jsonOf("boxes.json").cases as Case[]).filter(({ rotation }) => rotation === 0);
  assert.ok(cases.length > 5);
  for (const { width, height, box, pixels } of cases) {
    const found = toFrame(fromRows([{ label: 0, score: 1, box }]), 0, width, height);
    found.forEach((edge, i) => {
      assert.ok(Math.abs(edge - pixels[i]) < 1e-3, `${found} is not ${pixels}`);
    });
  }
});

test("only scores above the threshold count", () => {
  const rows = [0.9, 0.5, 0.4, 0.1].map((score) => ({ label: 0, score, box: [0, 0, 1, 1] }));
  const counts = [0, 0.4, 0.5, 0.9].map((threshold) => countAbove(fromRows(rows), threshold));
  // 0.4 and 0.9 as float32 are a little more than the number written here.
  assert.deepEqual(counts, [4, 3, 1, 0]);
});

test("of several labels on one box the best is shown", () => {
  const boxes = [
    [0, 0, 1, 1],
    [0, 0, 1, 0.5],
    [0, 0, 1, 1],
  ];
  const found = fromRows(boxes.map((box, i) => ({ label: i, score: 0.9 - i / 10, box })));
  const all = seen(found, 0.4, ["cat", "dog", "fox"], { width: 10, height: 10 });
  assert.deepEqual(
    all.map(({ name }) => name),
    ["cat", "dog"],
  );
});
