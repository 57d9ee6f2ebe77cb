/** What the page shows: its state, what was found, how fast, and the verdicts of the check. */

import { type Row, report } from "./check.ts";
import { draw, type Seen, seen } from "./draw.ts";
import { elements, tableRow } from "./elements.ts";
import type { Manifest } from "./manifest.ts";
import type { Found } from "./messages.ts";
import { largest, short } from "./parity.ts";
import { sentenceOf } from "./problem.ts";

export function status(sentence: string): void {
  elements.status.textContent = sentence;
}

export function problem(error: unknown): void {
  const sentence = sentenceOf(error);
  elements.problem.textContent = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  elements.problem.hidden = false;
}

export function noProblem(): void {
  elements.problem.hidden = true;
}

/** The picture, boxes and table; gives what is above the threshold. */
export function found({ detections, picture }: Found, threshold: number, labels: string[]): Seen[] {
  const all = seen(detections, threshold, labels, picture);
  draw(elements.picture, picture, all);
  elements.found.replaceChildren(
    ...all.map(({ name, score, box }) =>
      tableRow([name, Number(score.toFixed(2)), ...box.map((edge) => Math.round(edge * 10) / 10)]),
    ),
  );
  elements.detections.hidden = false;
  return all;
}

/** For those who do not see the picture. */
export function describe(all: Seen[]): void {
  const words = all.map(({ name, score }) => `${name} ${Math.round(score * 100)} %`);
  const count = `${all.length} detection${all.length === 1 ? "" : "s"}`;
  const text = all.length === 0 ? count : `${count}: ${words.join(", ")}`;
  elements.picture.setAttribute("aria-label", text);
  status(text);
}

export function speed({ modelMs, prepareMs }: Found, framesPerSecond: number | null): void {
  const frames = framesPerSecond === null ? "" : `${framesPerSecond.toFixed(1)} frames a second; `;
  elements.speed.textContent = `${frames}model ${modelMs.toFixed(1)} ms, its input ${prepareMs.toFixed(1)} ms`;
}

export function checked(folder: string, manifest: Manifest, rows: Row[]): void {
  elements.rows.replaceChildren(...rows.map(verdict));
  elements.report.onclick = () => save(JSON.stringify(report(folder, manifest, rows), null, 2));
  elements.checked.hidden = false;
}

function save(text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "deimv2-check.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function verdict({ artifact, runsOn, problems, parity, limits, milliseconds }: Row): HTMLElement {
  const passed = problems.length === 0;
  const [median] = [...milliseconds].sort((a, b) => a - b).slice(milliseconds.length >> 1);
  const which = limits.within === 1 ? "worst" : `p${limits.within * 100}`;
  const row = tableRow([
    artifact,
    runsOn,
    passed ? "passed" : `FAILED: ${problems.join("; ")}`,
    ...(parity === null
      ? ["", "", "", ""]
      : [
          `${parity.matched} of ${parity.counted}`,
          `${short(largest(parity.boxPx, limits.within))} px (${which}, limit ${limits.box_px})`,
          `${short(largest(parity.score, limits.within))} (${which}, limit ${limits.score})`,
          `${median.toFixed(1)} ms`,
        ]),
  ]);
  if (!passed) row.className = "failed";
  return row;
}
