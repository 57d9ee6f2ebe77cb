/** On which accelerator a file runs: as asked for, or the GPU where there is one that passes the check. */

import { replay } from "./check.ts";
import { Detector, type Listener } from "./detector.ts";
import type { Golden } from "./golden.ts";
import { allowsGpu, type Manifest } from "./manifest.ts";
import type { Accelerator, Opening } from "./messages.ts";
import { sentenceOf } from "./problem.ts";

declare const LITERT_VERSION: string; // vite.config.ts puts it here

// A GPU's driver can end the page. Then this verdict stands, until WebGPU is chosen by hand or LiteRT.js is another.
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
  const open = (accelerator: Accelerator, told = listener) =>
    Detector.open({ ...opening, accelerator }, told);
  if (choice === "wasm") return { detector: await open("wasm"), fallback: null };
  const gpu = await gpuName();
  const key = `deimv2 ${opening.file.sha256} LiteRT.js ${LITERT_VERSION} ${gpu} ${navigator.userAgent}`;
  if (choice === "webgpu") {
    const detector = await open("webgpu");
    remember(key, null); // to be tried again
    return { detector, fallback: null };
  }
  if (gpu === null || !allowsGpu(opening.file))
    return { detector: await open("wasm"), fallback: null };
  let verdict = recall(key);
  if (verdict === null || verdict === "") {
    let detector: Detector | null = null;
    const over = new AbortController();
    try {
      const photos = verdict === null ? await goldens() : null;
      const loaded = () => photos && mark(key, over.signal);
      detector = await open("webgpu", { ...listener, loaded });
      if (photos !== null) {
        listener.progress("Checking the GPU on the golden photographs");
        verdict = (await replay(detector, manifest, photos)).problems.join("; ");
        remember(key, verdict);
      }
      if (verdict === "") return { detector, fallback: null };
    } catch (error) {
      const superseded = listener.unwanted?.aborted;
      if (!superseded || verdict === null) remember(key, null); // a pass of before stays
      if (superseded) throw error;
      verdict = sentenceOf(error);
    } finally {
      over.abort();
    }
    detector?.close();
  }
  return { detector: await open("wasm"), fallback: verdict };
}

/** Of a GPU that is one; a software renderer is slower than WASM. Null where there is none. */
async function gpuName(): Promise<string | null> {
  const adapter: Adapter | null | undefined = await navigator.gpu
    ?.requestAdapter()
    .catch(() => null);
  if (!adapter || (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter)) return null;
  const { vendor, architecture, description } = adapter.info ?? {};
  return [vendor, architecture, description].join(" ");
}

/** Older browsers have no `info`, or say beside it what a fallback is. */
interface Adapter {
  info?: Partial<GPUAdapterInfo>;
  isFallbackAdapter?: boolean;
}

/** Says from now on that a trial runs, while the page is shown: one that is left or closed has not failed. */
function mark(key: string, over: AbortSignal): void {
  const say = (event?: Event) =>
    remember(key, event?.type === "pagehide" || document.hidden ? null : ENDED);
  say();
  addEventListener("pagehide", say, { signal: over });
  document.addEventListener("visibilitychange", say, { signal: over });
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
