// HOT: asked after every group of a log that is synced.
import { assert } from "../assert.ts";
import { DiskError, type DiskFile } from "../env/disk.ts";
import { frameHeaderBytes } from "./frame.ts";
import type { WalSegment } from "./segment.ts";

/** What a file system gives out at a time: less saves nothing. */
const blockBytes = 4096;
/** A stretch that would not serve so many groups like the last one costs more than it saves. */
const groupsServedMin = 8;
const zerosBytesMax = 64 * 1024;

/**
 * Zeros written ahead of the end of a segment, so that most groups are written over blocks that the file has
 * already: then a sync has neither a new block nor a new size to put into the file system's journal. Written, and
 * not only reserved: a reserved block that is written for the first time is journalled as well.
 *
 * Zeros are no frame, and nothing but zeros up to the end of a file is how a log may end (`segment-scan.ts`).
 *
 * A stretch is as long as what was written before it, and at most `bytesMax`, so a small log stays small; and it ends
 * where the arena ends. Whoever seals the segment cuts it off.
 */
export class Preallocation {
  readonly #bytesMax: number;
  #zeros: Uint8Array = new Uint8Array(0);
  writtenBytes = 0;

  /** 0: off. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * After a group of `groupBytes` was written up to `endBytes`. On a full disk it gives back what it got, and the
   * segment does without from then on. Throws `DiskError` for any other refusal.
   */
  extend(segment: WalSegment, groupBytes: number): void {
    const { endBytes, arena } = segment;
    // The witness of an idle log stands behind the last group, and must not make the file longer either.
    if (this.#bytesMax === 0 || endBytes + frameHeaderBytes <= segment.allocatedBytes) return;
    if (segment.sealed || segment.roomGivenUp) return;
    // A log without a record is its header and nothing else: so an unfinished first opening is told from data.
    if (segment.lastVersion === 0) return;
    const block = Math.min(blockBytes, this.#bytesMax);
    const stretch = Math.min(this.#bytesMax, Math.max(block, endBytes));
    if (groupBytes * groupsServedMin > stretch) return;
    const end = Math.min(arena.length, Math.ceil((endBytes + stretch) / block) * block);
    const { file } = segment;
    assert(file !== null, "a segment has its file before it is extended");
    try {
      // Never below the end of the log: there stand frames.
      this.#write(file, Math.max(endBytes, segment.allocatedBytes), end);
      segment.allocatedBytes = end;
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOSPC") throw error;
      segment.allocatedBytes = file.sizeBytes();
      this.giveUp(segment);
    }
  }

  /** Gives the zeros of `segment` back, for good and as far as the disk lets it: somebody needs the room. */
  giveUp(segment: WalSegment): void {
    const { file } = segment;
    // A file that is written over keeps its length: the log counts on it.
    if (file === null || segment.renamed) return;
    segment.roomGivenUp = true;
    try {
      // Behind the last group may stand a witness.
      cut(segment, file, segment.endBytes + frameHeaderBytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #write(file: DiskFile, start: number, end: number): void {
    if (this.#zeros.length === 0) this.#zeros = new Uint8Array(Math.min(zerosBytesMax, this.#bytesMax + blockBytes));
    let at = start;
    while (at < end) {
      const taken = file.write(at, this.#zeros, 0, Math.min(this.#zeros.length, end - at));
      assert(taken >= 1, "a write takes at least one byte");
      at += taken;
      this.writtenBytes += taken;
    }
  }
}

/** A segment that is complete has its own length, and no more. Throws `DiskError`. */
export function trim(segment: WalSegment): void {
  if (segment.file !== null) cut(segment, segment.file, segment.endBytes);
}

function cut(segment: WalSegment, file: DiskFile, length: number): void {
  if (segment.allocatedBytes <= length) return;
  file.truncate(length);
  segment.allocatedBytes = length;
}
