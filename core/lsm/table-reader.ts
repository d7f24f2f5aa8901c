// HOT: point reads and scans of everything that left memory.
import { assert } from "../assert.ts";
import { codecOf } from "../bytes/codec.ts";
import { compareKeys, readVersion, recordBytesAt, recordHeaderBytes } from "../bytes/record.ts";
import type { Disk } from "../env/disk.ts";
import { NokvError, corruption } from "../errors.ts";
import type { ValueRef } from "../vlog/value-file.ts";
import type { BlockCache } from "./block-cache.ts";
import { bloomHas, bloomLineBytes } from "./bloom.ts";
import type { ImageBuffer } from "./image-buffer.ts";
import { PointIndex } from "./point-index.ts";
import type { PointBudget } from "./point-index.ts";
import { pointBucketOf, pointLengthMax } from "./point-page.ts";
import { recordHasKey } from "./record-order.ts";
import { TableBlocks } from "./table-blocks.ts";
import { countVersions, type RangeFragment } from "./range-tombstones.ts";
import { decodeRanges } from "./range-section.ts";
import { TableCursor } from "./table-cursor.ts";
import { TableFile } from "./table-file.ts";
import {
  checkHeader, decodeFooter, isTableHeader, decodeProperties, tableFooterBytes, tableHeaderBytes, viewOf,
} from "./table-format.ts";
import type { TableLayout } from "./table-format.ts";
import { TableIndex } from "./table-index.ts";
import { type TableParts, tableParts } from "./table-parts.ts";
import { tablePath } from "./table-meta.ts";
import type { TableMeta, TableProperties } from "./table-meta.ts";

/** A header of something else is read so often again. */
const headerReadsAgain = 2;
const bloomTrailerBytes = 8;
const recordWordsMin = recordHeaderBytes / 4;
const emptyBytes = new Uint8Array(0);

/** Where a record was found. Reused by its reader: valid until that reader's next `find`. */
export class Found {
  bytes: Uint8Array = emptyBytes;
  view: DataView = viewOf(emptyBytes);
  offset = 0;
  /** It was read into the `ImageBuffer` of the call. */
  inImage = false;
}

/**
 * One table, open. Header, footer, index, properties and range tombstones are read and verified at `open`, the
 * filter at the first `find`, blocks when needed. Every method but `close` may throw `NOKV_CORRUPTION` naming file and
 * offset, or `NOKV_IO`. The file may be removed meanwhile; the handle keeps it.
 */
export class TableReader {
  readonly properties: TableProperties;
  readonly path: string;
  /** Range tombstones, ascending and disjoint. */
  readonly ranges: readonly RangeFragment[];
  readonly #file: TableFile;
  readonly #layout: TableLayout;
  readonly #index: TableIndex;
  readonly blocks: TableBlocks;
  readonly #found = new Found();
  /** Null: the table has none, or nobody wants it in memory. */
  readonly #points: PointIndex | null;
  #bloom: Uint8Array | null = null;
  #bloomLines = 0;
  #bloomProbes = 0;
  #closed = false;

  // oxlint-disable-next-line max-params
  private constructor(
    file: TableFile,
    layout: TableLayout,
    properties: TableProperties,
    index: TableIndex,
    ranges: readonly RangeFragment[],
    cache: BlockCache,
    points: PointBudget | null,
  ) {
    this.ranges = ranges;
    this.properties = properties;
    this.path = file.path;
    this.#file = file;
    this.#layout = layout;
    this.#index = index;
    this.blocks = new TableBlocks(file, index, codecOf(properties.codec), cache);
    const place = { start: layout.points, end: layout.bloom, recordCount: properties.recordCount };
    const hasPoints = points !== null && place.end > place.start;
    this.#points = hasPoints ? new PointIndex(file, place, points) : null;
  }

