/** The page's worker: opens one model on one accelerator and detects in pictures, one after the other. */

import { webFolder } from "./folder.ts";
import { gpuLost, Model, start } from "./litert.ts";
import { readChecked } from "./manifest.ts";
import type { Found, Opening, Reply, Request } from "./messages.ts";
import { sentenceOf } from "./problem.ts";
import { Resizer } from "./resize.ts";

let model: Model;
let resizer: Resizer;
let canvas: OffscreenCanvas;

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  try {
    if ("open" in data) {
      say({ kind: "opened", runsOn: await open(data.open) });
    } else {
      const found = await detect(data.picture);
      const { boxes, scores, labels } = found.detections;
      say({ kind: "found", found }, [found.picture, boxes.buffer, scores.buffer, labels.buffer]);
    }
  } catch (error) {
    say({ kind: "problem", sentence: sentenceOf(error) });
  }
};

function say(reply: Reply, transfer: Transferable[] = []): void {
  self.postMessage(reply, { transfer });
}

async function open(opening: Opening): Promise<string> {
  const { file, input, accelerator } = opening;
  say({ kind: "progress", sentence: `Loading ${file.name}, ${megabytes(file.size)} MB` });
  const bytes = await readChecked(webFolder(opening.folder), file.name, file.sha256);
  const threads = await start(opening.runtime);
  say({ kind: "progress", sentence: `Compiling ${file.name}` });
  say({ kind: "loaded" });
  model = await Model.open(bytes, opening, threads);
  resizer = new Resizer(...input.size);
  canvas = new OffscreenCanvas(input.size[1], input.size[0]);
  if (accelerator === "webgpu") {
    gpuLost().then((sentence) => say({ kind: "lost", sentence }));
  }
  return model.runsOn;
}

async function detect(picture: ImageBitmap): Promise<Found> {
  const begin = performance.now();
  const { width, height } = picture;
  if (canvas.width !== width || canvas.height !== height) {
    Object.assign(canvas, { width, height });
  }
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("no 2d context");
  context.globalCompositeOperation = "copy"; // nothing of the picture before shows through
  context.drawImage(picture, 0, 0);
  const input = resizer.fill(context.getImageData(0, 0, width, height).data, width, height);
  const middle = performance.now();
  const detections = await model.run(input);
  const modelMs = performance.now() - middle;
  return { detections, picture, prepareMs: middle - begin, modelMs };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
