/** Builds the page into `page/`, which the Python package ships; the same sources give the same bytes. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { gzipSync } from "fflate";
import { defineConfig, type Plugin } from "vite";

const LITERT = dirname(createRequire(import.meta.url).resolve("@litertjs/core/package.json"));
const { version: VERSION } = JSON.parse(readFileSync(`${LITERT}/package.json`, "utf8"));
const BUILDS = [
  "litert_wasm_compat_internal",
  "litert_wasm_internal",
  "litert_wasm_threaded_internal",
];

/** LiteRT.js's builds that `src/litert.ts` chooses from, beside the page. */
function litert(): Plugin {
  return {
    name: "litert",
    apply: "build",
    generateBundle() {
      const emit = (name: string, source: string | Uint8Array) =>
        this.emitFile({ type: "asset", fileName: `litert/${name}`, source });
      for (const build of BUILDS) {
        emit(`${build}.js`, readFileSync(`${LITERT}/wasm/${build}.js`));
        // fflate is JavaScript and gives the same bytes everywhere, which zlib does not.
        const wasm = readFileSync(`${LITERT}/wasm/${build}.wasm`);
        emit(`${build}.wasm.gz`, gzipSync(wasm, { level: 9, mtime: 0 }));
      }
      emit("LICENSE", readFileSync("../LICENSE"));
      emit(
        "NOTICE",
        `LiteRT.js (npm package @litertjs/core ${VERSION}), Copyright Google LLC, Apache License, Version 2.0:\n` +
          "see LICENSE. The .js files are as published, the .wasm files gzipped; page and worker hold parts of it.\n",
      );
    },
  };
}

export default defineConfig({
  base: "./",
  define: { LITERT_VERSION: JSON.stringify(VERSION) },
  plugins: [litert()],
  worker: { format: "iife", rolldownOptions: { output: { entryFileNames: "worker.js" } } },
  build: {
    outDir: "page",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: { entryFileNames: "page.js", assetFileNames: "[name][extname]" },
    },
  },
});
