/** A model in a worker of its own, so that the page stays quick; a failed one takes nothing with it. */

import type { Found, Opening, Reply, Request } from "./messages.ts";
import { Problem } from "./problem.ts";

export interface Listener {
  progress(sentence: string): void;
  /** Nothing more is fetched: what comes now is compiled and run. */
  loaded?(): void;
  /** The detector is of no use any more. */
  lost(sentence: string): void;
  /** Aborted when another detector is wanted: then this one is closed, also while it opens. */
  unwanted?: AbortSignal;
}

const CLOSED = "the detector was closed";

type Answer = Extract<Reply, { kind: "opened" | "found" | "problem" }>;

export class Detector {
  runsOn = "";
  private queue: Promise<unknown> = Promise.resolve();
  private answer: ((reply: Answer) => void) | null = null;
  private closed = false;

  private constructor(
    private readonly worker: Worker,
    readonly opening: Opening,
    listener: Listener,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      if (data.kind === "progress") listener.progress(data.sentence);
      else if (data.kind === "loaded") listener.loaded?.();
      else if (data.kind === "lost") listener.lost(data.sentence);
      else this.answer?.(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const sentence = `the detector stopped (${event.message || "its worker did not load"}); load the page again`;
      this.answer?.({ kind: "problem", sentence });
    };
  }

  /** Throws Problem for a file that is not the manifest's, or does not run here. */
  static async open(opening: Opening, listener: Listener): Promise<Detector> {
    if (listener.unwanted?.aborted) throw new Problem(CLOSED);
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { name: "detector" });
    const detector = new Detector(worker, opening, listener);
    listener.unwanted?.addEventListener("abort", () => detector.close());
    try {
      const reply = await detector.ask({ open: opening });
      if (reply.kind === "opened") detector.runsOn = reply.runsOn;
      return detector;
    } catch (error) {
      detector.close();
      throw error;
    }
  }

  /** Takes the picture, and gives it back with what was found. Calls queue up until it is closed. */
  detect(picture: ImageBitmap): Promise<Found> {
    const found = this.queue.then(async () => {
      const reply = await this.ask({ picture }, [picture]);
      if (reply.kind !== "found") throw new Problem("the detector answered out of turn");
      return reply.found;
    });
    this.queue = found.catch(() => {});
    return found;
  }

  close(): void {
    this.closed = true;
    this.worker.terminate();
    this.answer?.({ kind: "problem", sentence: CLOSED });
  }

  private async ask(request: Request, transfer: Transferable[] = []): Promise<Answer> {
    if (this.closed) throw new Problem(CLOSED); // a terminated worker never answers
    const reply = await new Promise<Answer>((resolve) => {
      this.answer = resolve;
      this.worker.postMessage(request, transfer);
    });
    this.answer = null;
    if (reply.kind === "problem") throw new Problem(reply.sentence);
    return reply;
  }
}
