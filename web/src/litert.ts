/**
 * LiteRT.js in a worker: which of its builds this browser runs, and a model of it.
 *
 * The builds lie in the page's folder `litert/`, their wasm gzipped: three of 9.4 MB become 3.0 MB each,
 * also on hosts that compress nothing. A host that unpacks what ends in .gz is fine too.
 */

import {
  type CompiledModel,
  getWebGpuDevice,
  loadAndCompile,
  loadLiteRt,
  supportsFeature,
  Tensor,
} from "@litertjs/core";
import type { Detections } from "./detections.ts";
import type { Accelerator, Opening } from "./messages.ts";
import { Problem, sentenceOf } from "./problem.ts";

const OUTPUTS = ["boxes", "scores", "labels"] as const;
const MOST_THREADS = 4; // a phone has about as many fast cores

/** A build of LiteRT.js. */
interface Build {
  name: string;
  threads: number;
}

async function chooseBuild(): Promise<Build> {
  // Without relaxed SIMD (Safari) a frame of float32 takes a quarter longer.
  if (!(await supportsFeature("relaxedSimd"))) {
    return { name: "litert_wasm_compat_internal", threads: 1 };
  }
  const threads = Math.min(MOST_THREADS, navigator.hardwareConcurrency);
  if (self.crossOriginIsolated && threads > 1 && (await supportsFeature("threads"))) {
    return { name: "litert_wasm_threaded_internal", threads };
  }
  return { name: "litert_wasm_internal", threads: 1 };
}

/** Fetches and compiles a .wasm.gz. Throws Problem. */
async function compiled(address: string): Promise<WebAssembly.Module> {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Problem(
      `${address} is missing (${response.status}), expected it beside the page; copy the whole folder`,
    );
  }
  const packed = await response.blob();
  const [first, second] = new Uint8Array(await packed.slice(0, 2).arrayBuffer());
  const isGzip = first === 0x1f && second === 0x8b;
  const stream = isGzip
    ? packed.stream().pipeThrough(new DecompressionStream("gzip"))
    : packed.stream();
  const headers = { "content-type": "application/wasm" };
  return WebAssembly.compileStreaming(new Response(stream, { headers }));
}

/** What Emscripten's loader takes from the global `Module`. */
interface Loader {
  mainScriptUrlOrBlob: string;
  printErr(line: string): void;
  instantiateWasm(
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
  ): object;
}

const errors: string[] = [];

/** LiteRT's log: what it did is for nobody, what it could not do stands in the problem's sentence. */
function log(line: string): void {
  if (line.startsWith("ERROR")) errors.push(line);
  if (!line.startsWith("INFO")) console.warn(line);
}

/** Fetches LiteRT.js and starts it, once a worker; gives the number of its threads. Throws Problem. */
export async function start(folder: string): Promise<number> {
  try {
    const build = await chooseBuild();
    const script = `${folder}${build.name}.js`;
    const module = await compiled(`${folder}${build.name}.wasm.gz`);
    await new Promise((resolve, reject) => {
      const loader: Loader = {
        mainScriptUrlOrBlob: script, // of the threads' workers
        printErr: log,
        instantiateWasm(imports, done) {
          WebAssembly.instantiate(module, imports).then((it) => done(it, module), reject);
          return {};
        },
      };
      Object.assign(self, { Module: loader });
      loadLiteRt(script).then(resolve, reject);
    });
    return build.threads;
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(
      `LiteRT.js does not start in this browser (${sentenceOf(error)}); update the browser`,
    );
  }
}

/** A model, ready to run. */
export class Model {
  private constructor(
    private readonly net: CompiledModel,
    private readonly input: Opening["input"],
    readonly runsOn: string,
  ) {}

  /** bytes: of the .tflite; threads: as `start` gave them. Throws Problem for what this browser cannot run. */
  static async open(bytes: Uint8Array, opening: Opening, threads: number): Promise<Model> {
    const { accelerator, file, input } = opening;
    if (accelerator === "webgpu" && getWebGpuDevice() === null) {
      throw new Problem("this browser gives no WebGPU device; choose WASM");
    }
    let net: CompiledModel;
    try {
      const cpuOptions = { numThreads: threads };
      const gpuOptions = { precision: "fp32" } as const; // fp16 missed the limits (docs/web.md)
      net = await loadAndCompile(bytes, { accelerator, cpuOptions, gpuOptions });
    } catch (error) {
      throw new Problem(
        `${file.name} does not compile for ${titleOf(accelerator)} (${sentenceOf(errors[0] ?? error)}); ` +
          "export again, or choose another accelerator",
      );
    }
    if (accelerator === "webgpu" && !net.isFullyAccelerated) {
      throw new Problem(`WebGPU takes only a part of ${file.name}; choose WASM`);
    }
    const wanted = [1, ...input.size, 3].join("x");
    const found = net.getInputDetails().map(({ name, shape }) => `${name} ${shape.join("x")}`);
    if (found.join() !== `${input.name} ${wanted}`) {
      throw new Problem(
        `${file.name} takes ${found.join()}, the manifest says ${input.name} ${wanted}; export again`,
      );
    }
    const runsOn =
      accelerator === "webgpu" ? "WebGPU" : `WASM, ${threads} thread${threads > 1 ? "s" : ""}`;
    return new Model(net, input, runsOn);
  }

  /** input: uint8 RGB [H, W, 3] */
  async run(input: Uint8Array<ArrayBuffer>): Promise<Detections> {
    const tensor = new Tensor(input, [1, ...this.input.size, 3]);
    let tensors: Record<string, Tensor> = {};
    try {
      tensors = await this.net.run({ [this.input.name]: tensor });
      const [boxes, scores, labels] = await Promise.all(
        OUTPUTS.map((name) => tensors[name]?.data()),
      );
      if (
        !(
          boxes instanceof Float32Array &&
          scores instanceof Float32Array &&
          labels instanceof Int32Array
        )
      ) {
        throw new Problem(
          `the model gives ${Object.keys(tensors).join(", ")}, expected ${OUTPUTS.join(", ")}; export again`,
        );
      }
      return { boxes, scores, labels };
    } finally {
      for (const each of [tensor, ...Object.values(tensors)]) each.delete();
    }
  }
}

export function titleOf(accelerator: Accelerator): string {
  return accelerator === "webgpu" ? "WebGPU" : "WASM";
}

/** Resolves when the GPU goes away, if there is one. */
export async function gpuLost(): Promise<string> {
  const device = getWebGpuDevice();
  if (device === null) return new Promise(() => {});
  const { message } = await device.lost;
  return `the GPU went away (${message})`;
}
