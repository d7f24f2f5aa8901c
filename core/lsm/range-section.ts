import { corruption } from "../errors.ts";
import { compareKeys, versionMax } from "../bytes/record.ts";
import type { RangeFragment } from "./range-tombstones.ts";
import { checksumBytes, readU53, seal, viewOf, writeU53 } from "./table-format.ts";

/*
 * The section `ranges` of a table, empty when there are none. Fragments are disjoint and ascending:
 *
 *     0  fragment count u32
 *     4  per fragment: length u32 of start and of end, version count u32, versions u64 each, descending; start,
 *        end, zeros up to a multiple of 4
 *        crc u32
 */
const fragmentFixedBytes = 12;

export function encodeRanges(
  fragments: readonly RangeFragment[],
  number: number,
  offset: number,
): Uint8Array {
  if (fragments.length === 0) return new Uint8Array(0);
  let length = 4 + checksumBytes;
  for (const fragment of fragments) length += fragmentBytes(fragment);
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(0, fragments.length, true);
  let at = 4;
  for (const { start, end, versions } of fragments) {
    view.setUint32(at, start.length, true);
    view.setUint32(at + 4, end.length, true);
    view.setUint32(at + 8, versions.length, true);
    versions.forEach((version, i) => writeU53(view, at + fragmentFixedBytes + 8 * i, version));
    const boundsStart = at + fragmentFixedBytes + 8 * versions.length;
    bytes.set(start, boundsStart);
    bytes.set(end, boundsStart + start.length);
    at += fragmentBytes({ start, end, versions });
  }
  seal(bytes, number, offset);
  return bytes;
}

/** `bytes` passed their checksum. Throws `NOKV_CORRUPTION` for what no builder writes. */
export function decodeRanges(bytes: Uint8Array, path: string, offset: number): RangeFragment[] {
  if (bytes.length === 0) return [];
  const view = viewOf(bytes);
  const end = bytes.length - checksumBytes;
  const count = end >= 4 ? view.getUint32(0, true) : 0;
  const fragments: RangeFragment[] = [];
  let at = 4;
  for (let i = 0; i < count; i++) {
    const fragment = fragmentAt(bytes, view, at, end);
    if (fragment === null) throw corruption(path, offset + at, "a range tombstone is cut off");
    const before = fragments.at(-1);
    const inOrder = before === undefined || compareKeys(before.end, fragment.start) <= 0;
    if (!inOrder || !isSound(fragment)) throw corruption(path, offset + at, "range tombstones out of order");
    fragments.push(fragment);
    at += fragmentBytes(fragment);
  }
  if (count === 0 || at !== end) throw corruption(path, offset, "range tombstones end elsewhere");
  return fragments;
}

// oxlint-disable-next-line max-params
function fragmentAt(bytes: Uint8Array, view: DataView, at: number, end: number): RangeFragment | null {
  if (at + fragmentFixedBytes > end) return null;
  const startBytes = view.getUint32(at, true);
  const endBytes = view.getUint32(at + 4, true);
  const versionCount = view.getUint32(at + 8, true);
  const boundsStart = at + fragmentFixedBytes + 8 * versionCount;
  if (startBytes < 1 || endBytes < 1 || boundsStart + startBytes + endBytes > end) return null;
  const versions: number[] = [];
  for (let i = 0; i < versionCount; i++) versions.push(readU53(view, at + fragmentFixedBytes + 8 * i));
  return {
    start: bytes.slice(boundsStart, boundsStart + startBytes),
    end: bytes.slice(boundsStart + startBytes, boundsStart + startBytes + endBytes),
    versions,
  };
}

function isSound({ start, end, versions }: RangeFragment): boolean {
  if (compareKeys(start, end) >= 0 || versions.length === 0) return false;
  return versions.every((version, i) => version <= versionMax && (i === 0 || version < (versions[i - 1] ?? 0)));
}

function fragmentBytes({ start, end, versions }: RangeFragment): number {
  return (fragmentFixedBytes + 8 * versions.length + start.length + end.length + 3) & ~3;
}
