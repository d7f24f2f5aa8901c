// HOT: every record that is exported or ingested passes here.
import { AssertionError } from "../assert.ts";
import { readVersion } from "../bytes/record.ts";
import { compareRecordToBound } from "./range-tombstones.ts";
import type { RecordCursor } from "./record-cursor.ts";

/** A part of the key space: from `from` on and below `to`, both as bounds. */
export interface Clip {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** Records of later versions are left out. */
  readonly upToVersion: number;
}

/** The records of another cursor within a clip, forward only: what a job that copies walks over. */
export class ClippedCursor implements RecordCursor {
  readonly #cursor: RecordCursor;
  readonly #clip: Clip;
  valid = false;

  constructor(cursor: RecordCursor, clip: Clip) {
    this.#cursor = cursor;
    this.#clip = clip;
  }

  get bytes(): Uint8Array {
    return this.#cursor.bytes;
  }

  get view(): DataView {
    return this.#cursor.view;
  }

  get offset(): number {
    return this.#cursor.offset;
  }

  seekFirst(): void {
    const { from } = this.#clip;
    this.#cursor.seek(from[0] as number, from.subarray(1));
    this.#settle();
  }

  next(): void {
    this.#cursor.next();
    this.#settle();
  }

  release(): void {
    this.valid = false;
    this.#cursor.release();
  }

  seekLast(): never {
    throw forwardOnly();
  }

  seek(): never {
    throw forwardOnly();
  }

  prev(): never {
    throw forwardOnly();
  }

  passForward(): never {
    throw forwardOnly();
  }

  passBackward(): never {
    throw forwardOnly();
  }

  #settle(): void {
    const cursor = this.#cursor;
    const { to, upToVersion } = this.#clip;
    while (cursor.valid && readVersion(cursor.view, cursor.offset) > upToVersion) cursor.next();
    this.valid = cursor.valid && compareRecordToBound(cursor.bytes, cursor.view, cursor.offset, to) < 0;
  }
}

function forwardOnly(): AssertionError {
  return new AssertionError("a clipped walk goes forward from its first record");
}
