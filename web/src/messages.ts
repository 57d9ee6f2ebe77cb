/** What the page and its worker say to each other. */

import type { Detections } from "./detections.ts";
import type { ModelFile } from "./manifest.ts";

export type Accelerator = "wasm" | "webgpu";

/** What a worker opens, once. Addresses end with a slash. */
export interface Opening {
  folder: string;
  runtime: string;
  file: ModelFile;
  input: { name: string; size: [height: number, width: number] };
  accelerator: Accelerator;
}

/** Milliseconds: from the picture to the input tensor, and from there to detections. */
export interface Found {
  detections: Detections;
  picture: ImageBitmap;
  prepareMs: number;
  modelMs: number;
}

export type Request = { open: Opening } | { picture: ImageBitmap };

/** One answer to each request; `progress`, `loaded` and `lost` (the GPU went away) come unasked. */
export type Reply =
  | { kind: "opened"; runsOn: string }
  | { kind: "found"; found: Found }
  | { kind: "problem"; sentence: string }
  | { kind: "progress"; sentence: string }
  | { kind: "loaded" }
  | { kind: "lost"; sentence: string };
