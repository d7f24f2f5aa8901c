// HOT: every proposal is wrapped here, and every applied entry unwrapped.
import { readU32 } from "../../core/bytes/byte-reader.ts";

/** What an entry is for. Numbers are for ever. */
export const envelopeKind = { data: 1 } as const;

/** kind u8, the region's version when it was proposed (two u32, the low one first), then the machine's data. */
export const envelopeBytes = 9;
const twoTo32 = 0x1_0000_0000;

export function wrapData(version: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(envelopeBytes + data.length);
  bytes[0] = envelopeKind.data;
  const view = new DataView(bytes.buffer);
  view.setUint32(1, version >>> 0, true);
  view.setUint32(5, Math.floor(version / twoTo32), true);
  bytes.set(data, envelopeBytes);
  return bytes;
}

/** The region's version in an entry of a machine's data; -1: it is none, and does nothing anywhere. */
export function versionOfData(entry: Uint8Array): number {
  if (entry.length < envelopeBytes || entry[0] !== envelopeKind.data) return -1;
  return readU32(entry, 5) * twoTo32 + readU32(entry, 1);
}

/** Borrows the entry. */
export function dataOf(entry: Uint8Array): Uint8Array {
  return entry.subarray(envelopeBytes);
}
