import { assert } from "../../core/assert.ts";

/** Keys remembered by all cursors together. */
const keyBytesMax = 16 * 1024 * 1024;

/**
 * Positions of SCAN. A cursor stands for the last key that was returned, which no number can hold, so it is
 * remembered, within bounds: the oldest are forgotten, and a forgotten cursor is an error, never a scan that
 * misses keys. A cursor may be used again, for a client may not have got the reply.
 */
export class ScanCursors {
  readonly #capacity: number;
  /** The upper bits of every cursor: one of an earlier life of the server must not mean another key. */
  readonly #epoch: number;
  readonly #keys = new Map<number, Uint8Array>();
  #keyBytes = 0;
  #last = 0;

  /** `epoch` has 20 bits, so that cursors are safe integers. */
  constructor(capacity: number, epoch: number) {
    assert(epoch >= 0 && epoch < 0x10_0000, "an epoch has 20 bits");
    this.#capacity = capacity;
    this.#epoch = epoch;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** A cursor, never 0, that goes on after `key`, which is kept. */
  remember(key: Uint8Array): number {
    this.#last = this.#last === 0xffff_ffff ? 1 : this.#last + 1;
    const cursor = this.#epoch * 0x1_0000_0000 + this.#last;
    this.#forget(cursor);
    this.#keys.set(cursor, key);
    this.#keyBytes += key.length;
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= this.#capacity && this.#keyBytes <= keyBytesMax) break;
      this.#forget(oldest);
    }
    return cursor;
  }

  /** The key to go on after; null when the cursor is unknown or was forgotten. */
  recall(cursor: number): Uint8Array | null {
    return this.#keys.get(cursor) ?? null;
  }

  #forget(cursor: number): void {
    const key = this.#keys.get(cursor);
    if (key === undefined) return;
    this.#keys.delete(cursor);
    this.#keyBytes -= key.length;
  }
}
