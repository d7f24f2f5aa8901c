// HOT: every record of a log passes here when a database opens.
import {
  compareRanges, familyMax, readKeyLength, readValueLength,
  readExpiresAtMs,
  readFamily,
  readKind,
  readVersion,
  recordBytesAt,
  recordHeaderBytes,
  recordKind,
  versionMax,
} from "../bytes/record.ts";

/**
 * Whether `[start, end)` holds whole, well-formed record images, and how many batches they make at the least and at
 * the most. Versions that the log itself gave are above all before them, and a batch is a run of one; versions that
 * were given come in any order, and show no batches. The checksum already matched, so a failure here was never caused
 * by a crash. Reads no byte outside the range, whatever the lengths say.
 */
export class RecordCheck {
  /** Newest version seen so far, over all frames. */
  lastVersion = 0;
  /** The first that the log gave; 0: none. */
  firstVersion = 0;
  batchesMin = 0;
  batchesMax = 0;
  recordCount = 0;
  problem = "";
  problemOffset = 0;

  // oxlint-disable-next-line max-params
  check(view: DataView, start: number, end: number, given: boolean): boolean {
    const before = this.recordCount;
    let runs = 0;
    // A batch is never split over frames: the version of the last frame does not go on in this one.
    let version = -1;
    let at = start;
    while (at < end) {
      if (end - at < recordHeaderBytes) return this.#fail(at, "a record is cut off by the end of its frame");
      const bytes = recordBytesAt(view, at);
      // The lengths come from the file: a sum beyond 2^31 turns negative.
      if (bytes < recordHeaderBytes || bytes > end - at) {
        return this.#fail(at, "a record is longer than its frame");
      }
      const next = readVersion(view, at);
      if (!given && next !== version && next <= this.lastVersion) return this.#fail(at, "a record's version goes back");
      if (next > versionMax) return this.#fail(at, "a record's version is above 2^53 - 1");
      if (readKind(view, at) > recordKind.rangeTombstone) return this.#fail(at, "a record is of an unknown kind");
      if (readFamily(view, at) > familyMax) return this.#fail(at, "a record is of an unknown family");
      if (readExpiresAtMs(view, at) > versionMax) return this.#fail(at, "a record expires after 2^53 - 1");
      if (isEmptyRange(view, at)) return this.#fail(at, "a range tombstone ends where it starts or before");
      if (next !== version) runs++;
      version = next;
      if (next > this.lastVersion) this.lastVersion = next;
      if (!given && this.firstVersion === 0) this.firstVersion = next;
      this.recordCount++;
      at += bytes;
    }
    this.batchesMin = given ? Math.sign(runs) : runs;
    this.batchesMax = given ? this.recordCount - before : runs;
    return true;
  }

  #fail(offset: number, problem: string): boolean {
    this.problem = problem;
    this.problemOffset = offset;
    return false;
  }
}

/** What `Batch.deleteRange` refuses; no end at all is the end of the family. */
function isEmptyRange(view: DataView, at: number): boolean {
  if (readKind(view, at) !== recordKind.rangeTombstone) return false;
  const keyLength = readKeyLength(view, at);
  const endLength = readValueLength(view, at);
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const start = at + recordHeaderBytes;
  return endLength > 0 && compareRanges(bytes, start, keyLength, bytes, start + keyLength, endLength) >= 0;
}
