import { hashKey } from "../bytes/hash.ts";
import {
  compareKeys, readExpiresAtMs, readFamily, readKeyLength, readKind, readVersion, recordHeaderBytes, recordKind,
} from "../bytes/record.ts";
import { NokvError, corruption } from "../errors.ts";
import type { ValueFiles } from "../vlog/value-files.ts";
import { pointedImageBytes, pointerAt, readPointedFile } from "../vlog/value-pointer.ts";
import type { Block } from "./block.ts";
import { ScratchImage } from "./image-buffer.ts";
import { compareRecordKeys, compareRecords } from "./record-order.ts";
import { viewOf } from "./table-format.ts";
import { bound } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";
import type { TableReader } from "./table-reader.ts";

/**
 * Reads every byte of an open table and everything it points to, and tells `note` what is wrong: a checksum, the
 * order of records, a filter that denies a key, a value that is not where its pointer says, and every number in
 * which the records differ from what the manifest says of them. What is behind a damaged block is still read.
 */
export class TableCheck {
  readonly #reader: TableReader;
  readonly #meta: TableMeta;
  readonly #values: ValueFiles;
  readonly #note: (error: NokvError) => void;
  #blockAt = 0;
  /** A block could not be read: the numbers of the rest prove nothing. */
  #incomplete = false;
  /** It is the one before: it may hold newer records of the key that the next one begins with. */
  #behindGap = false;
  /** Head and key of the record before. */
  #previous: Uint8Array = new Uint8Array(0);
  #first: Uint8Array | null = null;
  #last: Uint8Array = new Uint8Array(0);
  #tombstones = 0;
  #expiring = 0;
  #minVersion = Number.MAX_SAFE_INTEGER;
  #maxVersion = 0;
  #disordered = false;
  #denied = false;
  /** A key was not found by looking it up. */
  #unfound = false;
  /** Heads of the newest record of each key of the present block. */
  readonly #newest: Uint8Array[] = [];
  readonly #image = new ScratchImage();
  readonly #pointed = new Map<number, { records: number; bytes: number }>();
  records = 0;
  bytes = 0;

  // oxlint-disable-next-line max-params
  constructor(reader: TableReader, meta: TableMeta, values: ValueFiles, note: (error: NokvError) => void) {
    this.#reader = reader;
    this.#meta = meta;
    this.#values = values;
    this.#note = note;
    this.bytes = meta.sizeBytes - meta.rawBytes;
  }

