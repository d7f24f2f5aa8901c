import { assert } from "../assert.ts";
import { missingCodec } from "../bytes/codec.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { NokvError, corruption } from "../errors.ts";
import type { ValueRef } from "../vlog/value-file.ts";
import type { TableProperties } from "./table-meta.ts";

/*
 * A table file, little-endian, every part a multiple of 4 bytes long and every checksum salted with (file
 * number, offset of the part):
 *
 *     header      32 bytes   magic 8 | format version u32 | file number u32 | zeros 12 | crc u32
 *     blocks                 records, then u32 offset of each, u32 count, crc u32; or compressed: that image
 *                            packed by the table's codec, zeros, u32 packed length, crc u32. None in a table of
 *                            range tombstones alone
 *     points                 where each key's newest record is: see `point-page.ts`; may be empty
 *     bloom                  64-byte lines, u32 probes, crc u32; empty when filters are off
 *     ranges                 range tombstones, see range-section.ts; empty when there are none
 *     index                  one block: a record per block with the (family, key, version) of its last record
 *                            and as value the block's place, u64 offset | u32 stored length | u32 raw length;
 *                            empty when there are no blocks
 *     properties             see `encodeProperties`
 *     footer      96 bytes   magic 8 | format version u32 | file number u32 | offsets u64 of points, bloom,
 *                            ranges, index, properties and footer | zeros 28 | crc u32
 */
export const tableFormatVersion = 2;
export const tableHeaderBytes = 32;
export const tableFooterBytes = 96;
/** Trailer of a block: count and checksum. */
export const blockTrailerBytes = 8;
export const checksumBytes = 4;
/** An index or filter larger than this is no product of this program. */
export const sectionBytesMax = 0x4000_0000;

const headerMagic = Uint8Array.of(0x4e, 0x4f, 0x4b, 0x56, 0x54, 0x42, 0x4c, 0x0a); // NOKVTBL\n
const footerMagic = Uint8Array.of(0x4e, 0x4f, 0x4b, 0x56, 0x45, 0x4e, 0x44, 0x0a); // NOKVEND\n
const propertiesFixedBytes = 92;
const flagLargestExcluded = 1;
const valueRefBytes = 20;
const keyBoundBytesMax = 1 + 0xffff;
const twoTo32 = 0x1_0000_0000;

/** Where the parts begin; each ends where the next begins. */
export interface TableLayout {
  readonly points: number;
  readonly bloom: number;
  readonly ranges: number;
  readonly index: number;
  readonly properties: number;
  readonly footer: number;
}

export function encodeHeader(number: number): Uint8Array {
  const bytes = new Uint8Array(tableHeaderBytes);
  writePreamble(bytes, headerMagic, number);
  seal(bytes, number, 0);
  return bytes;
}

/**
 * `bytes` passed their checksum. Throws `NOKV_FORMAT` for a table of another format version: magic, version,
 * number and checksum of the header stand where they stand in every version.
 */
export function checkHeader(bytes: Uint8Array, number: number, path: string): void {
  assert(bytes.length === tableHeaderBytes, "a header has its length");
  if (!isTableHeader(bytes)) throw corruption(path, 0, "not a table: bad magic");
  const view = viewOf(bytes);
  const version = view.getUint32(8, true);
  if (version !== tableFormatVersion) {
    const message = `${path}: table format ${version}, this program reads ${tableFormatVersion}`;
    throw new NokvError("NOKV_FORMAT", message, { path, offset: 8 });
  }
  if (view.getUint32(12, true) !== number) throw corruption(path, 12, "the table of another file number");
}

export function encodeFooter(layout: TableLayout, number: number): Uint8Array {
  const bytes = new Uint8Array(tableFooterBytes);
  writePreamble(bytes, footerMagic, number);
  const view = viewOf(bytes);
  writeU53(view, 16, layout.points);
  writeU53(view, 24, layout.bloom);
  writeU53(view, 32, layout.ranges);
  writeU53(view, 40, layout.index);
  writeU53(view, 48, layout.properties);
  writeU53(view, 56, layout.footer);
  seal(bytes, number, layout.footer);
  return bytes;
}

