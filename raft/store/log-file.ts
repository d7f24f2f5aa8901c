import { assert } from "../../core/assert.ts";
import { type Disk, DiskError, type DiskFile } from "../../core/env/disk.ts";
import { readFully } from "../../core/env/whole-io.ts";
import { corruption } from "../../core/errors.ts";
import { closeFile } from "../../core/wal/close-file.ts";
import { fileHeaderBytes } from "../../core/wal/file-header.ts";

/** The name of segment `number` of a store's Raft log. */
export function logFileName(number: number): string {
  return `raft-${String(number).padStart(6, "0")}.log`;
}

/** The number in the name of a segment; 0: it is none. */
export function logFileNumber(name: string): number {
  const digits = /^raft-(\d{6,10})\.log$/.exec(name)?.[1];
  if (digits === undefined) return 0;
  const number = Number(digits);
  return logFileName(number) === name ? number : 0;
}

const readAttempts = 3;

/** One segment's file. `sizeBytes` is where its frames end, not how long the file is. */
export class LogFile {
  readonly number: number;
  readonly path: string;
  readonly file: DiskFile;
  sizeBytes = fileHeaderBytes;
  #closed = false;

  constructor(number: number, path: string, file: DiskFile) {
    this.number = number;
    this.path = path;
    this.file = file;
  }

  static open(disk: Disk, directory: string, number: number, mode: "create" | "read"): LogFile {
    const path = `${directory}/${logFileName(number)}`;
    return new LogFile(number, path, disk.open(path, mode));
  }

  /**
   * `read` of `bytes` bytes at `offset`, which may say what is wrong: then it is tried again, since damage on the way
   * from the disk heals that way. Throws `DiskError`, or `NOKV_CORRUPTION`.
   */
  read<T>(offset: number, bytes: number, read: (image: Uint8Array) => T | string): T {
    assert(offset + bytes <= this.sizeBytes, "only what was written is read");
    let problem = "";
    for (let attempt = 0; attempt < readAttempts; attempt++) {
      const image = new Uint8Array(bytes);
      const filled = readFully(this.file, offset, image, 0, bytes);
      const found = filled < bytes ? "the file is cut off" : read(image);
      if (typeof found !== "string") return found;
      problem = found;
    }
    throw corruption(this.path, offset, problem);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFile(this.file);
  }

  /** Where the disk does not let it, the next opening does it. */
  remove(disk: Disk): void {
    this.close();
    try {
      disk.remove(this.path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
}
