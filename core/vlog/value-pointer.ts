// HOT: every separated value that is read, flushed or merged passes here.
import { readKeyLength, recordBytes, recordHeaderBytes } from "../bytes/record.ts";

/**
 * What a record of kind "pointer" holds in the place of its value. All integers are little-endian.
 *
 *     0   fileNumber   u32   the value file
 *     4   offset       u64   two u32, low first; below 2^53: where in it the record image begins
 *     12  valueLength  u32
 *     16  crc          u32   of the value, salted with (file number, offset)
 *
 * The image has the family, key, version and expiry of the record that points to it, and kind "value".
 */
export const valuePointerBytes = 20;
/** No value is longer; checked before a length from a file is used. */
export const pointedLengthMax = 0x4000_0000;

const twoTo32 = 0x1_0000_0000;

/** Where the pointer of the record at `offset` stands. */
export function pointerAt(view: DataView, offset: number): number {
  return offset + recordHeaderBytes + readKeyLength(view, offset);
}

export function readPointedFile(view: DataView, pointer: number): number {
  return view.getUint32(pointer, true);
}

export function readPointedOffset(view: DataView, pointer: number): number {
  return view.getUint32(pointer + 8, true) * twoTo32 + view.getUint32(pointer + 4, true);
}

export function readPointedLength(view: DataView, pointer: number): number {
  return view.getUint32(pointer + 12, true);
}

export function readPointedCrc(view: DataView, pointer: number): number {
  return view.getUint32(pointer + 16, true);
}

/** Bytes of the image that the record at `offset`, of kind "pointer", points to. */
export function pointedImageBytes(view: DataView, offset: number): number {
  const keyLength = readKeyLength(view, offset);
  return recordBytes(keyLength, readPointedLength(view, offset + recordHeaderBytes + keyLength));
}

/** The value of a pointer. Reused by whoever fills it in. */
export interface ValuePlace {
  file: number;
  offset: number;
  valueLength: number;
  crc: number;
}

export function writePointer(view: DataView, pointer: number, place: ValuePlace): void {
  view.setUint32(pointer, place.file, true);
  view.setUint32(pointer + 4, place.offset >>> 0, true);
  view.setUint32(pointer + 8, Math.floor(place.offset / twoTo32), true);
  view.setUint32(pointer + 12, place.valueLength, true);
  view.setUint32(pointer + 16, place.crc, true);
}
