import { crc32 } from "../core/bytes/crc32.ts";
import type { SimDisk } from "../sim/disk/sim-disk.ts";

/** Tells images apart: every name, with the length and a checksum of what is in it. */
export function imageText(disk: SimDisk): string {
  return disk
    .paths()
    .map((path) => {
      const file = disk.inspect(path);
      return file === null ? path : `${path} ${contentText(file.cached)}`;
    })
    .join("\n");
}

/** The same, and what of it a later power loss could take. */
export function cachedImageText(disk: SimDisk): string {
  return disk
    .paths()
    .map((path) => {
      const file = disk.inspect(path);
      if (file === null) return path;
      return `${path} ${contentText(file.cached)} ${contentText(file.durable)} ${file.entryDurable}`;
    })
    .join("\n");
}

function contentText(bytes: Uint8Array): string {
  return `${bytes.length} ${crc32(bytes, 0, bytes.length, 0)}`;
}
