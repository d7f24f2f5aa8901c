// HOT: every key that is written, found or merged passes here.
/**
 * One record image everywhere: the bytes appended to the log are the memtable's arena and, copied raw, the
 * table's record. All integers are little-endian.
 *
 *     0   valueLength  u32
 *     4   keyLength    u16
 *     6   kind         u8    recordKind
 *     7   family       u8    columnFamily
 *     8   version      u64   two u32, low first; below 2^53
 *     16  expiresAtMs  u64   two u32, low first; below 2^53; 0: never
 *     24  key          keyLength bytes
 *         value        valueLength bytes
 *         padding      zeros up to a multiple of 4
 *
 * Order of records: family ascending, key ascending by unsigned bytes (a prefix first), version descending.
 */
export const recordHeaderBytes = 24;
export const keyLengthMax = 0xffff;
export const versionMax = Number.MAX_SAFE_INTEGER;

/**
 * 2, range tombstone: the key is where it starts, the value the exclusive end; no value: the end of the family. Only
 * logs hold such records. 3, pointer: the record's value stands elsewhere, and what stands here is a value pointer
 * (`core/vlog`). Only tables hold such records.
 */
export const recordKind = { tombstone: 0, value: 1, rangeTombstone: 2, pointer: 3 } as const;

/** What embedded writes and, later, Percolator's `write`, `lock` and `default` columns are kept in. */
export const columnFamily = { data: 0, lock: 1, txn: 2, local: 3, prewrite: 4 } as const;
/** Every family has one behind it, so that there is a bound above all its keys. */
export const familyMax = 0xfe;

const twoTo32 = 0x1_0000_0000;

/** Bytes that a record of these lengths takes, padding included. */
export function recordBytes(keyLength: number, valueLength: number): number {
  return (recordHeaderBytes + keyLength + valueLength + 3) & ~3;
}

/** Bytes of the record at `offset`, padding included. Only for images that passed their checksum. */
export function recordBytesAt(view: DataView, offset: number): number {
  return recordBytes(view.getUint16(offset + 4, true), view.getUint32(offset, true));
}

export function readKeyLength(view: DataView, offset: number): number {
  return view.getUint16(offset + 4, true);
}

export function readValueLength(view: DataView, offset: number): number {
  return view.getUint32(offset, true);
}

export function readKind(view: DataView, offset: number): number {
  return view.getUint8(offset + 6);
}

export function readFamily(view: DataView, offset: number): number {
  return view.getUint8(offset + 7);
}

export function readVersion(view: DataView, offset: number): number {
  return view.getUint32(offset + 12, true) * twoTo32 + view.getUint32(offset + 8, true);
}

export function readExpiresAtMs(view: DataView, offset: number): number {
  return view.getUint32(offset + 20, true) * twoTo32 + view.getUint32(offset + 16, true);
}

/** The version is stamped separately, when the commit's place in the log is known. */
export function writeVersion(view: DataView, offset: number, version: number): void {
  view.setUint32(offset + 8, version >>> 0, true);
  view.setUint32(offset + 12, Math.floor(version / twoTo32), true);
}

export function writeExpiresAtMs(view: DataView, offset: number, expiresAtMs: number): void {
  view.setUint32(offset + 16, expiresAtMs >>> 0, true);
  view.setUint32(offset + 20, Math.floor(expiresAtMs / twoTo32), true);
}

/** Unsigned bytewise order of two byte ranges; a proper prefix comes first. Negative, zero or positive. */
// oxlint-disable-next-line max-params -- hot: an object per comparison would cost more than it
export function compareRanges(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i++) {
    const difference = (a[aStart + i] as number) - (b[bStart + i] as number);
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** Unsigned bytewise order of whole keys. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return compareRanges(a, 0, a.length, b, 0, b.length);
}
