/** The page: one model at a time, pictures from a camera or a file, and the check. */

import { Camera, type Facing } from "./camera.ts";
import { exactly, failed, type Row, replay, trials } from "./check.ts";
import { type Choice, choose } from "./choose.ts";
import { Detector, type Listener } from "./detector.ts";
import { controls, elements } from "./elements.ts";
import { type Golden, readGolden } from "./golden.ts";
import { type Folder, labelsIn, type Manifest, type ModelFile, runnable } from "./manifest.ts";
import type { Accelerator, Found, Opening } from "./messages.ts";
import { decode, onDropOrPaste } from "./photo.ts";
import { Problem, sentenceOf } from "./problem.ts";
import * as show from "./show.ts";

const FRAMES = 20; // over which the speed is taken

export class Page {
  private readonly files: ModelFile[];
  private detector: Detector | null = null;
  private another = new AbortController(); // another model is opened
  private last: Found | null = null;
  private camera: Camera | null = null;
  private facing: Facing = "environment";
  private samples = 0;
  private goldens: Promise<Golden[]> | null = null;

  /** folder and home: addresses, with a slash at their end, of the artifacts and of the page. */
  constructor(
    private readonly manifest: Manifest,
    private readonly folder: Folder,
    private readonly home: string,
  ) {
    this.files = runnable(manifest);
    const options = this.files.map(({ name }, i) => new Option(name, String(i)));
    elements.file.replaceChildren(...options);
    elements.threshold.valueAsNumber = manifest.score_threshold;
    if (!navigator.gpu) {
      const gpu = elements.choice.querySelector<HTMLOptionElement>("[value=webgpu]");
      if (gpu !== null)
        Object.assign(gpu, { disabled: true, text: "WebGPU (not in this browser)" });
    }
    this.listen();
  }

  /** Opens the chosen file on the chosen accelerator, in place of the one before. */
  async open(): Promise<void> {
    this.another.abort(); // closes the detector
    this.another = new AbortController();
    const { signal } = this.another;
    const listener = this.listener(signal);
    this.detector = null;
    for (const control of controls) {
      control.disabled = control !== elements.file && control !== elements.choice;
    }
    const choice = elements.choice.value as Choice;
    const opening = this.opening(this.files[Number(elements.file.value)]);
    const read = () => this.readGoldens();
    const chosen = await choose(choice, opening, this.manifest, read, listener).catch((error) => {
      if (!signal.aborted) throw error;
      return null;
    });
    if (signal.aborted || chosen === null) return; // something else was chosen meanwhile
    this.detector = chosen.detector;
    for (const control of controls) control.disabled = false;
    show.noProblem();
    const why = chosen.fallback === null ? "" : ` (not on WebGPU: ${chosen.fallback})`;
    show.status(`Ready: ${opening.file.name} on ${chosen.detector.runsOn}${why}`);
  }

  private opening(file: ModelFile): Omit<Opening, "accelerator"> {
    return {
      folder: `${this.folder.place}/`,
      runtime: new URL("litert/", this.home).href,
      file,
      input: this.manifest.input,
    };
  }

  private listener(unwanted: AbortSignal): Listener {
    return {
      unwanted,
      progress: (sentence) => !unwanted.aborted && show.status(sentence),
      lost: (sentence) => {
        if (unwanted.aborted) return;
        elements.choice.value = "wasm";
        this.guard(async () => {
          await this.open();
          throw new Problem(`${sentence}; the model runs on WASM now`);
        });
      },
    };
  }

  private readGoldens(): Promise<Golden[]> {
    this.goldens ??= Promise.all(this.manifest.golden.map((each) => readGolden(this.folder, each)));
    this.goldens.catch(() => {
      this.goldens = null; // read again next time
    });
    return this.goldens;
  }

  private listen(): void {
    const on = (element: HTMLElement, event: string, action: () => Promise<void> | void) =>
      element.addEventListener(event, () => this.guard(action));
    on(elements.file, "change", () => this.open());
    on(elements.choice, "change", () => this.open());
    on(elements.threshold, "input", () => this.redraw());
    on(elements.camera, "click", () => (this.camera === null ? this.watch() : this.stop()));
    on(elements.turn, "click", () => this.turn());
    on(elements.sample, "click", () => this.showSample());
    on(elements.check, "click", () => this.check());
    on(elements.photo, "change", async () => {
      const [file] = elements.photo.files ?? [];
      if (file !== undefined) await this.showPhoto(file);
      elements.photo.value = ""; // the same file may be taken again
    });
    onDropOrPaste(elements.stage, (file) => this.guard(() => this.showPhoto(file)));
    this.redraw();
  }

