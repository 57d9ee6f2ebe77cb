import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { trials } from "../src/check.ts";
import { type Choice, choose } from "../src/choose.ts";
import type { Golden } from "../src/golden.ts";
import type { Manifest, ModelFile } from "../src/manifest.ts";
import type { Opening } from "../src/messages.ts";

type Message = { kind: string; [more: string]: unknown };

/** Opens on WASM at once; on WebGPU when the test says so. */
class Slow {
  static gpu: Slow | null = null;
  terminated = false;
  onmessage: ((event: { data: Message }) => void) | null = null;

  postMessage({ open }: { open: Opening }): void {
    if (open.accelerator === "webgpu") Slow.gpu = this;
    else queueMicrotask(() => this.say({ kind: "opened", runsOn: "WASM" }));
  }

  say(data: Message): void {
    this.onmessage?.({ data });
  }

  terminate(): void {
    this.terminated = true;
  }
}

const ENDED = "the page ended while it was tried";
const kept = new Map<string, string>();
let unwanted = new AbortController();
let asked = 0;

/** A page in a browser with this adapter, which keeps what it kept. */
function browser(adapter: object | null): void {
  const requestAdapter = async () => {
    asked++;
    return adapter;
  };
  const navigator = { gpu: { requestAdapter }, userAgent: "a test" };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  const page = new EventTarget();
  Object.assign(globalThis, {
    LITERT_VERSION: "1.2.3",
    Worker: Slow,
    document: Object.assign(new EventTarget(), { hidden: false }),
    localStorage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
      removeItem: (key: string) => kept.delete(key),
    },
    addEventListener: page.addEventListener.bind(page),
    dispatchEvent: page.dispatchEvent.bind(page),
  });
}

function chosen(
  choice: Choice,
  goldens: () => Promise<Golden[]> = async () => [],
  file = { name: "a.tflite", sha256: "0f" } as ModelFile,
) {
  const opening = { file } as Omit<Opening, "accelerator">;
  return choose(choice, opening, { precision: "fp32" } as Manifest, goldens, {
    progress: () => {},
    lost: () => {},
    unwanted: unwanted.signal,
  });
}

/** A trial on the GPU, whose worker has just begun. */
async function trial(): Promise<{ worker: Slow; ends: ReturnType<typeof choose> }> {
  const ends = chosen("auto");
  await new Promise(setImmediate);
  assert.ok(Slow.gpu !== null, "no trial began");
  return { worker: Slow.gpu, ends };
}

const GPU = {
  info: { vendor: "acme", architecture: "b", description: "", isFallbackAdapter: false },
};

beforeEach(() => {
  kept.clear();
  [asked, Slow.gpu] = [0, null];
  unwanted = new AbortController();
  browser(GPU);
});

test("a trial is marked once everything is loaded, until it ends", async () => {
  const { worker, ends } = await trial();
  assert.equal(kept.size, 0);
  worker.say({ kind: "loaded" });
  assert.deepEqual([...kept.values()], [ENDED]);
  worker.say({ kind: "problem", sentence: "no device" });
  assert.equal((await ends).fallback, "no device");
  assert.equal(kept.size, 0);
});

test("a page that ended during a trial leaves the GPU alone", async () => {
  (await trial()).worker.say({ kind: "loaded" });
  Slow.gpu = null;
  assert.equal((await chosen("auto")).fallback, ENDED);
  assert.equal(Slow.gpu, null);
});

test("a page that was closed, or is not shown, has not failed", async () => {
  const { worker, ends } = await trial();
  worker.say({ kind: "loaded" });
  const [[key]] = kept;
  const turn = (hidden: boolean) => {
    Object.assign(document, { hidden }).dispatchEvent(new Event("visibilitychange"));
    return kept.get(key);
  };
  assert.equal(turn(true), undefined);
  assert.equal(turn(false), ENDED);
  dispatchEvent(new Event("pagehide"));
  assert.equal(kept.size, 0);
  worker.say({ kind: "problem", sentence: "no device" });
  await ends;
  assert.equal(turn(false), undefined, "the mark of a trial that is over");
});

test("a trial that is not wanted any more ends at once, without a verdict", async () => {
  const { worker, ends } = await trial();
  worker.say({ kind: "loaded" });
  unwanted.abort();
  await assert.rejects(ends, /the detector was closed/);
  assert.ok(worker.terminated);
  assert.equal(kept.size, 0);
});

test("an opening that is not wanted any more leaves the verdict of a GPU that passed", async () => {
  const { worker, ends: first } = await trial();
  worker.say({ kind: "loaded" });
  const [[key]] = kept;
  worker.say({ kind: "problem", sentence: "no device" });
  await first;
  kept.set(key, "");
  const { ends } = await trial();
  unwanted.abort();
  await assert.rejects(ends, /the detector was closed/);
  assert.deepEqual([...kept], [[key, ""]]);
});

test("photographs that cannot be read are no verdict on the GPU", async () => {
  const goldens = () => Promise.reject(new Error("offline"));
  assert.match(String((await chosen("auto", goldens)).fallback), /offline/);
  assert.equal(kept.size, 0);
});

test("a verdict is of one LiteRT.js, one file, one GPU and one browser", async () => {
  (await trial()).worker.say({ kind: "loaded" });
  const [[key]] = kept;
  assert.equal(key, "deimv2 0f LiteRT.js 1.2.3 acme b  a test");
});

test("a GPU that says nothing of itself is tried", async () => {
  browser({});
  await trial();
});

test("a software GPU is left alone, in whatever place a browser says so", async () => {
  const told = [
    { info: { isFallbackAdapter: true } },
    { info: {}, isFallbackAdapter: true },
    { isFallbackAdapter: true },
  ];
  for (const adapter of [...told, null]) {
    browser(adapter);
    const { detector, fallback } = await chosen("auto");
    assert.deepEqual([detector.runsOn, fallback, Slow.gpu], ["WASM", null, null]);
  }
});

test("neither choice nor check tries a GPU that the manifest leaves out", async () => {
  const file = { name: "a.tflite", sha256: "0f" } as ModelFile;
  const without: ModelFile = { ...file, accelerators: ["cpu"] };
  const { detector } = await chosen("auto", async () => [], without);
  assert.deepEqual([detector.runsOn, Slow.gpu], ["WASM", null]);
  assert.deepEqual(trials([without, file], ["wasm", "webgpu"]), [
    [without, "wasm"],
    [file, "wasm"],
    [file, "webgpu"],
  ]);
});

test("WASM asks for no GPU", async () => {
  assert.equal((await chosen("wasm")).detector.runsOn, "WASM");
  assert.equal(asked, 0);
});

test("WebGPU chosen by hand is tried again by itself afterwards", async () => {
  (await trial()).worker.say({ kind: "loaded" });
  const opened = chosen("webgpu");
  await new Promise(setImmediate);
  assert.deepEqual([...kept.values()], [ENDED]);
  Slow.gpu?.say({ kind: "opened", runsOn: "WebGPU" });
  assert.equal((await opened).detector.runsOn, "WebGPU");
  assert.equal(kept.size, 0);
});
