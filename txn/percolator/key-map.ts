import { compareKeys } from "../../core/bytes/record.ts";
import type { KeyRange } from "./command.ts";

/** A map ordered by unsigned bytes of its keys. Small: an insertion moves what is behind it. */
export class KeyMap<V> {
  readonly #keys: Uint8Array[] = [];
  readonly #values: V[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get(key: Uint8Array): V | null {
    const at = this.#seek(key);
    return this.#holds(at, key) ? (this.#values[at] as V) : null;
  }

  /** Null removes. */
  set(key: Uint8Array, value: V | null): void {
    const at = this.#seek(key);
    const present = this.#holds(at, key);
    if (value === null) {
      if (present) this.#splice(at);
    } else if (present) {
      this.#values[at] = value;
    } else {
      this.#keys.splice(at, 0, key.slice());
      this.#values.splice(at, 0, value);
    }
  }

  clear(): void {
    this.#keys.length = 0;
    this.#values.length = 0;
  }

  /** Entries of `range` in order, at most `limit`. */
  slice(range: KeyRange, limit: number): readonly (readonly [Uint8Array, V])[] {
    const entries: (readonly [Uint8Array, V])[] = [];
    for (let at = this.#seek(range.start); at < this.#keys.length && entries.length < limit; at++) {
      const key = this.#keys[at] as Uint8Array;
      if (range.end !== null && compareKeys(key, range.end) >= 0) break;
      entries.push([key, this.#values[at] as V]);
    }
    return entries;
  }

  /** The last entry whose key is not above `key`. */
  floor(key: Uint8Array): readonly [Uint8Array, V] | null {
    const at = this.#seek(key);
    const found = this.#holds(at, key) ? at : at - 1;
    return found < 0 ? null : [this.#keys[found] as Uint8Array, this.#values[found] as V];
  }

  #splice(at: number): void {
    this.#keys.splice(at, 1);
    this.#values.splice(at, 1);
  }

  #holds(at: number, key: Uint8Array): boolean {
    const found = this.#keys[at];
    return found !== undefined && compareKeys(found, key) === 0;
  }

  /** Where the first key not below `key` is. */
  #seek(key: Uint8Array): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle] as Uint8Array, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
