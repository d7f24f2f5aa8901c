// HOT: once per byte of a database that is verified.
import { type Layout, struct, u32, u53 } from "./layout.ts";

/**
 * What a set of visible entries adds up to: how many, how many bytes of keys and values, and four sums modulo 2^32.
 * Sums of disjoint sets add up to the sum of their union, in any order: pages, regions and stores can be hashed apart.
 */
export interface ContentSum {
  readonly count: number;
  readonly bytes: number;
  readonly hash: readonly [number, number, number, number];
}

export const contentSumLayout: Layout<ContentSum> = struct<ContentSum>({
  count: u53,
  bytes: u53,
  hash: {
    write: (out, hash) => {
      for (const lane of hash) u32.write(out, lane);
    },
    read: (from, what) => [u32.read(from, what), u32.read(from, what), u32.read(from, what), u32.read(from, what)],
  },
});

/** Adds up entries: every path that verifies a database reads them in its own way, and hashes them in this one. */
export class ContentHash {
  #count = 0;
  #bytes = 0;
  readonly #sums = new Uint32Array(4);
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  get sum(): ContentSum {
    const [a = 0, b = 0, c = 0, d = 0] = this.#sums;
    return { count: this.#count, bytes: this.#bytes, hash: [a, b, c, d] };
  }

  /** One live entry. `expiresAtMs`: Unix milliseconds; 0: never. */
  entry(key: Uint8Array, value: Uint8Array, expiresAtMs: number): void {
    this.#a = 0x9e3779b1;
    this.#b = 0x85ebca77;
    this.#c = 0xc2b2ae3d;
    this.#d = 0x27d4eb2f;
    this.#word(key.length);
    this.#word(value.length);
    this.#word(expiresAtMs >>> 0);
    this.#word(Math.floor(expiresAtMs / 0x1_0000_0000));
    this.#mix(key);
    this.#mix(value);
    const sums = this.#sums;
    sums[0] = (sums[0] as number) + finish(this.#a ^ (this.#b >>> 7));
    sums[1] = (sums[1] as number) + finish(this.#b ^ (this.#a >>> 11));
    sums[2] = (sums[2] as number) + finish(this.#c ^ (this.#d >>> 7));
    sums[3] = (sums[3] as number) + finish(this.#d ^ (this.#c >>> 11));
    this.#count++;
    this.#bytes += key.length + value.length;
  }

  /** What was added up elsewhere. */
  add({ count, bytes, hash }: ContentSum): void {
    this.#count += count;
    this.#bytes += bytes;
    for (let i = 0; i < 4; i++) this.#sums[i] = (this.#sums[i] as number) + (hash[i] as number);
  }

  #mix(bytes: Uint8Array): void {
    const whole = bytes.length - (bytes.length & 3);
    for (let at = 0; at < whole; at += 4) {
      const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
      this.#word(low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24));
    }
    for (let at = whole; at < bytes.length; at++) this.#word(bytes[at] as number);
  }

  /** Each of the two pairs is a bijection of its state for given words. */
  #word(word: number): void {
    const a = Math.imul(this.#a ^ word, 0x85ebca6b);
    this.#a = a ^ (a >>> 15);
    const b = Math.imul(this.#b + word, 0xcc9e2d51) + this.#a;
    this.#b = (b << 13) | (b >>> 19);
    const c = Math.imul(this.#c ^ word, 0x2c1b3c6d);
    this.#c = c ^ (c >>> 14);
    const d = Math.imul(this.#d + word, 0x297a2d39) + this.#c;
    this.#d = (d << 17) | (d >>> 15);
  }
}

function finish(lane: number): number {
  let h = lane;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function sameContent(one: ContentSum, other: ContentSum): boolean {
  const lanes = one.hash.every((lane, at) => lane === other.hash[at]);
  return lanes && one.count === other.count && one.bytes === other.bytes;
}

/** The four sums as 32 hexadecimal digits. */
export function contentText({ hash }: ContentSum): string {
  return hash.map((lane) => lane.toString(16).padStart(8, "0")).join("");
}

/** The sums of `contentText`; null: it is none. */
export function parseContentText(text: string): ContentSum["hash"] | null {
  if (!/^[0-9a-f]{32}$/.test(text)) return null;
  const [a = 0, b = 0, c = 0, d = 0] = [0, 8, 16, 24].map((at) => Number.parseInt(text.slice(at, at + 8), 16));
  return [a, b, c, d];
}
