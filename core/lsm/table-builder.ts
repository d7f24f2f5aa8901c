// HOT: every record that is flushed or merged passes here.
import { assert } from "../assert.ts";
import { type Compression, codecId, codecOf } from "../bytes/codec.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { hashKey } from "../bytes/hash.ts";
import {
  compareKeys, readExpiresAtMs, readFamily, readKeyLength, readKind, readVersion, recordBytesAt, recordHeaderBytes,
  recordKind,
} from "../bytes/record.ts";
import type { DiskFile } from "../env/disk.ts";
import { writeFully } from "../env/whole-io.ts";
import { pointedImageBytes, pointerAt, readPointedFile } from "../vlog/value-pointer.ts";
import { BlockBuilder } from "./block-builder.ts";
import { BlockPacker } from "./block-packer.ts";
import { bloomAdd, bloomLineBytes, bloomLines, bloomProbes } from "./bloom.ts";
import { PointCollector } from "./point-collector.ts";
import { countVersions, type RangeFragment } from "./range-tombstones.ts";
import { encodeRanges } from "./range-section.ts";
import { compareRecordKeys } from "./record-order.ts";
import { Staleness } from "./staleness.ts";
import {
  checksumBytes, encodeFooter, encodeHeader, encodeProperties, seal, tableFooterBytes, viewOf,
} from "./table-format.ts";
import { bound } from "./table-meta.ts";
import type { KeySpan, TableProperties } from "./table-meta.ts";

export interface TableOptions {
  /** Target length of a block; a record that is larger gets a block of its own. */
  readonly blockBytes: number;
  /** 0: no filter. */
  readonly bloomBitsPerKey: number;
  /** Whether the table says where each key's newest record is; never where blocks may be compressed. */
  readonly pointIndex: boolean;
  readonly compression: Compression;
}

const bloomTrailerBytes = 8;
/** The index grows from here. */
const indexBytesExpected = 4096;

/**
 * Writes one table, record by record in record order, straight to `file`: a write per block. Throws
 * `DiskError`, after which the table is worthless. Nothing is durable until the caller has synced.
 */
export class TableBuilder {
  readonly #file: DiskFile;
  readonly #number: number;
  readonly #options: TableOptions;
  readonly #block: BlockBuilder;
  readonly #index: BlockBuilder;
  readonly #packer: BlockPacker | null;
  #rawBytes = 0;
  #position = 0;
  readonly #points: PointCollector;
  readonly #hasPoints: boolean;
  #recordCount = 0;
  #tombstoneCount = 0;
  #expiringCount = 0;
  readonly #staleness = new Staleness();
  #minVersion = Number.MAX_SAFE_INTEGER;
  #maxVersion = 0;
  #smallest: Uint8Array | null = null;
  /** What the pointers of this table point to, by file. */
  readonly #valueRefs = new Map<number, { file: number; records: number; bytes: number }>();
  #finished = false;

