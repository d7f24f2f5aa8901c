import { assert } from "../../core/assert.ts";
import { type Disk, DiskError, type DiskFile } from "../../core/env/disk.ts";
import { writeFully } from "../../core/env/whole-io.ts";
import { startSync, startSyncDir } from "../../core/wal/start-sync.ts";
import type { IncomingSnapshot } from "./snapshot-transfer.ts";

/** The files of one snapshot that comes in, in a directory of their own. */
export class FileReceiver implements IncomingSnapshot {
  readonly name: string;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #files: DiskFile[] = [];
  #closed = false;

  /** `directory` is there, durably, and empty. Throws `DiskError`. */
  // oxlint-disable-next-line max-params
  constructor(disk: Disk, directory: string, name: string, fileNames: readonly string[]) {
    this.name = name;
    this.#disk = disk;
    this.#directory = directory;
    try {
      for (const fileName of fileNames) this.#files.push(disk.open(`${directory}/${fileName}`, "create"));
    } catch (error) {
      if (error instanceof DiskError) this.#close();
      throw error;
    }
  }

  // oxlint-disable-next-line max-params
  write(file: number, offset: number, bytes: Uint8Array, done: (ok: boolean) => void): void {
    const target = this.#files[file];
    assert(target !== undefined && !this.#closed, "bytes are of a file that was announced");
    try {
      writeFully(target, offset, bytes, 0, bytes.length);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return done(false);
    }
    done(true);
  }

  finish(done: (ok: boolean) => void): void {
    // The files, and then what they are called.
    let left = this.#files.length + 1;
    let failed = false;
    const one = (error: DiskError | null): void => {
      failed ||= error !== null;
      left--;
      if (left > 0) return;
      const isWhole = !failed && !this.#closed;
      this.#close();
      done(isWhole);
    };
    for (const file of this.#files) startSync(file, one);
    startSyncDir(this.#disk, this.#directory, one);
  }

  discard(): void {
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const file of this.#files) file.close();
  }
}
