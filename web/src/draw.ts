/** A picture with what was found in it. */

import { countAbove, type Detections, isRepeated, toFrame } from "./detections.ts";
import { nameOf } from "./manifest.ts";

/** A detection as a person reads it; the box in pixels of the picture. */
export interface Seen {
  name: string;
  label: number;
  score: number;
  box: [x1: number, y1: number, x2: number, y2: number];
}

/** What is above the threshold, best first, one for each object. Throws Problem for a label without a name. */
export function seen(
  found: Detections,
  threshold: number,
  labels: string[],
  { width, height }: { width: number; height: number },
): Seen[] {
  const rows = Array.from({ length: countAbove(found, threshold) }, (_, i) => i);
  return rows
    .filter((i) => !isRepeated(found, i))
    .map((i) => ({
      name: nameOf(labels, found.labels[i]),
      label: found.labels[i],
      score: found.scores[i],
      box: toFrame(found, i, width, height),
    }));
}

export function draw(canvas: HTMLCanvasElement, picture: ImageBitmap, all: Seen[]): void {
  const { width, height } = picture;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.clearRect(0, 0, width, height);
  context.drawImage(picture, 0, 0);
  // As thick and as large on the screen, however large the picture is.
  const scale = Math.max(
    width / (canvas.clientWidth || width),
    height / (canvas.clientHeight || height),
  );
  context.lineWidth = 2 * scale;
  context.font = `${14 * scale}px system-ui, sans-serif`;
  context.textBaseline = "top";
  // The best is drawn last, over the others.
  for (const each of [...all].reverse()) drawBox(context, each, scale);
}

function drawBox(
  context: CanvasRenderingContext2D,
  { name, label, score, box }: Seen,
  scale: number,
): void {
  const [x1, y1, x2, y2] = box;
  const colour = `hsl(${(label * 137.5) % 360} 85% 25%)`; // dark enough for white letters
  context.strokeStyle = `hsl(${(label * 137.5) % 360} 90% 60%)`;
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  const text = `${name} ${Math.round(score * 100)} %`;
  const [wide, high] = [context.measureText(text).width + 8 * scale, 20 * scale];
  const left = Math.max(0, Math.min(x1, context.canvas.width - wide));
  const top = Math.max(0, y1 - high);
  context.fillStyle = colour;
  context.fillRect(left, top, wide, high);
  context.fillStyle = "white";
  context.fillText(text, left + 4 * scale, top + 3 * scale);
}
