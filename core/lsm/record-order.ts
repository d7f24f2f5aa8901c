// HOT: every step of a merge and every probe of a binary search.
import { recordHeaderBytes } from "../bytes/record.ts";

/*
 * The order of records, written once: family ascending, key ascending, version descending. `view` and `bytes`
 * are always two looks at the same memory.
 */

/** Order of two record images. Zero only for equal (family, key, version). */
// oxlint-disable-next-line max-params
export function compareRecords(
  aBytes: Uint8Array,
  aView: DataView,
  a: number,
  bBytes: Uint8Array,
  bView: DataView,
  b: number,
): number {
  const byKey = compareRecordKeys(aBytes, aView, a, bBytes, bView, b);
  if (byKey !== 0) return byKey;
  return compareVersionWords(
    bView.getUint32(b + 12, true) - aView.getUint32(a + 12, true),
    bView.getUint32(b + 8, true) - aView.getUint32(a + 8, true),
  );
}

/** Order of the (family, key) of two record images, whatever their versions. */
// oxlint-disable-next-line max-params
export function compareRecordKeys(
  aBytes: Uint8Array,
  aView: DataView,
  a: number,
  bBytes: Uint8Array,
  bView: DataView,
  b: number,
): number {
  const byFamily = (aBytes[a + 7] as number) - (bBytes[b + 7] as number);
  if (byFamily !== 0) return byFamily;
  const aLength = aView.getUint16(a + 4, true);
  const bLength = bView.getUint16(b + 4, true);
  const aKey = a + recordHeaderBytes;
  const bKey = b + recordHeaderBytes;
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i++) {
    const difference = (aBytes[aKey + i] as number) - (bBytes[bKey + i] as number);
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** Order of the (family, key) of the record image at `offset` against a wanted one. */
// oxlint-disable-next-line max-params
export function compareRecordToKey(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  family: number,
  key: Uint8Array,
): number {
  const byFamily = (bytes[offset + 7] as number) - family;
  if (byFamily !== 0) return byFamily;
  const keyLength = view.getUint16(offset + 4, true);
  const keyStart = offset + recordHeaderBytes;
  const shared = keyLength < key.length ? keyLength : key.length;
  for (let i = 0; i < shared; i++) {
    const difference = (bytes[keyStart + i] as number) - (key[i] as number);
    if (difference !== 0) return difference;
  }
  return keyLength - key.length;
}

/** Whether the record image at `offset` has exactly this (family, key). */
// oxlint-disable-next-line max-params
export function recordHasKey(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  family: number,
  key: Uint8Array,
): boolean {
  const length = key.length;
  if (view.getUint16(offset + 4, true) !== length || bytes[offset + 7] !== family) return false;
  const keyStart = offset + recordHeaderBytes;
  for (let i = 0; i < length; i++) {
    if (bytes[keyStart + i] !== key[i]) return false;
  }
  return true;
}

function compareVersionWords(high: number, low: number): number {
  return high !== 0 ? high : low;
}