  /** Shows what goes wrong in an action, as a sentence. */
  private async guard(action: () => Promise<void> | void): Promise<void> {
    show.noProblem();
    try {
      await action();
    } catch (error) {
      show.problem(error);
    }
  }

  private redraw(): void {
    const threshold = elements.threshold.valueAsNumber;
    elements.thresholdShown.value = threshold.toFixed(2);
    if (this.last === null) return;
    const names = labelsIn(this.manifest, navigator.language);
    const all = show.found(this.last, threshold, names);
    if (this.camera === null) show.describe(all);
  }

  private async detect(picture: ImageBitmap): Promise<Found> {
    if (this.detector === null) throw new Problem("the model is not ready yet; wait for it");
    const found = await this.detector.detect(picture);
    this.last?.picture.close();
    this.last = found;
    return found;
  }

  private async showPhoto(file: File): Promise<void> {
    this.stop();
    const picture = await decode(file);
    show.speed(await this.detect(picture), null);
    elements.caption.textContent = file.name;
    this.redraw();
  }

  private async showSample(): Promise<void> {
    this.stop();
    const goldens = await this.readGoldens();
    const which = this.samples++ % goldens.length;
    show.speed(await this.detect(await exactly(goldens[which].png)), null);
    elements.caption.textContent = this.manifest.golden[which].source;
    this.redraw();
  }

  private async watch(): Promise<void> {
    elements.camera.disabled = true; // until it is open, or is not
    const camera = await Camera.open(this.facing, this.manifest.input).finally(() => {
      elements.camera.disabled = this.detector === null;
    });
    this.camera = camera;
    const times: number[] = [];
    try {
      elements.camera.setAttribute("aria-pressed", "true");
      elements.turn.hidden = (await Camera.count()) < 2;
      elements.picture.setAttribute("aria-label", "The camera, with what is detected");
      elements.caption.textContent = "";
      show.status("The camera runs");
      while (this.camera === camera) {
        const picture = await camera.frame();
        if (picture === null || this.camera !== camera) {
          picture?.close();
          break;
        }
        const { detector } = this;
        const found =
          detector && (await this.detect(picture).catch(unless(() => this.detector !== detector)));
        if (this.camera !== camera) break;
        if (found === null) {
          picture.close(); // another model is being opened
          continue;
        }
        times.push(performance.now());
        if (times.length > FRAMES) times.shift();
        const seconds = (times[times.length - 1] - times[0]) / 1000;
        show.speed(found, seconds > 0 ? (times.length - 1) / seconds : null);
        this.redraw();
      }
    } finally {
      if (this.camera === camera) this.stop();
    }
  }

  private async turn(): Promise<void> {
    this.facing = this.facing === "environment" ? "user" : "environment";
    this.stop();
    await this.watch();
  }

  private stop(): void {
    if (this.camera === null) return;
    this.camera.close();
    this.camera = null;
    elements.camera.setAttribute("aria-pressed", "false");
    elements.turn.hidden = true;
    show.status("The camera is off");
  }

  /** Every file on every accelerator that this browser has, and that the manifest does not leave out. */
  private async check(): Promise<void> {
    this.stop();
    elements.check.disabled = true;
    try {
      const goldens = await this.readGoldens();
      const accelerators: Accelerator[] = ["wasm"];
      if (await navigator.gpu?.requestAdapter().catch(() => null)) accelerators.push("webgpu");
      const rows: Row[] = [];
      for (const [file, accelerator] of trials(this.files, accelerators)) {
        show.status(`Checking ${file.name} on ${accelerator === "wasm" ? "WASM" : "WebGPU"}`);
        rows.push(await this.checkOne(file, accelerator, goldens));
        show.checked(this.folder.place, this.manifest, rows);
      }
      const bad = rows.filter(({ problems }) => problems.length > 0).length;
      show.status(bad === 0 ? "Check passed" : `Check failed: ${bad} of ${rows.length}`);
    } finally {
      elements.check.disabled = false;
    }
  }

  private async checkOne(
    file: ModelFile,
    accelerator: Accelerator,
    goldens: Golden[],
  ): Promise<Row> {
    const quiet: Listener = { progress: () => {}, lost: () => {} };
    let detector: Detector | null = null;
    try {
      detector = await Detector.open({ ...this.opening(file), accelerator }, quiet);
      return await replay(detector, this.manifest, goldens);
    } catch (error) {
      const runsOn = accelerator === "wasm" ? "WASM" : "WebGPU";
      return failed(file.name, runsOn, this.manifest, sentenceOf(error));
    } finally {
      detector?.close();
    }
  }
}

/** For `catch`: null in place of an error that does not matter any more. */
function unless(over: () => boolean): (error: unknown) => null {
  return (error) => {
    if (over()) return null;
    throw error;
  };
}