  /** `points`: memory for its point index; null: point reads go through blocks. */
  // oxlint-disable-next-line max-params
  static open(
    disk: Disk,
    path: string,
    number: number,
    cache: BlockCache,
    points: PointBudget | null = null,
  ): TableReader {
    const file = TableFile.open(disk, path, number);
    try {
      return TableReader.#readTwice(file, cache, points);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** `open`, and refuses a file that is not the one `meta` describes. */
  // oxlint-disable-next-line max-params
  static openAs(
    disk: Disk,
    directory: string,
    meta: TableMeta,
    cache: BlockCache,
    points: PointBudget | null = null,
  ): TableReader {
    const reader = TableReader.open(disk, tablePath(directory, meta.number), meta.number, cache, points);
    const difference = firstDifference(reader.properties, meta);
    if (difference === null) return reader;
    reader.close();
    throw corruption(reader.path, 0, `the manifest and the table differ in ${difference}`);
  }

  get blockCount(): number {
    return this.#index.blockCount;
  }

  /**
   * The newest record of (family, key) with a version up to `version`; `hash` is `hashKey(family, key)`. It may be
   * read into `image`.
   */
  // oxlint-disable-next-line max-params
  find(
    family: number,
    key: Uint8Array,
    version: number,
    hash: number,
    image: ImageBuffer,
  ): Found | null {
    // The filter first: it is a tenth of the index, and asking it touches memory once instead of six times.
    if (!this.mayHold(hash)) return null;
    const points = this.#points;
    const page = points === null ? null : points.page(hash);
    if (points === null || page === null) return this.#findInBlock(family, key, version);
    const bucket = pointBucketOf(hash, points.pageCount);
    const end = page.starts[bucket + 1] as number;
    for (let i = page.starts[bucket] as number; i < end; i++) {
      if (page.tags[i] !== (hash & 0xffff)) continue;
      const words = page.lengths[i] as number;
      if (words === pointLengthMax) return this.#findInBlock(family, key, version);
      const place = (page.places[2 * i] as number) * 4;
      this.#file.readImage(place, words * 4, page.places[2 * i + 1] as number, image);
      const { bytes, view, offset } = image;
      if (words < recordWordsMin || recordBytesAt(view, offset) !== words * 4) {
        throw corruption(this.path, place, "the point index tells of another record");
      }
      if (!recordHasKey(bytes, view, offset, family, key)) continue;
      // The point is of the key's newest record in this table; an older one stands behind it in its block.
      if (readVersion(view, offset) > version) return this.#findInBlock(family, key, version);
      return this.#show(bytes, view, offset, true);
    }
    return null;
  }

  #findInBlock(family: number, key: Uint8Array, version: number): Found | null {
    const blockAt = this.#index.search(family, key, version);
    if (blockAt === this.#index.blockCount) return null;
    const block = this.blocks.at(blockAt);
    const at = block.search(family, key, version);
    if (at === block.count) return null;
    const offset = block.offsetAt(at);
    if (!block.hasKeyAt(offset, family, key)) return null;
    return this.#show(block.bytes, block.view, offset, false);
  }

  // oxlint-disable-next-line max-params
  #show(bytes: Uint8Array, view: DataView, offset: number, inImage: boolean): Found {
    const found = this.#found;
    found.bytes = bytes;
    found.view = view;
    found.offset = offset;
    found.inImage = inImage;
    return found;
  }

  /** False: no key of this `hashKey` is here. */
  mayHold(hash: number): boolean {
    const bloom = this.#bloom ?? this.#loadBloom();
    return this.#bloomLines === 0 || bloomHas(bloom, this.#bloomLines, this.#bloomProbes, hash);
  }

  /** Reads and verifies what neither opening nor a walk over the blocks needs. */
  verifySections(): void {
    const { bloom, ranges, index } = this.#layout;
    this.#points?.verify();
    if (ranges > bloom) this.#file.read(bloom, ranges - bloom, "the table filter");
    if (index > ranges) this.#file.read(ranges, index - ranges, "the table's ranges");
  }

  /** Where the parts of its file are, for whoever judges them without reading them; see `tableParts`. */
  partsFrom(from: number, budgetBytes: number): TableParts | null {
    const { recordCount } = this.properties;
    return tableParts({ layout: this.#layout, index: this.#index, recordCount }, from, budgetBytes);
  }

  cursor(): TableCursor {
    return new TableCursor(this);
  }

  /** Index of the first block that has a record at or after (family, key); `blockCount` if none has. */
  searchBlock(family: number, key: Uint8Array): number {
    return this.#index.search(family, key, Number.MAX_SAFE_INTEGER);
  }

  /** Where in the file the records at or after (family, key) begin. From the index alone: exact to a block. */
  dataOffset(family: number, key: Uint8Array): number {
    const i = this.searchBlock(family, key);
    return i === this.#index.blockCount ? this.#layout.points : this.#index.blockOffset(i);
  }

  /** The last (family, key) of block `i`, as a bound. */
  lastOf(i: number): Uint8Array {
    return this.#index.lastOf(i);
  }

  /** Blocks that are pinned stay readable; everything else needs an open reader. */
  close(): void {
    assert(!this.#closed, "a table is closed once");
    this.#closed = true;
    this.blocks.close();
    this.#points?.drop();
    this.#file.close();
  }

  /**
   * A read that came from another file, once, brings sections with good checksums that do not fit each other. What is
   * so on the disk is so the second time.
   */
  static #readTwice(file: TableFile, cache: BlockCache, points: PointBudget | null): TableReader {
    try {
      return TableReader.#read(file, cache, points);
    } catch (error) {
      if (!(error instanceof NokvError) || error.code !== "NOKV_CORRUPTION") throw error;
      return TableReader.#read(file, cache, points);
    }
  }

  static #read(file: TableFile, cache: BlockCache, points: PointBudget | null): TableReader {
    const { path, number, sizeBytes } = file;
    if (sizeBytes < tableHeaderBytes + tableFooterBytes) throw corruption(path, 0, "the table is cut short");
    checkHeader(readHeader(file), number, path);
    const footer = file.read(sizeBytes - tableFooterBytes, tableFooterBytes, "the table footer");
    const layout = decodeFooter(footer, sizeBytes, number, path);
    const offset = layout.properties;
    const encoded = file.read(offset, layout.footer - offset, "the table properties");
    const properties = decodeProperties(encoded, { number, sizeBytes, path, offset });
    const indexLength = layout.properties - layout.index;
    const indexBytes = indexLength === 0 ? emptyBytes : file.read(layout.index, indexLength, "the table index");
    const index = TableIndex.parse(indexBytes, layout, path);
    if (!index.agreesWith(properties)) {
      throw corruption(path, layout.index, "the table index and properties differ");
    }
    if (index.rawBytes !== properties.rawBytes) {
      throw corruption(path, layout.index, "the table index and properties differ in the length of the blocks");
    }
    const ranges = readRanges(file, layout);
    if (countVersions(ranges) !== properties.rangeTombstoneCount) {
      throw corruption(path, layout.ranges, "the range tombstones and properties differ");
    }
    return new TableReader(file, layout, properties, index, ranges, cache, points);
  }

  #loadBloom(): Uint8Array {
    assert(!this.#closed, "a closed table is not read");
    const offset = this.#layout.bloom;
    const length = this.#layout.ranges - offset;
    if (length === 0) {
      this.#bloom = emptyBytes;
      return emptyBytes;
    }
    const lines = (length - bloomTrailerBytes) / bloomLineBytes;
    if (!Number.isInteger(lines) || lines < 1) throw corruption(this.path, offset, "a filter of odd length");
    const bytes = this.#file.read(offset, length, "the table filter");
    const probes = viewOf(bytes).getUint32(length - bloomTrailerBytes, true);
    if (probes < 1 || probes > 32) throw corruption(this.path, offset, "a filter of impossible probes");
    this.#bloomLines = lines;
    this.#bloomProbes = probes;
    this.#bloom = bytes;
    return bytes;
  }
}

function readRanges(file: TableFile, layout: TableLayout): RangeFragment[] {
  const offset = layout.ranges;
  if (layout.index === offset) return [];
  return decodeRanges(file.read(offset, layout.index - offset, "the range tombstones"), file.path, offset);
}

/**
 * The first bytes of a manifest of the same number pass the same checksum: on the way from the disk one may come
 * in the place of the other, and the next read is right.
 */
function readHeader(file: TableFile): Uint8Array {
  let header = file.read(0, tableHeaderBytes, "the table header");
  for (let again = 0; again < headerReadsAgain && !isTableHeader(header); again++) {
    header = file.read(0, tableHeaderBytes, "the table header");
  }
  return header;
}

/** The field in which the file and the manifest differ; null when they agree. */
function firstDifference(found: TableProperties, meta: TableMeta): string | null {
  if (found.sizeBytes !== meta.sizeBytes) return "size";
  if (found.recordCount !== meta.recordCount) return "record count";
  if (found.codec !== meta.codec || found.rawBytes !== meta.rawBytes) return "compression";
  if (found.minVersion !== meta.minVersion || found.maxVersion !== meta.maxVersion) return "versions";
  if (compareKeys(found.smallest, meta.smallest) !== 0) return "smallest key";
  if (compareKeys(found.largest, meta.largest) !== 0) return "largest key";
  if (found.largestExcluded !== meta.largestExcluded) return "largest key";
  if (found.rangeTombstoneCount !== meta.rangeTombstoneCount) return "range tombstone count";
  return sameValueRefs(found.valueRefs, meta.valueRefs) ? null : "value files";
}

function sameValueRefs(a: readonly ValueRef[], b: readonly ValueRef[]): boolean {
  if (a.length !== b.length) return false;
  return a.every((ref, i) => {
    const other = b[i];
    return ref.file === other?.file && ref.records === other.records && ref.bytes === other.bytes;
  });
}