  /** Works through about `budgetBytes`; false when all is done. */
  step(budgetBytes: number): boolean {
    const { blockCount } = this.#reader;
    let leftBytes = budgetBytes;
    while (this.#blockAt < blockCount && leftBytes > 0) leftBytes -= this.#checkBlock(this.#blockAt++);
    if (this.#blockAt < blockCount) return true;
    this.#attempt(() => this.#reader.verifySections());
    if (!this.#incomplete) this.#checkNumbers();
    return false;
  }

  #checkBlock(i: number): number {
    const block = this.#attempt(() => this.#reader.blocks.at(i));
    if (block === null) {
      this.#incomplete = true;
      this.#behindGap = true;
      return 1;
    }
    const length = block.bytes.length;
    for (let at = 0; at < block.count; at++) this.#checkRecord(block, block.offsetAt(at));
    // After the block: looking a key up may read another one in its place.
    for (const head of this.#newest.splice(0)) this.#checkPoint(head);
    this.bytes += length;
    return length;
  }

  /** Looking a key up finds its newest record, by whatever index there is. */
  #checkPoint(head: Uint8Array): void {
    if (this.#unfound) return;
    const view = viewOf(head);
    const family = readFamily(view, 0);
    const key = head.subarray(recordHeaderBytes);
    const hash = hashKey(family, key, 0, key.length);
    const version = this.#attempt(() => {
      const found = this.#reader.find(family, key, Number.MAX_SAFE_INTEGER, hash, this.#image);
      return found === null ? -1 : readVersion(found.view, found.offset);
    });
    if (version === readVersion(view, 0)) return;
    // Once is enough: one damaged page hides many keys.
    this.#unfound = true;
    if (version !== null) this.#fault("a key is not found where it is");
  }

  #checkRecord(block: Block, offset: number): void {
    const { bytes, view } = block;
    const headEnd = offset + recordHeaderBytes + readKeyLength(view, offset);
    const head = bytes.slice(offset, headEnd);
    if (this.#first === null) this.#first = head;
    else if (!this.#disordered && compareRecords(this.#previous, viewOf(this.#previous), 0, bytes, view, offset) >= 0) {
      this.#disordered = true;
      this.#fault("the records are not in order");
    }
    const isNewest = this.records === 0 || !sameKey(this.#previous, head);
    if (isNewest && !this.#behindGap) this.#newest.push(head);
    this.#behindGap = false;
    this.#previous = head;
    this.#last = head;
    this.records++;
    this.#count(view, offset);
    const family = readFamily(view, offset);
    const hash = hashKey(family, bytes, offset + recordHeaderBytes, readKeyLength(view, offset));
    const mayHold = this.#denied ? true : this.#attempt(() => this.#reader.mayHold(hash));
    if (mayHold !== true) this.#denied = true;
    if (mayHold === false) this.#fault("the filter denies a key that is there");
    if (readKind(view, offset) === recordKind.pointer) this.#checkPointer(block, offset);
  }

  #count(view: DataView, offset: number): void {
    const version = readVersion(view, offset);
    if (readKind(view, offset) === recordKind.tombstone) this.#tombstones++;
    if (readExpiresAtMs(view, offset) !== 0) this.#expiring++;
    if (version < this.#minVersion) this.#minVersion = version;
    if (version > this.#maxVersion) this.#maxVersion = version;
  }

  #checkPointer({ bytes, view }: Block, offset: number): void {
    const file = readPointedFile(view, pointerAt(view, offset));
    const tally = this.#pointed.get(file) ?? { records: 0, bytes: 0 };
    const length = pointedImageBytes(view, offset);
    tally.records++;
    tally.bytes += length;
    this.#pointed.set(file, tally);
    this.#attempt(() => this.#values.image(bytes, view, offset));
  }

  #checkNumbers(): void {
    const meta = this.#meta;
    const { properties } = this.#reader;
    const pointMaxVersion = this.#maxVersion;
    for (const { versions } of this.#reader.ranges) {
      for (const version of versions) {
        this.#minVersion = Math.min(this.#minVersion, version);
        this.#maxVersion = Math.max(this.#maxVersion, version);
      }
    }
    const same = (what: string, found: number, said: number): void => {
      if (found !== said) this.#fault(`the records and the properties differ in ${what}: ${found}, not ${said}`);
    };
    same("their number", this.records, properties.recordCount);
    same("tombstones", this.#tombstones, properties.tombstoneCount);
    same("values that expire", this.#expiring, properties.expiringCount);
    same("the oldest version", this.#minVersion, properties.minVersion);
    same("the newest version", this.#maxVersion, properties.maxVersion);
    same("the newest version of a record", pointMaxVersion, properties.pointMaxVersion);
    this.#checkBounds();
    if (properties.tombstoneCount !== meta.tombstoneCount || properties.expiringCount !== meta.expiringCount) {
      this.#fault("the manifest and the table differ in what they count");
    }
    for (const { file, records, bytes } of properties.valueRefs) {
      same(`references to value file ${file}`, this.#pointed.get(file)?.records ?? 0, records);
      same(`bytes in value file ${file}`, this.#pointed.get(file)?.bytes ?? 0, bytes);
    }
    same("the value files they point to", this.#pointed.size, properties.valueRefs.length);
  }

  /** Range tombstones may reach further than the records. */
  #checkBounds(): void {
    if (this.#first === null) return;
    const { smallest, largest, largestExcluded } = this.#reader.properties;
    const before = compareKeys(smallest, boundOf(this.#first));
    const behind = compareKeys(boundOf(this.#last), largest);
    const exact = this.#reader.ranges.length === 0;
    if (before > 0 || (exact && before < 0)) this.#fault("the first key is another one");
    if (behind > 0 || (largestExcluded && behind === 0) || (exact && behind < 0)) {
      this.#fault("the last key is another one");
    }
  }

  #fault(what: string): void {
    this.#note(corruption(this.#reader.path, 0, what));
  }

  /** Null: it failed, and that was noted. */
  #attempt<T>(run: () => T): T | null {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#note(error);
      return null;
    }
  }
}

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return compareRecordKeys(a, viewOf(a), 0, b, viewOf(b), 0) === 0;
}

/** The bound of the record image whose head and key are `head`. */
export function boundOf(head: Uint8Array): Uint8Array {
  return bound(readFamily(viewOf(head), 0), head.subarray(recordHeaderBytes));
}
