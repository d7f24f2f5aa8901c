import { assert } from "../assert.ts";
import type { DiskFile } from "./disk.ts";

/**
 * Fills `target[start, end)` from byte `position`, however short the reads. Returns how many bytes were
 * filled: fewer than asked only when the file ends there. Throws `DiskError`.
 */
// oxlint-disable-next-line max-params
export function readFully(
  file: DiskFile,
  position: number,
  target: Uint8Array,
  start: number,
  end: number,
): number {
  assert(start <= end && end <= target.length, "the range read into lies within its buffer");
  let at = start;
  while (at < end) {
    const filled = file.read(position + (at - start), target, at, end);
    assert(filled >= 0 && filled <= end - at, "a read fills no more than was asked");
    if (filled === 0) break;
    at += filled;
  }
  return at - start;
}

/**
 * Writes all of `source[start, end)` at byte `position`, however short the writes. Throws `DiskError`, after
 * which any prefix may have been written.
 */
// oxlint-disable-next-line max-params
export function writeFully(
  file: DiskFile,
  position: number,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  assert(start <= end && end <= source.length, "the range written lies within its buffer");
  let at = start;
  while (at < end) {
    const taken = file.write(position + (at - start), source, at, end);
    assert(taken >= 1 && taken <= end - at, "a write takes at least one byte and no more than asked");
    at += taken;
  }
}
