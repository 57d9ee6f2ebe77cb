/** Real photographs at input size, and what PyTorch detects on them. */

import { type Detections, fromRows } from "./detections.ts";
import { type Folder, type GoldenFile, parsed, readChecked } from "./manifest.ts";
import { Problem, sentenceOf } from "./problem.ts";

/** candidates: the reference's next detections, after its last place. */
export interface Golden {
  name: string;
  png: Uint8Array<ArrayBuffer>;
  reference: Detections;
  candidates: Detections;
}

/** Throws Problem for what is missing, damaged or of another form. */
export async function readGolden(folder: Folder, file: GoldenFile): Promise<Golden> {
  const png = await readChecked(folder, file.image, file.image_sha256);
  const text = await readChecked(folder, file.detections, file.detections_sha256);
  const path = `'${folder.place}/${file.detections}'`;
  const content = parsed(text, `${path} is no golden file (not JSON); export again`);
  const { detections, candidates } = (content ?? {}) as Record<string, unknown>;
  try {
    return {
      name: file.image.replace(/^.*\/|\.png$/g, ""),
      png: new Uint8Array(png),
      reference: fromRows(detections),
      candidates: fromRows(candidates),
    };
  } catch (error) {
    throw new Problem(`${path} is no golden file (${sentenceOf(error)}); export again`);
  }
}
