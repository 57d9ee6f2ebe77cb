/** `manifest.json` of a folder that `deimv2 export` wrote: all that the page has to know about it. */

import { translationFor } from "./languages.ts";
import { Problem } from "./problem.ts";
import { problemOf, type Schema } from "./schema.ts";
import { sha256Of } from "./sha256.ts";

const NAME = "manifest.json";
const SCHEMA_VERSION = 2;
const FORMAT = "tflite";

export interface ModelFile {
  format: string;
  name: string;
  size: number;
  sha256: string;
  /** On which it was seen to run, best first; not there where only the CPU was tried. */
  accelerators?: ("cpu" | "gpu")[];
}

/** A photograph at input size and the detections to expect on it; paths below the folder. */
export interface GoldenFile {
  image: string;
  image_sha256: string;
  detections: string;
  detections_sha256: string;
  source: string;
}

export type Precision = "fp32" | "fp16" | "int8" | "int8x16" | "int8-weight";

/** As the schema has it; what the page does not use is left out. */
export interface Manifest {
  variant: string;
  precision: Precision;
  input: { name: string; size: [height: number, width: number] };
  outputs: { name: string; shape: number[] }[];
  labels: string[];
  /** By language tag (BCP 47), as many class names as `labels`. */
  translations?: Record<string, string[]>;
  files: ModelFile[];
  golden: GoldenFile[];
  score_threshold: number;
}

/** Where the files lie. `place` is its name in sentences; `read` gives null for what is not there. */
export interface Folder {
  place: string;
  read(name: string): Promise<Uint8Array | null>;
}

/** Reads and validates the manifest; no other file is opened. Throws Problem. */
export async function readManifest(folder: Folder, schema: Schema): Promise<Manifest> {
  const bytes = await folder.read(NAME);
  if (bytes === null) {
    throw new Problem(
      `no ${NAME} in '${folder.place}', expected a folder that 'deimv2 export' wrote; ` +
        "check the path or export again",
    );
  }
  const path = `'${folder.place}/${NAME}'`;
  const content = parsed(bytes, `${path} is not JSON, expected a manifest; export again`);
  const version = (content as { schema_version?: unknown } | null)?.schema_version;
  if (Number.isInteger(version) && (version as number) > SCHEMA_VERSION) {
    throw new Problem(
      `${path} has schema version ${version}, this program reads up to ${SCHEMA_VERSION}; ` +
        "install a newer deimv2, or export again with this one",
    );
  }
  const problem = problemOf(content, schema) ?? wrongCount(content as Manifest);
  if (problem !== null) throw new Problem(`${path} is no valid manifest ${problem}; export again`);
  const names = (content as Manifest).files.map((file) => file.name);
  const twice = names.find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (twice !== undefined) {
    throw new Problem(`${path} lists '${twice}' twice, expected each file once; export again`);
  }
  return content as Manifest;
}

/** What no schema can say: a translation has a name for each class. */
function wrongCount({ labels, translations = {} }: Manifest): string | null {
  const count = labels.length;
  const tag = Object.keys(translations)
    .sort()
    .find((each) => translations[each].length !== count);
  if (tag === undefined) return null;
  const found = translations[tag].length;
  return `at $.translations.${tag}: found a list of ${found}, expected ${count}, one for each class`;
}

/** The artifacts that run here. Throws Problem where there is none. */
export function runnable(manifest: Manifest): ModelFile[] {
  const files = manifest.files.filter((file) => file.format === FORMAT);
  if (files.length > 0) return files;
  const found = manifest.files.map((file) => file.name).join(", ");
  throw new Problem(
    `the folder holds ${found}, expected a .${FORMAT}; export with --format ${FORMAT}`,
  );
}

/** Whether a GPU is to be tried: also where the manifest does not say. */
export function allowsGpu(file: ModelFile): boolean {
  return file.accelerators?.includes("gpu") ?? true;
}

/** A file of the manifest. Throws Problem if it is missing or not the one that the manifest lists. */
export async function readChecked(
  folder: Folder,
  name: string,
  sha256: string,
): Promise<Uint8Array> {
  const path = `'${folder.place}/${name}'`;
  const bytes = await folder.read(name);
  if (bytes === null) {
    throw new Problem(
      `${path} is missing, the manifest lists it with SHA-256 ${sha256}; export again`,
    );
  }
  const found = sha256Of(bytes);
  if (found !== sha256) {
    throw new Problem(
      `${path} has SHA-256 ${found}, the manifest expects ${sha256}; ` +
        "it was damaged or replaced: copy the folder or export again",
    );
  }
  return bytes;
}

/**
 * The class names, in `language` where a translation fits it. Give the tag of the reader's first language, and
 * of no other: nothing says which language `labels` are in, and it may be the first one.
 */
export function labelsIn({ labels, translations = {} }: Manifest, language: string): string[] {
  const tag = translationFor(Object.keys(translations), language);
  return tag === null ? labels : translations[tag];
}

/** The class's name. Throws Problem for a label without one. */
export function nameOf(labels: string[], label: number): string {
  if (label in labels) return labels[label];
  throw new Problem(
    `label ${label} has no name, expected 0 to ${labels.length - 1}; ` +
      "use the label list that the model was trained with",
  );
}

export function parsed(bytes: Uint8Array, otherwise: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Problem(otherwise);
  }
}