/**
 * `bytes` are the last of a file of `sizeBytes` and passed their checksum. The layout lies within the file.
 */
// oxlint-disable-next-line max-params
export function decodeFooter(
  bytes: Uint8Array,
  sizeBytes: number,
  number: number,
  path: string,
): TableLayout {
  assert(bytes.length === tableFooterBytes, "a footer has its length");
  const at = sizeBytes - tableFooterBytes;
  if (!startsWith(bytes, footerMagic)) throw corruption(path, at, "bad magic of the table footer");
  const view = viewOf(bytes);
  const version = view.getUint32(8, true);
  if (version !== tableFormatVersion) throw corruption(path, at, `a footer of table format ${version}`);
  if (view.getUint32(12, true) !== number) throw corruption(path, at, "the footer of another file number");
  const layout = {
    points: readU53(view, 16),
    bloom: readU53(view, 24),
    ranges: readU53(view, 32),
    index: readU53(view, 40),
    properties: readU53(view, 48),
    footer: readU53(view, 56),
  };
  const inOrder =
    tableHeaderBytes <= layout.points &&
    layout.points <= layout.bloom &&
    layout.bloom <= layout.ranges &&
    layout.ranges <= layout.index &&
    layout.index <= layout.properties &&
    layout.properties < layout.footer &&
    layout.footer === at;
  if (!inOrder) throw corruption(path, at, "the table footer contradicts the size of the file");
  const sectionBytes = Math.max(layout.index - layout.points, layout.footer - layout.index);
  if (sectionBytes > sectionBytesMax) throw corruption(path, at, "the table index or filter is too large");
  return layout;
}

/**
 *     0  record, tombstone and expiring count, min and max version, u64 each
 *     40 length u32 of smallest and of largest
 *     48 raw bytes u64, codec u32, count u32 of value files
 *     64 range tombstone count, newest version of a record, instant of staleness, u64 each
 *     88 flags u32: 1: largest is excluded
 *     92 smallest, largest, zeros up to a multiple of 4
 *        per value file that the table points into, ascending: number u32, records u64, bytes u64
 *        crc u32
 */
export function encodeProperties(properties: TableProperties, offset: number): Uint8Array {
  const { smallest, largest, valueRefs } = properties;
  const refsAt = (propertiesFixedBytes + smallest.length + largest.length + 3) & ~3;
  const bytes = new Uint8Array(refsAt + valueRefs.length * valueRefBytes + checksumBytes);
  const view = viewOf(bytes);
  writeU53(view, 0, properties.recordCount);
  writeU53(view, 8, properties.tombstoneCount);
  writeU53(view, 16, properties.expiringCount);
  writeU53(view, 24, properties.minVersion);
  writeU53(view, 32, properties.maxVersion);
  view.setUint32(40, smallest.length, true);
  view.setUint32(44, largest.length, true);
  writeU53(view, 48, properties.rawBytes);
  view.setUint32(56, properties.codec, true);
  view.setUint32(60, valueRefs.length, true);
  writeU53(view, 64, properties.rangeTombstoneCount);
  writeU53(view, 72, properties.pointMaxVersion);
  writeU53(view, 80, properties.staleAtMs);
  view.setUint32(88, properties.largestExcluded ? flagLargestExcluded : 0, true);
  bytes.set(smallest, propertiesFixedBytes);
  bytes.set(largest, propertiesFixedBytes + smallest.length);
  valueRefs.forEach((ref, i) => {
    const at = refsAt + i * valueRefBytes;
    view.setUint32(at, ref.file, true);
    writeU53(view, at + 4, ref.records);
    writeU53(view, at + 12, ref.bytes);
  });
  seal(bytes, properties.number, offset);
  return bytes;
}

interface PropertiesPlace {
  readonly number: number;
  readonly sizeBytes: number;
  readonly path: string;
  readonly offset: number;
}

