// HOT: every proposal is wrapped here, and every applied entry unwrapped.
import { readU32 } from "../../core/bytes/byte-reader.ts";
import type { RegionEpoch } from "../epoch.ts";

/** What an entry is for. Numbers are for ever. */
export const envelopeKind = {
  data: 1,
  split: 2,
  prepareMerge: 3,
  commitMerge: 4,
  rollbackMerge: 5,
  bumpVersion: 6,
} as const;

/** Of commands to the region itself: behind data, and up to this one. */
const adminKindMax = 6;

/** kind u8, the region's version when it was proposed (two u32, the low one first), then the machine's data. */
export const envelopeBytes = 9;
/** The same, then the region's confVer likewise, then what the kind says. */
const adminEnvelopeBytes = 17;
const twoTo32 = 0x1_0000_0000;

/** A command to the region itself. */
export interface AdminEntry {
  readonly kind: number;
  /** The region's when it was proposed. */
  readonly epoch: RegionEpoch;
  /** Borrows the entry. */
  readonly payload: Uint8Array;
}

export function wrapData(version: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(envelopeBytes + data.length);
  bytes[0] = envelopeKind.data;
  putU53(bytes, 1, version);
  bytes.set(data, envelopeBytes);
  return bytes;
}

export function wrapAdmin({ kind, epoch, payload }: AdminEntry): Uint8Array {
  const bytes = new Uint8Array(adminEnvelopeBytes + payload.length);
  bytes[0] = kind;
  putU53(bytes, 1, epoch.version);
  putU53(bytes, envelopeBytes, epoch.confVer);
  bytes.set(payload, adminEnvelopeBytes);
  return bytes;
}

/** The region's version in an entry of a machine's data; -1: it is none, and does nothing anywhere. */
export function versionOfData(entry: Uint8Array): number {
  if (entry.length < envelopeBytes || entry[0] !== envelopeKind.data) return -1;
  return readU53(entry, 1);
}

/** Borrows the entry. */
export function dataOf(entry: Uint8Array): Uint8Array {
  return entry.subarray(envelopeBytes);
}

/** It is about the region itself, and applied by itself. */
export function isAdmin(entry: Uint8Array): boolean {
  const kind = entry[0] ?? 0;
  return entry.length >= adminEnvelopeBytes && kind > envelopeKind.data && kind <= adminKindMax;
}

/** Of an entry that `isAdmin`. */
export function adminOf(entry: Uint8Array): AdminEntry {
  const epoch = { version: readU53(entry, 1), confVer: readU53(entry, envelopeBytes) };
  return { kind: entry[0] ?? 0, epoch, payload: entry.subarray(adminEnvelopeBytes) };
}

function putU53(bytes: Uint8Array, at: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / twoTo32), true);
}

function readU53(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 4) * twoTo32 + readU32(bytes, at);
}
