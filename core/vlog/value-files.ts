// HOT: every separated value that is read passes here.
import { assert } from "../assert.ts";
import { readKeyLength, recordHeaderBytes } from "../bytes/record.ts";
import type { Disk, DiskFile } from "../env/disk.ts";
import { DiskError } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption } from "../errors.ts";
import { closeFile } from "../wal/close-file.ts";
import {
  type ValueFileMeta, valueFileName, valueFilePath, valueHeaderBytes, valueHeaderProblem,
} from "./value-file.ts";
import { readFailure, readValueImage } from "./value-image.ts";
import { pointerAt, readPointedFile, readPointedLength } from "./value-pointer.ts";

const headerAttemptsMax = 3;

interface Held {
  readonly meta: ValueFileMeta;
  readonly path: string;
  holders: number;
  /** The manifest no longer names it: it goes when nobody holds it. */
  doomed: boolean;
  file: DiskFile | null;
}

/**
 * The value files that somebody may read: those of every version in use. A file is held by each of these and
 * opened when it is read, a bounded number at a time. One that left the manifest is removed from the disk when
 * the last version that names it is given back: iterators and snapshots of tables still point into it.
 */
export class ValueFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #openMax: number;
  readonly #files = new Map<number, Held>();
  /** Open handles, the one used last at the end. */
  readonly #open: Held[] = [];
  readCount = 0;
  removedCount = 0;
  removeFailures = 0;

  constructor(disk: Disk, directory: string, openMax: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#openMax = openMax;
  }

  /** Files that left the manifest and are still held. */
  get lingering(): readonly ValueFileMeta[] {
    const files: ValueFileMeta[] = [];
    for (const held of this.#files.values()) if (held.doomed) files.push(held.meta);
    return files;
  }

  get openCount(): number {
    return this.#open.length;
  }

  retain(files: readonly ValueFileMeta[]): void {
    for (const meta of files) {
      const held = this.#files.get(meta.number);
      if (held !== undefined) held.holders++;
      else this.#files.set(meta.number, this.#held(meta));
    }
  }

  release(files: readonly ValueFileMeta[]): void {
    for (const { number } of files) {
      const held = this.#files.get(number);
      assert(held !== undefined, "a value file that is released was retained");
      held.holders--;
      if (held.holders === 0) this.#forget(held);
    }
  }

  /** Gives all handles back, whoever holds the files. */
  close(): void {
    for (const held of this.#open.splice(0)) {
      if (held.file !== null) closeFile(held.file);
      held.file = null;
    }
  }

  /** The durable manifest no longer names `file`: it is removed when nobody holds it any more. */
  doom(file: ValueFileMeta): void {
    const held = this.#files.get(file.number);
    assert(held !== undefined, "a value file leaves the manifest while the version before is held");
    held.doomed = true;
  }

  /** A copy of the value of the record at `offset`, which is of kind "pointer". Throws as `image` does. */
  read(bytes: Uint8Array, view: DataView, offset: number): Uint8Array {
    const image = this.image(bytes, view, offset);
    const start = recordHeaderBytes + readKeyLength(view, offset);
    return image.subarray(start, start + readPointedLength(view, pointerAt(view, offset)));
  }

  /** The record image that the record at `offset` points to; see `readValueImage`. */
  image(bytes: Uint8Array, view: DataView, offset: number): Uint8Array {
    const number = readPointedFile(view, pointerAt(view, offset));
    const held = this.#files.get(number);
    if (held === undefined) {
      const path = `${this.#directory}/${valueFileName(number)}`;
      throw corruption(path, 0, "a table points to this value file, which the manifest does not name");
    }
    this.readCount++;
    return readValueImage(this.#opened(held), held.meta, bytes, view, offset);
  }

  #held(meta: ValueFileMeta): Held {
    return { meta, path: valueFilePath(this.#directory, meta), holders: 1, doomed: false, file: null };
  }

  #forget(held: Held): void {
    this.#files.delete(held.meta.number);
    if (held.file !== null) this.#close(held);
    if (!held.doomed) return;
    try {
      this.#disk.remove(held.path);
      this.removedCount++;
    } catch (error) {
      // The next opening removes it.
      if (!(error instanceof DiskError)) throw error;
      this.removeFailures++;
    }
  }

  #opened(held: Held): DiskFile {
    const open = this.#open;
    if (held.file !== null) {
      if (open[open.length - 1] !== held) {
        open.splice(open.indexOf(held), 1);
        open.push(held);
      }
      return held.file;
    }
    const oldest = open[0];
    if (oldest !== undefined && open.length >= this.#openMax) this.#close(oldest);
    const file = this.#openFile(held);
    held.file = file;
    open.push(held);
    return file;
  }

  #openFile(held: Held): DiskFile {
    let file: DiskFile | null = null;
    try {
      file = this.#disk.open(held.path, "read");
      if (held.meta.kind === "values") checkHeader(file, held.meta.number);
      return file;
    } catch (error) {
      if (file !== null) closeFile(file);
      if (error instanceof DiskError && error.code === "ENOENT") {
        throw corruption(held.path, 0, "the value file is missing");
      }
      throw readFailure(error, held.path);
    }
  }

  #close(held: Held): void {
    assert(held.file !== null, "only an open file is closed");
    closeFile(held.file);
    held.file = null;
    this.#open.splice(this.#open.indexOf(held), 1);
  }
}

function checkHeader(file: DiskFile, number: number): void {
  const bytes = new Uint8Array(valueHeaderBytes);
  for (let attempt = 1; ; attempt++) {
    const filled = readFully(file, 0, bytes, 0, valueHeaderBytes);
    const cut = filled < valueHeaderBytes ? corruption(file.path, 0, "the value file is cut short") : null;
    const problem = cut ?? valueHeaderProblem(bytes, number, file.path);
    if (problem === null) return;
    if (attempt === headerAttemptsMax) throw problem;
  }
}