  constructor(file: DiskFile, number: number, options: TableOptions) {
    this.#file = file;
    this.#number = number;
    this.#options = options;
    this.#block = new BlockBuilder(options.blockBytes);
    this.#index = new BlockBuilder(indexBytesExpected);
    const codec = codecOf(codecId[options.compression]);
    this.#packer = codec === null ? null : new BlockPacker(codec);
    this.#hasPoints = options.pointIndex && codec === null;
    this.#points = new PointCollector(this.#hasPoints);
    this.#write(encodeHeader(number));
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  /** Bytes of the file so far, the block under construction left out. */
  get writtenBytes(): number {
    return this.#position;
  }

  /** Whether the record image has the (family, key) of the last one added. */
  continuesKey(bytes: Uint8Array, view: DataView, offset: number): boolean {
    if (this.#recordCount === 0) return false;
    const block = this.#block;
    return compareRecordKeys(block.bytes, block.view, block.lastOffset, bytes, view, offset) === 0;
  }

  /** Copies the record image at `offset`; it must be after all others in record order. */
  add(bytes: Uint8Array, view: DataView, offset: number): void {
    const block = this.#block;
    assert(!this.#finished, "a finished table takes no more records");
    const version = readVersion(view, offset);
    let isNewKey = true;
    if (this.#recordCount === 0) {
      this.#smallest = boundOf(bytes, view, offset);
    } else {
      const last = block.lastOffset;
      const byKey = compareRecordKeys(block.bytes, block.view, last, bytes, view, offset);
      const inOrder = byKey < 0 || (byKey === 0 && version < readVersion(block.view, last));
      assert(inOrder, "records are added in record order");
      isNewKey = byKey !== 0;
    }
    const length = recordBytesAt(view, offset);
    if (block.count > 0 && block.lengthWith(length) > this.#options.blockBytes) this.#cutBlock();
    block.append(bytes, view, offset, length);
    // Of a key's records the newest comes first.
    if (isNewKey) this.#addPoint(length);
    this.#count(view, offset, version);
  }

  /**
   * Writes what is left, and `ranges`, ascending and disjoint; the file is then complete, and still open.
   */
  finish(ranges: readonly RangeFragment[] = []): TableProperties {
    assert(this.#recordCount > 0 || ranges.length > 0, "a table holds something");
    assert(!this.#finished, "a table is finished once");
    this.#finished = true;
    const keyRange = this.#keyRange(ranges);
    if (this.#recordCount > 0) this.#cutBlock();
    const points = this.#position;
    this.#writePoints();
    const bloom = this.#position;
    this.#writeBloom();
    const rangesAt = this.#position;
    this.#write(encodeRanges(ranges, this.#number, rangesAt));
    const index = this.#position;
    if (this.#recordCount > 0) {
      // Its buffer may grow in `finish`.
      const indexBytes = this.#index.finish(this.#number, index);
      this.#writeRange(this.#index.bytes, indexBytes);
    }
    const properties = this.#position;
    const described = this.#describe(keyRange, ranges);
    this.#write(encodeProperties(described, properties));
    const footer = this.#position;
    this.#write(encodeFooter({ points, bloom, ranges: rangesAt, index, properties, footer }, this.#number));
    assert(this.#position === footer + tableFooterBytes, "the footer ends the table");
    return { ...described, sizeBytes: this.#position };
  }

  #describe(keyRange: KeySpan, ranges: readonly RangeFragment[]): TableProperties {
    let minVersion = this.#minVersion;
    let maxVersion = this.#maxVersion;
    for (const { versions } of ranges) {
      maxVersion = Math.max(maxVersion, versions[0] ?? 0);
      minVersion = Math.min(minVersion, versions.at(-1) ?? minVersion);
    }
    return {
      number: this.#number,
      sizeBytes: 0,
      recordCount: this.#recordCount,
      ...keyRange,
      minVersion,
      maxVersion,
      tombstoneCount: this.#tombstoneCount,
      expiringCount: this.#expiringCount,
      codec: codecId[this.#options.compression],
      rawBytes: this.#rawBytes,
      valueRefs: [...this.#valueRefs.values()].sort((a, b) => a.file - b.file),
      rangeTombstoneCount: countVersions(ranges),
      pointMaxVersion: this.#maxVersion,
      staleAtMs: this.#staleness.staleAtMs(this.#recordCount),
    };
  }

  /** From the first to the last of records and range tombstones. */
  #keyRange(ranges: readonly RangeFragment[]): KeySpan {
    const block = this.#block;
    const first = ranges[0]?.start ?? null;
    const last = ranges.at(-1)?.end ?? null;
    const largest = this.#recordCount === 0 ? null : boundOf(block.bytes, block.view, block.lastOffset);
    const smallest = this.#smallest;
    const startsWithRange = first !== null && (smallest === null || compareKeys(first, smallest) < 0);
    // A record at the very end of a range is behind it: the end is excluded.
    const endsWithRange = last !== null && (largest === null || compareKeys(last, largest) > 0);
    return {
      smallest: (startsWithRange ? first : smallest) ?? new Uint8Array(0),
      largest: (endsWithRange ? last : largest) ?? new Uint8Array(0),
      largestExcluded: endsWithRange,
    };
  }

  #count(view: DataView, offset: number, version: number): void {
    this.#recordCount++;
    const kind = readKind(view, offset);
    if (kind === recordKind.tombstone) this.#tombstoneCount++;
    else if (kind === recordKind.pointer) this.#countPointer(view, offset);
    const expiresAtMs = readExpiresAtMs(view, offset);
    if (expiresAtMs !== 0) {
      this.#expiringCount++;
      this.#staleness.add(expiresAtMs);
    }
    if (version < this.#minVersion) this.#minVersion = version;
    if (version > this.#maxVersion) this.#maxVersion = version;
  }

  #countPointer(view: DataView, offset: number): void {
    const file = readPointedFile(view, pointerAt(view, offset));
    let ref = this.#valueRefs.get(file);
    if (ref === undefined) {
      ref = { file, records: 0, bytes: 0 };
      this.#valueRefs.set(file, ref);
    }
    ref.records++;
    ref.bytes += pointedImageBytes(view, offset);
  }

  /** Of the record that was appended last. */
  #addPoint(length: number): void {
    if (!this.#hasPoints && this.#options.bloomBitsPerKey === 0) return;
    const { bytes, view, lastOffset } = this.#block;
    const keyStart = lastOffset + recordHeaderBytes;
    const hash = hashKey(readFamily(view, lastOffset), bytes, keyStart, readKeyLength(view, lastOffset));
    this.#points.addHash(hash);
    if (!this.#hasPoints) return;
    // Its block begins where the file ends so far.
    const place = this.#position + lastOffset;
    const checksum = crc32(bytes, lastOffset, lastOffset + length, salt(this.#number, place));
    this.#points.setPlace(place, length, checksum);
  }

  /** The last record stays in the builder's buffer until the next one is added. */
  #cutBlock(): void {
    const block = this.#block;
    const start = this.#position;
    const { lastOffset } = block;
    const rawBytes = block.finish(this.#number, start);
    const packed = this.#packer === null ? 0 : this.#packer.pack(block.bytes, rawBytes, this.#number, start);
    if (this.#packer !== null && packed > 0) this.#writeRange(this.#packer.bytes, packed);
    else this.#writeRange(block.bytes, rawBytes);
    this.#rawBytes += rawBytes;
    this.#index.appendIndex(block.bytes, block.view, lastOffset, start, this.#position - start, rawBytes);
    block.clear();
  }

  #writePoints(): void {
    const encoded = this.#points.encode(this.#recordCount);
    if (encoded === null) return;
    const { bytes, ends } = encoded;
    const directory = new Uint8Array(4 * ends.length + checksumBytes);
    const view = viewOf(directory);
    for (let i = 0; i < ends.length; i++) view.setUint32(4 * i, directory.length + (ends[i] as number), true);
    const start = this.#position;
    seal(directory, this.#number, start);
    this.#write(directory);
    for (let i = 0; i < ends.length; i++) {
      const from = i === 0 ? 0 : (ends[i - 1] as number);
      seal(bytes.subarray(from, ends[i] as number), this.#number, start + directory.length + from);
    }
    this.#write(bytes);
  }

  #writeBloom(): void {
    const { bloomBitsPerKey } = this.#options;
    if (bloomBitsPerKey === 0 || this.#points.count === 0) return;
    const lines = bloomLines(this.#points.count, bloomBitsPerKey);
    const probes = bloomProbes(bloomBitsPerKey);
    const bytes = new Uint8Array(lines * bloomLineBytes + bloomTrailerBytes);
    for (let i = 0; i < this.#points.count; i++) bloomAdd(bytes, lines, probes, this.#points.hashAt(i));
    viewOf(bytes).setUint32(bytes.length - bloomTrailerBytes, probes, true);
    assert(bloomTrailerBytes === 4 + checksumBytes, "probes and checksum follow the filter");
    seal(bytes, this.#number, this.#position);
    this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    this.#writeRange(bytes, bytes.length);
  }

  #writeRange(bytes: Uint8Array, length: number): void {
    writeFully(this.#file, this.#position, bytes, 0, length);
    this.#position += length;
  }
}

/** The bound of the record image at `offset`. */
export function boundOf(bytes: Uint8Array, view: DataView, offset: number): Uint8Array {
  const keyStart = offset + recordHeaderBytes;
  const key = bytes.subarray(keyStart, keyStart + readKeyLength(view, offset));
  return bound(readFamily(view, offset), key);
}
