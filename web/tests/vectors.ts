/** What Python, Kotlin, Swift and this page must agree on; `tests/vectors` at the root says how it was made. */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Folder } from "../src/manifest.ts";

// This file runs as web/build/tests/vectors.js.
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const VECTORS = `${ROOT}tests/vectors/`;

export const SCHEMA = JSON.parse(readFileSync(`${ROOT}converters/manifest.schema.json`, "utf8"));

export function bytesOf(name: string): Buffer {
  return readFileSync(VECTORS + name);
}

export function jsonOf(name: string) {
  return JSON.parse(bytesOf(name).toString());
}

/** A folder of the vectors, in which the files of `changes` hold another text, or (null) are not there. */
export function folderOf(name: string, changes: Record<string, string | null> = {}): Folder {
  return {
    place: name,
    async read(file) {
      if (file in changes) {
        const text = changes[file];
        return text === null ? null : Buffer.from(text);
      }
      const path = `${VECTORS}${name}/${file}`;
      return existsSync(path) ? readFileSync(path) : null;
    },
  };
}
