/**
 * SHA-256 (FIPS 180-4). The browser's own, `crypto.subtle`, is there on https and localhost alone, and
 * a page that is tried on a phone in the same network has neither.
 */

const K = new Int32Array(64);
const START = new Int32Array(8);

/** The first 32 bits after the point of the `power`th root of a prime. */
function fraction(prime: number, power: number): number {
  const root = prime ** (1 / power);
  return ((root - Math.floor(root)) * 2 ** 32) | 0;
}

for (let prime = 2, found = 0; found < K.length; prime++) {
  let divisor = 2;
  while (prime % divisor !== 0) divisor++;
  if (divisor < prime) continue;
  if (found < START.length) START[found] = fraction(prime, 2);
  K[found++] = fraction(prime, 3);
}

export function sha256Of(bytes: Uint8Array): string {
  const state = START.slice();
  const words = new Int32Array(64);
  const whole = bytes.length - (bytes.length % 64);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += 64) mix(state, words, view, at);
  const end = ending(bytes.subarray(whole), bytes.length);
  for (let at = 0; at < end.byteLength; at += 64) mix(state, words, end, at);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** The last bytes, a bit, zeros, and the length of all in bits. */
function ending(rest: Uint8Array, length: number): DataView {
  const bytes = new Uint8Array(rest.length < 56 ? 64 : 128);
  bytes.set(rest);
  bytes[rest.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(bytes.length - 8, Math.floor(length / 2 ** 29));
  view.setUint32(bytes.length - 4, (length * 8) >>> 0);
  return view;
}

function turn(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function mix(state: Int32Array, w: Int32Array, block: DataView, at: number): void {
  for (let t = 0; t < 16; t++) w[t] = block.getInt32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const early = w[t - 15];
    const late = w[t - 2];
    const low = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
    const high = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
    w[t] = (w[t - 16] + low + w[t - 7] + high) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t++) {
    const chosen = (e & f) ^ (~e & g);
    const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + chosen + K[t] + w[t]) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] += word;
  });
}
