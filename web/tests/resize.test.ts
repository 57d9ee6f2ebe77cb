import assert from "node:assert/strict";
import { test } from "node:test";
import { Resizer } from "../src/resize.ts";
import { bytesOf, jsonOf } from "./vectors.ts";

interface Case {
  name: string;
  file: string;
  rgb?: string; // a camera's frame, as the browser hands it out
  width: number;
  height: number;
  rotation: number;
  size: [number, number];
  expected: string;
}

const { photos, cameras } = jsonOf("frames.json") as Record<string, Case[]>;

/** The frame turned upright, which browsers do themselves: RGBA, and its width and height. */
function upright(frame: Case): [Uint8ClampedArray, number, number] {
  const rgb = bytesOf(frame.rgb ?? frame.file);
  const { width, height, rotation } = frame;
  const turned = rotation % 180 !== 0;
  const [w, h] = turned ? [height, width] : [width, height];
  const rgba = new Uint8ClampedArray(w * h * 4).fill(99); // alpha must not count
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [right, below] = {
        0: [x, y],
        90: [height - 1 - y, x],
        180: [width - 1 - x, height - 1 - y],
        270: [y, width - 1 - x],
      }[rotation] as [number, number];
      const at = 3 * (y * width + x);
      rgba.set(rgb.subarray(at, at + 3), 4 * (below * w + right));
    }
  }
  return [rgba, w, h];
}

function worstDifference(frame: Case, resizer = new Resizer(...frame.size)): number {
  const input = resizer.fill(...upright(frame));
  const expected = bytesOf(frame.expected);
  assert.equal(input.length, expected.length);
  return input.reduce((worst, level, i) => Math.max(worst, Math.abs(level - expected[i])), 0);
}

test("the vectors are all there", () => assert.ok(photos.length > 10 && cameras.length > 10));

for (const frame of [...photos, ...cameras]) {
  test(`${frame.name} becomes the pixels that PIL makes`, () => {
    assert.ok(worstDifference(frame) <= 1);
  });
}

test("rows first, as PIL has it for these sizes, it is PIL's to the level", () => {
  for (const frame of photos.filter(({ name }) => /^(down|up|same|row|pixel)/.test(name))) {
    assert.equal(worstDifference(frame), 0, frame.name);
  }
});

test("frames of other sizes in turn do not disturb each other", () => {
  const frames = photos.filter(({ size }) => size[0] === 32 && size[1] === 64);
  const resizer = new Resizer(32, 64);
  for (const frame of [...frames, ...frames]) assert.ok(worstDifference(frame, resizer) <= 1);
});
