/** The camera's frames, the newest each time. */

import { keepScreenOn } from "./awake.ts";
import type { Manifest } from "./manifest.ts";
import { Problem, sentenceOf } from "./problem.ts";

export type Facing = "environment" | "user";

const USUAL = [
  { width: 640, height: 480 },
  { width: 1280, height: 720 },
];
const LARGEST = { width: 1920, height: 1080 };

/** The smallest size that cameras usually have, neither side of which has to be enlarged for the model's input. */
export function sizeFor([high, wide]: Manifest["input"]["size"]): typeof LARGEST {
  return USUAL.find(({ height }) => height >= Math.max(high, wide)) ?? LARGEST;
}

export class Camera {
  private readonly over = new AbortController();

  private constructor(
    private readonly stream: MediaStream,
    private readonly video: HTMLVideoElement,
  ) {
    keepScreenOn(this.over.signal);
  }

  /**
   * Asks for it, for frames not much larger than the model's input, and resolves when the first frame is
   * there. Throws Problem if it is not to be had.
   */
  static async open(facing: Facing, input: Manifest["input"]): Promise<Camera> {
    if (!navigator.mediaDevices) {
      throw new Problem(
        "browsers give the camera to pages from https and localhost alone; serve this one so",
      );
    }
    if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype)) {
      throw new Problem(
        "this browser does not say when the camera has a new frame (requestVideoFrameCallback); take a newer one",
      );
    }
    let stream: MediaStream | null = null;
    try {
      const { width, height } = sizeFor(input.size);
      const video = { facingMode: facing, width: { ideal: width }, height: { ideal: height } };
      stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      const element = document.createElement("video");
      Object.assign(element, { srcObject: stream, muted: true, playsInline: true });
      await element.play();
      return new Camera(stream, element);
    } catch (error) {
      for (const track of stream?.getTracks() ?? []) track.stop();
      throw new Problem(
        `the camera does not start (${sentenceOf(error)}); allow it for this page, and close what else uses it`,
      );
    }
  }

  /** A frame that was not given before, upright; null when the camera has ended. */
  async frame(): Promise<ImageBitmap | null> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearInterval(timer);
        resolve();
      };
      const timer = setInterval(() => this.ended && done(), 200);
      this.video.requestVideoFrameCallback(done);
    });
    return this.ended ? null : createImageBitmap(this.video);
  }

  get ended(): boolean {
    return this.stream.getVideoTracks().every((track) => track.readyState === "ended");
  }

  close(): void {
    this.over.abort();
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }

  static async count(): Promise<number> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === "videoinput").length;
  }
}
