// HOT: every request to a region passes here.
import { compareKeys } from "../../core/bytes/record.ts";

/** Twice as many at most, before every other one goes. */
const samplesMin = 32;
/** A part that is asked for less than one request in so many is not worth a region. */
const shareMin = 4;

/** Where in a region its requests go: some of their keys, evenly drawn from however many there were. */
export class KeySample {
  #requests = 0;
  /** One request of about so many is kept. */
  #stride = 1;
  #keys: Uint8Array[] = [];

  /** One more request; true: its key is wanted. */
  next(): boolean {
    return spread(this.#requests++) % this.#stride === 0;
  }

  add(key: Uint8Array): void {
    this.#keys.push(key.slice());
    if (this.#keys.length < 2 * samplesMin) return;
    this.#keys = this.#keys.filter((_, at) => (at + spread(at >>> 1)) % 2 === 0);
    this.#stride *= 2;
  }

  /** Where about half of the requests lie on either side; null: one key gets most of them, or nothing is known. */
  balancedKey(): Uint8Array | null {
    const keys = this.#keys.toSorted(compareKeys);
    if (keys.length < samplesMin) return null;
    let best: { readonly key: Uint8Array; readonly left: number } | null = null;
    for (const [left, key] of keys.entries()) {
      const before = keys[left - 1];
      if (before === undefined || compareKeys(before, key) === 0) continue;
      const isCloser = best === null || Math.abs(2 * left - keys.length) < Math.abs(2 * best.left - keys.length);
      if (isCloser) best = { key, left };
    }
    if (best === null || Math.min(best.left, keys.length - best.left) * shareMin < keys.length) return null;
    return best.key;
  }

  clear(): void {
    this.#requests = 0;
    this.#stride = 1;
    this.#keys = [];
  }
}

/** Without a pattern that one of the callers could have as well. */
export function spread(n: number): number {
  const mixed = Math.imul(n ^ (n >>> 7), 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
