import { crc32, salt } from "../bytes/crc32.ts";
import { DiskError } from "../env/disk.ts";
import type { Disk, DiskFile } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { NokvError, corruption } from "../errors.ts";
import type { ImageBuffer } from "./image-buffer.ts";
import { isPartSealed } from "./table-format.ts";

/**
 * A part that fails its checksum is read again this often in all: damage in flight heals, damage at rest
 * stays.
 */
const readAttemptsMax = 3;

/** A table's file, open for reading: nothing comes out of it that did not pass its checksum. */
export class TableFile {
  readonly path: string;
  readonly number: number;
  readonly sizeBytes: number;
  readonly #file: DiskFile;

  private constructor(file: DiskFile, number: number, sizeBytes: number) {
    this.path = file.path;
    this.number = number;
    this.sizeBytes = sizeBytes;
    this.#file = file;
  }

  /** Throws `NOKV_CORRUPTION` when there is no such file, `NOKV_IO` when the machine refuses. */
  static open(disk: Disk, path: string, number: number): TableFile {
    let file: DiskFile | null = null;
    try {
      file = disk.open(path, "read");
      return new TableFile(file, number, file.sizeBytes());
    } catch (error) {
      file?.close();
      const missing = error instanceof DiskError && error.code === "ENOENT";
      if (missing) throw corruption(path, 0, "the table is missing");
      throw readFailure(error, path);
    }
  }

  /** The part of `length` bytes at `offset`, checksum last. `what` names it in the error. */
  read(offset: number, length: number, what: string): Uint8Array {
    // Before any memory is taken for a length that damage made up.
    if (offset + length > this.sizeBytes) throw corruption(this.path, offset, `${what} is beyond the end`);
    const bytes = new Uint8Array(length);
    this.readInto(bytes, 0, offset, length, what);
    return bytes;
  }

  /** As `read`, into `target[start, start + length)`. */
  // oxlint-disable-next-line max-params
  readInto(target: Uint8Array, start: number, offset: number, length: number, what: string): void {
    if (offset + length > this.sizeBytes) throw corruption(this.path, offset, `${what} is beyond the end`);
    for (let attempt = 0; attempt < readAttemptsMax; attempt++) {
      const filled = this.#fill(offset, target, start, start + length);
      if (filled === length && isPartSealed(target, start, length, this.number, offset)) return;
    }
    throw corruption(this.path, offset, `bad checksum of ${what}`, "restore this file from a backup");
  }

  /**
   * Reads ahead: fills `target[0, length)` with what is at `offset`, unverified, and returns how many bytes it
   * got: fewer, or none, when the machine refuses. Whoever needs one of the parts reads that for itself.
   */
  readAhead(target: Uint8Array, offset: number, length: number): number {
    try {
      return readFully(this.#file, offset, target, 0, length);
    } catch (error) {
      if (error instanceof DiskError) return 0;
      throw error;
    }
  }

  /** The record image of `length` bytes at `offset`, whose checksum must be `checksum`, into `image`. */
  // oxlint-disable-next-line max-params
  readImage(offset: number, length: number, checksum: number, image: ImageBuffer): void {
    if (offset + length > this.sizeBytes) throw corruption(this.path, offset, "a record is beyond the end");
    image.reserve(length);
    const { bytes, offset: start } = image;
    const seed = salt(this.number, offset);
    for (let attempt = 0; attempt < readAttemptsMax; attempt++) {
      const filled = this.#fill(offset, bytes, start, start + length);
      if (filled === length && crc32(bytes, start, start + length, seed) === checksum) return;
    }
    throw corruption(this.path, offset, "bad checksum of a record", "restore this file from a backup");
  }

  close(): void {
    this.#file.close();
  }

  // oxlint-disable-next-line max-params
  #fill(offset: number, bytes: Uint8Array, start: number, end: number): number {
    try {
      return readFully(this.#file, offset, bytes, start, end);
    } catch (error) {
      throw readFailure(error, this.path);
    }
  }
}

/** A refusal of the machine as the error callers know; anything else is not ours to change. */
function readFailure(error: unknown, path: string): unknown {
  if (!(error instanceof DiskError)) return error;
  return new NokvError("NOKV_IO", `reading a table failed: ${error.message}`, { path, cause: error });
}