/** `bytes` passed their checksum. Throws `NOKV_FORMAT` for a codec that this program does not have. */
export function decodeProperties(
  bytes: Uint8Array,
  place: PropertiesPlace,
): TableProperties {
  const { number, sizeBytes, path, offset } = place;
  const view = viewOf(bytes);
  if (bytes.length < propertiesFixedBytes + checksumBytes) {
    throw corruption(path, offset, "the table properties are too short");
  }
  const smallestBytes = view.getUint32(40, true);
  const largestBytes = view.getUint32(44, true);
  const refCount = view.getUint32(60, true);
  // Not in 32 bits: the lengths and the count are as large as the file says.
  const refsAt = Math.ceil((propertiesFixedBytes + smallestBytes + largestBytes) / 4) * 4;
  const fits =
    smallestBytes >= 1 &&
    smallestBytes <= keyBoundBytesMax &&
    largestBytes >= 1 &&
    largestBytes <= keyBoundBytesMax &&
    refsAt + refCount * valueRefBytes + checksumBytes === bytes.length;
  if (!fits) throw corruption(path, offset, "the table properties contradict their length");
  const codec = view.getUint32(56, true);
  const missing = missingCodec(codec);
  if (missing !== null) {
    throw new NokvError("NOKV_FORMAT", `${path}: the table is compressed: ${missing}`, { path, offset: offset + 56 });
  }
  const flags = view.getUint32(88, true);
  if (flags > flagLargestExcluded) throw corruption(path, offset + 88, "the table properties have unknown flags");
  const smallestEnd = propertiesFixedBytes + smallestBytes;
  return {
    number,
    sizeBytes,
    recordCount: readU53(view, 0),
    tombstoneCount: readU53(view, 8),
    expiringCount: readU53(view, 16),
    minVersion: readU53(view, 24),
    maxVersion: readU53(view, 32),
    codec,
    rawBytes: readU53(view, 48),
    largestExcluded: flags === flagLargestExcluded,
    rangeTombstoneCount: readU53(view, 64),
    pointMaxVersion: readU53(view, 72),
    staleAtMs: readU53(view, 80),
    smallest: bytes.slice(propertiesFixedBytes, smallestEnd),
    largest: bytes.slice(smallestEnd, smallestEnd + largestBytes),
    valueRefs: Array.from({ length: refCount }, (_, i) => decodeValueRef(view, refsAt + i * valueRefBytes)),
  };
}

function decodeValueRef(view: DataView, at: number): ValueRef {
  return { file: view.getUint32(at, true), records: readU53(view, at + 4), bytes: readU53(view, at + 12) };
}

/** Writes the checksum of a part that begins at `offset` of the file into its last four bytes. */
export function seal(bytes: Uint8Array, number: number, offset: number): void {
  const end = bytes.length - checksumBytes;
  viewOf(bytes).setUint32(end, crc32(bytes, 0, end, salt(number, offset)), true);
}

export function isSealed(bytes: Uint8Array, number: number, offset: number): boolean {
  return isPartSealed(bytes, 0, bytes.length, number, offset);
}

/** Whether the part `bytes[start, start + length)`, at `offset` of the file, has the checksum it ends with. */
// oxlint-disable-next-line max-params
export function isPartSealed(
  bytes: Uint8Array,
  start: number,
  length: number,
  number: number,
  offset: number,
): boolean {
  const end = start + length - checksumBytes;
  if (end < start) return false;
  const stored =
    (bytes[end] as number) |
    ((bytes[end + 1] as number) << 8) |
    ((bytes[end + 2] as number) << 16) |
    ((bytes[end + 3] as number) << 24);
  return stored >>> 0 === crc32(bytes, start, end, salt(number, offset));
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function readU53(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * twoTo32 + view.getUint32(offset, true);
}

export function writeU53(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "a stored integer is exact");
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / twoTo32), true);
}

function writePreamble(bytes: Uint8Array, magic: Uint8Array, number: number): void {
  assert(Number.isInteger(number) && number > 0 && number < twoTo32, "a file number fits u32");
  const view = viewOf(bytes);
  bytes.set(magic, 0);
  view.setUint32(8, tableFormatVersion, true);
  view.setUint32(12, number, true);
}

/** Whether it says that it is a table's. */
export function isTableHeader(bytes: Uint8Array): boolean {
  return startsWith(bytes, headerMagic);
}

function startsWith(bytes: Uint8Array, magic: Uint8Array): boolean {
  for (let i = 0; i < magic.length; i++) {
    if (bytes[i] !== magic[i]) return false;
  }
  return true;
}
