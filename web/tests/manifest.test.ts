import assert from "node:assert/strict";
import { test } from "node:test";
import { readGolden } from "../src/golden.ts";
import { translationFor } from "../src/languages.ts";
import {
  type Folder,
  labelsIn,
  nameOf,
  readChecked,
  readManifest,
  runnable,
} from "../src/manifest.ts";
import { Problem } from "../src/problem.ts";
import { folderOf, jsonOf, SCHEMA } from "./vectors.ts";

const vectors = jsonOf("manifests.json");
const NOT_RUN_HERE = ["tiny.pte", "tiny.mlpackage"];

/** What is wrong with a folder, the first thing. */
async function sentence(folder: Folder): Promise<string | null> {
  try {
    const manifest = await readManifest(folder, SCHEMA);
    for (const file of runnable(manifest)) await readChecked(folder, file.name, file.sha256);
    for (const golden of manifest.golden) await readGolden(folder, golden);
    return null;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

for (const { name, changes, sentence: expected } of vectors.cases) {
  test(`of ${name} Python's sentence is said`, async () => {
    const said = expected?.replaceAll("{folder}", vectors.folder) ?? null;
    // The page opens what it runs, and no other platform's files.
    const elsewhere = NOT_RUN_HERE.some((file) => said?.startsWith(`'${vectors.folder}/${file}`));
    assert.equal(await sentence(folderOf(vectors.folder, changes)), elsewhere ? null : said);
  });
}

test("the vectors are all there", () => assert.ok(vectors.cases.length > 40));

for (const { label, names, sentence: expected } of vectors.labels) {
  test(`label ${label} of ${names.length} names`, () => {
    if (expected === null) assert.equal(nameOf(names, label), names[label]);
    else assert.throws(() => nameOf(names, label), new Problem(expected));
  });
}

test("names are in the language where there is a translation", async () => {
  const manifest = await readManifest(folderOf(vectors.folder), SCHEMA);
  const { translations: _, ...without } = manifest;
  assert.deepEqual(labelsIn(without, "de"), manifest.labels);
  assert.deepEqual(labelsIn(manifest, "de-CH"), ["Katze", "Hund"]);
  assert.deepEqual(labelsIn(manifest, "pt-PT"), ["gato", "cão"]);
  assert.deepEqual(labelsIn(manifest, "en"), manifest.labels);
});

for (const { tags, language, expected } of jsonOf("languages.json").cases) {
  test(`of ${tags}, ${language} is shown ${expected ?? "none"}`, () => {
    assert.equal(translationFor(tags, language), expected);
  });
}

test("a folder of other platforms is refused", async () => {
  const manifest = await readManifest(folderOf(vectors.folder), SCHEMA);
  const others = manifest.files.filter((file) => file.format !== "tflite");
  assert.throws(
    () => runnable({ ...manifest, files: others }),
    /holds tiny.pte, tiny.mlpackage, expected a .tflite/,
  );
});

test("golden detections of another form are refused", async () => {
  const manifest = await readManifest(folderOf(vectors.folder), SCHEMA);
  const text = '{"detections": [{"label": 1, "score": 0.5, "box": [1, 2]}], "candidates": []}';
  const [golden] = manifest.golden;
  const { createHash } = await import("node:crypto");
  const changed = { ...golden, detections_sha256: createHash("sha256").update(text).digest("hex") };
  const folder = folderOf(vectors.folder, { [golden.detections]: text });
  await assert.rejects(readGolden(folder, changed), /is no golden file .* export again/);
});
