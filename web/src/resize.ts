/**
 * Stretches a picture to the model's input as the manifest says: both sides, bilinear, antialiased
 * where it shrinks. The arithmetic is that of PIL's `Resampling.BILINEAR`, which the golden photographs
 * were made with: a triangle as wide as the scale, weights in fixed point, first along the rows, then
 * down the columns, with whole levels of 255 between the two. PIL swaps the two for some sizes; then
 * levels differ by one at most.
 */

const BITS = 22;
const HALF = 1 << (BITS - 1);
const RGBA = 4;
const RGB = 3;

/** Of output x: its first source sample, how many it takes, and their weights from x * `taps` on. */
interface Weights {
  starts: Int32Array;
  counts: Int32Array;
  taps: number;
  values: Int32Array;
}

function weightsOf(from: number, to: number): Weights {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const taps = Math.ceil(support) * 2 + 1;
  const weights = {
    starts: new Int32Array(to),
    counts: new Int32Array(to),
    taps,
    values: new Int32Array(to * taps),
  };
  for (let x = 0; x < to; x++) {
    const center = (x + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(from, Math.trunc(center + support + 0.5)) - start;
    const triangle = Array.from({ length: count }, (_, i) =>
      Math.max(0, 1 - Math.abs((start + i - center + 0.5) / support)),
    );
    const sum = triangle.reduce((total, each) => total + each, 0);
    weights.starts[x] = start;
    weights.counts[x] = count;
    triangle.forEach((each, i) => {
      weights.values[x * taps + i] = Math.trunc((each / sum) * 2 ** BITS + 0.5);
    });
  }
  return weights;
}

/** Keeps the weights and the buffer of the size before, so that a camera's frames allocate nothing. */
export class Resizer {
  private from = { width: 0, height: 0 };
  private across = weightsOf(1, 1);
  private down = weightsOf(1, 1);
  private middle = new Uint8Array(0);
  private readonly input: Uint8Array<ArrayBuffer>;
  private readonly sums: Int32Array;

  constructor(
    private readonly height: number,
    private readonly width: number,
  ) {
    this.input = new Uint8Array(height * width * RGB);
    this.sums = new Int32Array(width * RGB);
  }

  /**
   * `rgba`: uint8 [height, width, 4], as a canvas gives it; alpha is ignored. Gives the input tensor,
   * uint8 RGB [H, W, 3]: the same array every time, overwritten by the next call.
   */
  fill(rgba: Uint8ClampedArray, width: number, height: number): Uint8Array<ArrayBuffer> {
    if (this.from.width !== width || this.from.height !== height) {
      this.from = { width, height };
      this.across = weightsOf(width, this.width);
      this.down = weightsOf(height, this.height);
      this.middle = new Uint8Array(height * this.width * RGB);
    }
    this.alongRows(rgba, width, height);
    this.downColumns();
    return this.input;
  }

  // Weights are positive and sum to 1 within a few units of 2 ** 22: no sum leaves 0..255.
  private alongRows(rgba: Uint8ClampedArray, width: number, height: number): void {
    const { starts, counts, taps, values } = this.across;
    const { middle, width: to } = this;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < to; x++, at += RGB) {
        let red = HALF;
        let green = HALF;
        let blue = HALF;
        let pixel = (y * width + starts[x]) * RGBA;
        for (let k = x * taps, end = k + counts[x]; k < end; k++, pixel += RGBA) {
          const weight = values[k];
          red += weight * rgba[pixel];
          green += weight * rgba[pixel + 1];
          blue += weight * rgba[pixel + 2];
        }
        middle[at] = red >> BITS;
        middle[at + 1] = green >> BITS;
        middle[at + 2] = blue >> BITS;
      }
    }
  }

  private downColumns(): void {
    const { starts, counts, taps, values } = this.down;
    const { middle, input, sums } = this;
    const row = sums.length;
    for (let y = 0; y < this.height; y++) {
      sums.fill(HALF);
      for (let i = 0; i < counts[y]; i++) {
        const weight = values[y * taps + i];
        const from = (starts[y] + i) * row;
        for (let x = 0; x < row; x++) sums[x] += weight * middle[from + x];
      }
      for (let x = 0; x < row; x++) input[y * row + x] = sums[x] >> BITS;
    }
  }
}
