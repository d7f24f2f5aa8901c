import { assert } from "../assert.ts";
import type { Disk } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption } from "../errors.ts";
import { closeFile } from "./close-file.ts";

/** No log file of this program is longer; checked before memory is taken for one. */
export const logFileBytesMax = 0x7fff_0000;
const readsMax = 5;

/**
 * The whole file `path`, read again until a read passes `isWhole` or two reads agree. Damage on the way from the
 * disk heals that way, and no tail is ever dropped on the word of a single read. Throws `DiskError`, or
 * `NOKV_CORRUPTION` when this is no file for us or every read differs.
 */
export function readStable(disk: Disk, path: string, isWhole: (bytes: Uint8Array) => boolean): Uint8Array {
  // Opening a FIFO would wait for ever, a device never end.
  if (disk.kind(path) !== "file") throw corruption(path, 0, "this is not a regular file");
  let before: Uint8Array | null = null;
  for (let i = 0; i < readsMax; i++) {
    const bytes = readOnce(disk, path);
    if (isWhole(bytes)) return bytes;
    if (before !== null && equalBytes(before, bytes)) return bytes;
    before = bytes;
  }
  throw corruption(path, 0, `${readsMax} reads of this file gave different bytes each time`);
}

function readOnce(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path, "read");
  const sizeBytes = file.sizeBytes();
  if (sizeBytes > logFileBytesMax) {
    closeFile(file);
    throw corruption(path, logFileBytesMax, `the file has ${sizeBytes} bytes, more than this program writes`);
  }
  const bytes = new Uint8Array(sizeBytes);
  const filled = readFully(file, 0, bytes, 0, sizeBytes);
  closeFile(file);
  assert(filled <= sizeBytes, "a read fills no more than the file has");
  return filled === sizeBytes ? bytes : bytes.subarray(0, filled);
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
