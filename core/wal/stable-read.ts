import { assert } from "../assert.ts";
import type { Disk } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption } from "../errors.ts";
import { closeFile } from "./close-file.ts";

/** No log file of this program is longer; checked before memory is taken for one. */
const logFileBytesMax = 0x7fff_0000;
const readsMax = 8;
const sectorBytes = 512;

/**
 * The whole file `path`: a read that passes `isWhole`, or else what two reads in a row agree on, sector by
 * sector. Damage on the way from the disk heals that way, and no tail is ever dropped on the word of a single
 * read. Throws `DiskError`, or `NOKV_CORRUPTION` when this is no file for us or no two reads agree.
 */
export function readStable(disk: Disk, path: string, isWhole: (bytes: Uint8Array) => boolean): Uint8Array {
  // Opening a FIFO would wait for ever, a device never end.
  if (disk.kind(path) !== "file") throw corruption(path, 0, "this is not a regular file");
  const image = readOnce(disk, path);
  if (isWhole(image)) return image;
  /** 1 for each sector that two reads agreed on. */
  const agreed = new Uint8Array(Math.ceil(image.length / sectorBytes));
  for (let reads = 1; reads < readsMax; reads++) {
    const again = readOnce(disk, path);
    if (isWhole(again)) return again;
    if (again.length === image.length && compareSectors(image, again, agreed)) return image;
  }
  throw corruption(path, 0, `${readsMax} reads of this file gave different bytes`);
}

/** Notes the sectors that agree and takes the others over from `again`. True once all have agreed. */
function compareSectors(image: Uint8Array, again: Uint8Array, agreed: Uint8Array): boolean {
  let open = 0;
  for (let sector = 0; sector < agreed.length; sector++) {
    if (agreed[sector] === 1) continue;
    const start = sector * sectorBytes;
    const end = Math.min(start + sectorBytes, image.length);
    if (sameBytes(image, again, start, end)) {
      agreed[sector] = 1;
    } else {
      image.set(again.subarray(start, end), start);
      open++;
    }
  }
  return open === 0;
}

function sameBytes(a: Uint8Array, b: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

function readOnce(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path, "read");
  try {
    const sizeBytes = file.sizeBytes();
    if (sizeBytes > logFileBytesMax) {
      const what = `the file has ${sizeBytes} bytes, more than this program writes`;
      throw corruption(path, logFileBytesMax, what);
    }
    const bytes = new Uint8Array(sizeBytes);
    const filled = readFully(file, 0, bytes, 0, sizeBytes);
    assert(filled <= sizeBytes, "a read fills no more than the file has");
    return filled === sizeBytes ? bytes : bytes.subarray(0, filled);
  } finally {
    closeFile(file);
  }
}
