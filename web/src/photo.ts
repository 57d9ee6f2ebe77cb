/** Photographs from a file, a drop or the clipboard. */

import { Problem } from "./problem.ts";

// iOS has no canvas of more pixels.
const MOST_PIXELS = 16_777_216;

/** Upright, as its EXIF orientation says. Throws Problem for what is no photograph. */
export async function decode(file: Blob & { name?: string }): Promise<ImageBitmap> {
  let picture: ImageBitmap;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Problem(
      `'${file.name ?? "what was pasted"}' is no picture that this browser reads; take a JPEG or PNG file`,
    );
  }
  const { width, height } = picture;
  const scale = Math.sqrt(MOST_PIXELS / (width * height));
  if (scale >= 1) return picture;
  const smaller = await createImageBitmap(picture, {
    resizeWidth: Math.floor(width * scale),
    resizeHeight: Math.floor(height * scale),
    resizeQuality: "high",
  });
  picture.close();
  return smaller;
}

/** The first file of a drop or a paste, if there is one. */
export function fileOf(data: DataTransfer | null): File | null {
  return data?.files[0] ?? null;
}

/** Calls `take` with each photograph that is dropped on the page or pasted into it. */
export function onDropOrPaste(stage: HTMLElement, take: (file: File) => void): void {
  const given = (event: Event, data: DataTransfer | null) => {
    const file = fileOf(data);
    if (file === null) return;
    event.preventDefault();
    take(file);
  };
  document.addEventListener("paste", (event) => given(event, event.clipboardData));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("dropping");
  });
  document.addEventListener("dragleave", () => stage.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("dropping");
    given(event, event.dataTransfer);
  });
}
