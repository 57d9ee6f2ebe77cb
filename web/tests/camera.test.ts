import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeFor } from "../src/camera.ts";

test("neither side of a frame is smaller than the model's input, where cameras have such frames", () => {
  const heights = [320, 480, 512, 640, 736, 1280].map((side) => sizeFor([side, side]).height);
  assert.deepEqual(heights, [480, 480, 720, 720, 1080, 1080]);
  assert.deepEqual(sizeFor([320, 640]), { width: 1280, height: 720 });
});
