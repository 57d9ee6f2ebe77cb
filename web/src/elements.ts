/** The page's elements by their id in index.html. */

function of<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`);
  return found;
}

export const elements = {
  status: of("status", HTMLElement),
  problem: of("problem", HTMLElement),
  file: of("file", HTMLSelectElement),
  choice: of("choice", HTMLSelectElement),
  threshold: of("threshold", HTMLInputElement),
  thresholdShown: of("threshold-shown", HTMLOutputElement),
  camera: of("camera", HTMLButtonElement),
  turn: of("turn", HTMLButtonElement),
  photo: of("photo", HTMLInputElement),
  sample: of("sample", HTMLButtonElement),
  check: of("check", HTMLButtonElement),
  stage: of("stage", HTMLElement),
  picture: of("picture", HTMLCanvasElement),
  caption: of("caption", HTMLElement),
  speed: of("speed", HTMLElement),
  detections: of("detections", HTMLElement),
  found: of("found", HTMLTableSectionElement),
  checked: of("checked", HTMLElement),
  rows: of("rows", HTMLTableSectionElement),
  report: of("report", HTMLButtonElement),
};

/** Everything that waits for a model. */
export const controls = [
  elements.file,
  elements.choice,
  elements.threshold,
  elements.camera,
  elements.photo,
  elements.sample,
  elements.check,
];

/** A row of cells; those that are numbers stand to the right. */
export function tableRow(cells: (string | number)[]): HTMLTableRowElement {
  const row = document.createElement("tr");
  for (const cell of cells) {
    const td = row.insertCell();
    td.textContent = String(cell);
    if (typeof cell === "number") td.className = "number";
  }
  return row;
}
