import { assert } from "../../core/assert.ts";
import { crc32 } from "../../core/bytes/crc32.ts";
import { type Disk, DiskError, type DiskFile } from "../../core/env/disk.ts";
import { corruption } from "../../core/errors.ts";
import { readFully, writeFully } from "../../core/env/whole-io.ts";
import { startSync, startSyncDir } from "../../core/wal/start-sync.ts";
import type { StreamFile } from "../../net/rpc/stream-messages.ts";
import type { IncomingSnapshot } from "./snapshot-transfer.ts";

/** Where file number `file` of a snapshot stands. */
export function snapshotPath(directory: string, name: string, file: number): string {
  return `${directory}/${name}.${file}`;
}

/** The name of the snapshot that a file of this name is part of. */
export function snapshotOf(fileName: string): string {
  return fileName.slice(0, Math.max(0, fileName.lastIndexOf(".")));
}

/** The files of one snapshot that comes in. That they are complete is said elsewhere, once they are durable. */
export class FileReceiver implements IncomingSnapshot {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #files: DiskFile[] = [];
  #closed = false;

  /** Throws `DiskError`. */
  // oxlint-disable-next-line max-params
  constructor(disk: Disk, directory: string, name: string, files: readonly StreamFile[]) {
    this.#disk = disk;
    this.#directory = directory;
    try {
      for (let i = 0; i < files.length; i++) this.#files.push(disk.open(snapshotPath(directory, name, i), "create"));
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

  /** What was written is swept later. */
  discard(): void {
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const file of this.#files) file.close();
  }
}

/** What a read got wrong, the next one may get right. */
const readsMax = 4;

/** Throws `DiskError`, and `NOKV_CORRUPTION` when it is not what was announced. */
export function readVerified(disk: Disk, path: string, { sizeBytes, crc }: StreamFile): Uint8Array {
  for (let reads = 0; reads < readsMax; reads++) {
    const bytes = readWhole(disk, path);
    if (bytes.length === sizeBytes && crc32(bytes, 0, bytes.length, 0) === crc) return bytes;
  }
  throw corruption(path, 0, "the file of a snapshot does not match its checksum", "it will be sent again");
}

function readWhole(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(file.sizeBytes());
    return bytes.subarray(0, readFully(file, 0, bytes, 0, bytes.length));
  } finally {
    file.close();
  }
}
