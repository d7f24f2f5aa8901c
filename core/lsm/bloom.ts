// HOT: asked once per table and point read.
import { assert } from "../assert.ts";

/** One filter line is one cache line: a query touches memory once. */
export const bloomLineBytes = 64;
const lineBitsShift = 9;
/** 128 MiB of filter; beyond it the false positives rise instead. */
const linesMax = 0x20_0000;
const probesMax = 16;
const twoTo32 = 0x1_0000_0000;

/** Lines of a filter over `keyCount` keys. */
export function bloomLines(keyCount: number, bitsPerKey: number): number {
  assert(keyCount > 0 && bitsPerKey > 0, "a filter has keys and bits");
  const bits = keyCount * bitsPerKey;
  return Math.min(linesMax, Math.ceil(bits / (bloomLineBytes * 8)));
}

/** Bits set per key: near ln 2 times the bits per key. */
export function bloomProbes(bitsPerKey: number): number {
  return Math.min(probesMax, Math.max(1, Math.floor((bitsPerKey * 69) / 100)));
}

/** Sets the bits of `hash` in `bytes[0, lines * 64)`. */
export function bloomAdd(bytes: Uint8Array, lines: number, probes: number, hash: number): void {
  const line = lineOf(hash, lines);
  let h = hash;
  for (let i = 0; i < probes; i++) {
    h = Math.imul(h, 0x9e3779b9);
    const bit = h >>> (32 - lineBitsShift);
    const at = line + (bit >>> 3);
    bytes[at] = (bytes[at] as number) | (1 << (bit & 7));
  }
}

/** False: no key with this hash was added. True: probably one was. */
export function bloomHas(bytes: Uint8Array, lines: number, probes: number, hash: number): boolean {
  const line = lineOf(hash, lines);
  let h = hash;
  for (let i = 0; i < probes; i++) {
    h = Math.imul(h, 0x9e3779b9);
    const bit = h >>> (32 - lineBitsShift);
    if (((bytes[line + (bit >>> 3)] as number) & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

/**
 * The unsigned hash's high bits scaled to the number of lines: exact, as both factors together have at most 53
 * bits.
 */
function lineOf(hash: number, lines: number): number {
  return Math.floor(((hash >>> 0) * lines) / twoTo32) * bloomLineBytes;
}
