/** Replays the golden photographs: does a model detect here what PyTorch detects? */

import type { Detector } from "./detector.ts";
import type { Golden } from "./golden.ts";
import { allowsGpu, type Manifest, type ModelFile } from "./manifest.ts";
import type { Accelerator } from "./messages.ts";
import { compare, failures, LIMITS, type Limits, merge, type Parity, toJson } from "./parity.ts";

/** parity is null where nothing ran: `problems` says why. */
export interface Row {
  artifact: string;
  runsOn: string;
  problems: string[];
  parity: Parity | null;
  limits: Limits;
  milliseconds: number[];
}

/** What to replay on: of the accelerators that are here, those that the manifest does not leave out. */
export function trials(files: ModelFile[], here: Accelerator[]): [ModelFile, Accelerator][] {
  return files
    .flatMap((file) => here.map((each): [ModelFile, Accelerator] => [file, each]))
    .filter(([file, each]) => each === "wasm" || allowsGpu(file));
}

/** Throws Problem if the detector cannot run. */
export async function replay(
  detector: Detector,
  manifest: Manifest,
  goldens: Golden[],
): Promise<Row> {
  const limits = LIMITS[manifest.precision];
  const parities: Parity[] = [];
  const milliseconds: number[] = [];
  for (const { png, reference, candidates } of goldens) {
    const found = await detector.detect(await exactly(png));
    found.picture.close();
    milliseconds.push(found.modelMs);
    parities.push(compare(reference, found.detections, manifest.input.size, limits, candidates));
  }
  const parity = merge(parities);
  return {
    artifact: detector.opening.file.name,
    runsOn: detector.runsOn,
    problems: failures(parity, limits),
    parity,
    limits,
    milliseconds,
  };
}

/** The row of what could not be opened or run. */
export function failed(
  artifact: string,
  runsOn: string,
  manifest: Manifest,
  sentence: string,
): Row {
  const limits = LIMITS[manifest.precision];
  return { artifact, runsOn, problems: [sentence], parity: null, limits, milliseconds: [] };
}

/** In the form of `deimv2 verify --json`. */
export function report(folder: string, manifest: Manifest, rows: Row[]): Record<string, unknown> {
  const rounds = ["int8", "int8-weight"].includes(manifest.precision);
  const model = rounds ? "PyTorch rounding to int8" : "the float32 model";
  return {
    folder,
    device: navigator.userAgent,
    passed: rows.length > 0 && rows.every((row) => row.problems.length === 0),
    rows: rows.map((row) => ({
      artifact: row.artifact,
      against: `${model}, ${manifest.golden.length} golden photographs`,
      passed: row.problems.length === 0,
      problems: row.problems,
      runs_on: row.runsOn,
      ...(row.parity && {
        measured: toJson(row.parity),
        limits: row.limits,
        milliseconds: row.milliseconds,
      }),
    })),
  };
}

/** Decoded without any conversion of colours. */
export function exactly(png: Uint8Array<ArrayBuffer>): Promise<ImageBitmap> {
  const blob = new Blob([png], { type: "image/png" });
  return createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}
