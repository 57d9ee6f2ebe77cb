/** On which accelerator a file runs: as asked for, or the GPU where there is one that passes the check. */

import { replay } from "./check.ts";
import { Detector, type Listener } from "./detector.ts";
import type { Golden } from "./golden.ts";
import type { Manifest } from "./manifest.ts";
import type { Accelerator, Opening } from "./messages.ts";
import { sentenceOf } from "./problem.ts";

// A GPU's driver can end the page. Then this verdict stands, until WebGPU is chosen by hand.
const ENDED = "the page ended while it was tried";

export type Choice = "auto" | Accelerator;

/** fallback: why not the GPU, if one was tried. */
export interface Chosen {
  detector: Detector;
  fallback: string | null;
}

/** opening: but for its accelerator; goldens: read when they are needed. */
export async function choose(
  choice: Choice,
  opening: Omit<Opening, "accelerator">,
  manifest: Manifest,
  goldens: () => Promise<Golden[]>,
  listener: Listener,
): Promise<Chosen> {
  const open = (accelerator: Accelerator) => Detector.open({ ...opening, accelerator }, listener);
  const gpu = await gpuName();
  const key = `deimv2 ${opening.file.sha256} ${gpu} ${navigator.userAgent}`;
  if (choice !== "auto") {
    const detector = await open(choice);
    if (choice === "webgpu") remember(key, null); // to be tried again
    return { detector, fallback: null };
  }
  const leftOut = opening.file.accelerators?.includes("gpu") === false;
  if (gpu === null || leftOut) return { detector: await open("wasm"), fallback: null };
  let verdict = recall(key);
  if (verdict === null || verdict === "") {
    let detector: Detector | null = null;
    try {
      const isNew = verdict === null;
      if (isNew) remember(key, ENDED);
      detector = await open("webgpu");
      if (isNew) {
        listener.progress("Checking the GPU on the golden photographs");
        verdict = (await replay(detector, manifest, await goldens())).problems.join("; ");
        remember(key, verdict);
      }
      if (verdict === "") return { detector, fallback: null };
    } catch (error) {
      remember(key, null);
      verdict = sentenceOf(error);
    }
    detector?.close();
  }
  return { detector: await open("wasm"), fallback: verdict };
}

/** Of a GPU that is one; a software renderer is slower than WASM. Null where there is none. */
async function gpuName(): Promise<string | null> {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter || adapter.info.isFallbackAdapter) return null;
  const { vendor, architecture, description } = adapter.info;
  return `${vendor} ${architecture} ${description}`;
}

/** What the check said of a file on a GPU: "" if it passed, null if it was never asked. */
function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // a browser may keep nothing
  }
}

function remember(key: string, verdict: string | null): void {
  try {
    if (verdict === null) localStorage.removeItem(key);
    else localStorage.setItem(key, verdict);
  } catch {
    // then it is checked again next time
  }
}
