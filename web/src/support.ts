/** What this page cannot do without, in the words of those who meet it. */

/** What this browser lacks, as a sentence; null if nothing. */
export function missing(): string | null {
  const needed: [string, boolean][] = [
    ["WebAssembly", typeof WebAssembly === "object"],
    ["Web Workers", typeof Worker === "function"],
    ["OffscreenCanvas", typeof OffscreenCanvas === "function"],
    ["DecompressionStream", typeof DecompressionStream === "function"],
    ["createImageBitmap", typeof createImageBitmap === "function"],
  ];
  const names = needed.filter(([, there]) => !there).map(([name]) => name);
  if (names.length === 0) return null;
  return `this browser has no ${names.join(" and no ")}, which the detector needs; take a newer one, or allow it in the settings`;
}
