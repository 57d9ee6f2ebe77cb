import assert from "node:assert/strict";
import { test } from "node:test";
import { Detector } from "../src/detector.ts";
import type { Opening } from "../src/messages.ts";

/** Opens at once, and answers no picture. */
class Silent {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  terminated = false;

  postMessage(request: object): void {
    assert.ok(!this.terminated, "a terminated worker was asked");
    const data = { kind: "opened", runsOn: "a test" };
    if ("open" in request) queueMicrotask(() => this.onmessage?.({ data }));
  }

  terminate(): void {
    this.terminated = true;
  }
}

test("what waits for a detector that is closed is told so", async () => {
  Object.assign(globalThis, { Worker: Silent });
  const listener = { progress: () => {}, lost: () => {} };
  const detector = await Detector.open({} as Opening, listener);
  assert.equal(detector.runsOn, "a test");
  const picture = {} as ImageBitmap;
  const asked = [detector.detect(picture), detector.detect(picture), detector.detect(picture)];
  const told = asked.map((found) => assert.rejects(found, /the detector was closed/));
  await new Promise(setImmediate); // the first is in the worker
  detector.close();
  await Promise.all([...told, assert.rejects(detector.detect(picture), /the detector was closed/)]);
});
