import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { sha256Of } from "../src/sha256.ts";

test("it is the SHA-256 of everybody else, around every end of a block", () => {
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1_000_003]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7919) >> 3);
    assert.equal(sha256Of(bytes), createHash("sha256").update(bytes).digest("hex"), `${length}`);
  }
});

test("a part of a buffer counts alone", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => i).subarray(3, 103);
  assert.equal(sha256Of(bytes), createHash("sha256").update(bytes).digest("hex"));
});
