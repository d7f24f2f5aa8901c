import { assert } from "../../core/assert.ts";
import { fileBytesMax, sectorBytes } from "./sector.ts";

const nobody = new Uint8Array(0);

/** `#shared` of an image whose whole buffer belongs to somebody else as well. */
const everything = Number.MAX_SAFE_INTEGER;

/**
 * The bytes of a file, growable, copied on write after `fork`. Bytes beyond the size read as zeros. A fork
 * costs nothing, and appending after it costs nothing either: of two images over one buffer, the original may
 * go on writing beyond what the fork can see.
 */
export class Image {
  #bytes: Uint8Array = nobody;
  #size = 0;
  /** Below this offset the buffer is seen by a fork and must not change. */
  #shared = 0;

  get size(): number {
    return this.#size;
  }

  /** The buffer behind; only `[0, size)` means anything. Read only, valid until the next change. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** A second image with these contents; both may change from now on without the other seeing it. */
  fork(): Image {
    const twin = new Image();
    twin.#bytes = this.#bytes;
    twin.#size = this.#size;
    twin.#shared = everything;
    if (this.#shared < this.#size) this.#shared = this.#size;
    return twin;
  }

  /** The bytes of `[from, to)`, zeros beyond the size, as the caller's own copy. */
  slice(from: number, to: number): Uint8Array {
    const copy = new Uint8Array(to - from);
    const end = Math.min(to, this.#size);
    if (from < end) copy.set(this.#bytes.subarray(from, end));
    return copy;
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    const count = Math.min(end - start, this.#size - position);
    if (count <= 0) return 0;
    target.set(this.#bytes.subarray(position, position + count), start);
    return count;
  }

  /** Extends the image as needed; a gap reads as zeros. */
  write(position: number, source: Uint8Array, start: number, end: number): void {
    const to = position + end - start;
    this.#own(position, to);
    const whole = start === 0 && end === source.length;
    this.#bytes.set(whole ? source : source.subarray(start, end), position);
    if (to > this.#size) this.#size = to;
  }

  zero(from: number, to: number): void {
    const end = Math.min(to, this.#size);
    if (from >= end) return;
    this.#own(from, end);
    this.#bytes.fill(0, from, end);
  }

  resize(size: number): void {
    if (size === this.#size) return;
    if (size < this.#size) {
      const old = this.#size;
      this.#own(size, old);
      this.#bytes.fill(0, size, old);
    } else {
      this.#own(this.#size, size);
    }
    this.#size = size;
  }

  /** Whether both read alike over `[from, to)`, zeros beyond their sizes. */
  agrees(other: Image, from: number, to: number): boolean {
    const mine = this.#bytes;
    const theirs = other.#bytes;
    if (mine === theirs && to <= this.#size && to <= other.#size) return true;
    for (let at = from; at < to; at++) {
      const left = at < this.#size ? mine[at] : 0;
      const right = at < other.#size ? theirs[at] : 0;
      if (left !== right) return false;
    }
    return true;
  }

  equals(other: Image): boolean {
    return this.#size === other.#size && this.agrees(other, 0, this.#size);
  }

  /** Makes `[from, to)` of the buffer ours alone and large enough; the rest beyond the size is zero. */
  #own(from: number, to: number): void {
    const changesShared = from < this.#shared;
    if (!changesShared && to <= this.#bytes.length) return;
    assert(to <= fileBytesMax, "a simulated file stays within its bound");
    const needed = Math.max(to, this.#size);
    let capacity = Math.max(sectorBytes, this.#bytes.length);
    while (capacity < needed) capacity *= 2;
    const bytes = new Uint8Array(capacity);
    bytes.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = bytes;
    this.#shared = 0;
  }
}
