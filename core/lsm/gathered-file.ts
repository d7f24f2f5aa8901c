// HOT: every byte of every table passes here.
import { assert } from "../assert.ts";
import { crc32 } from "../bytes/crc32.ts";
import type { DiskFile, SyncDone } from "../env/disk.ts";
import { writeFully } from "../env/whole-io.ts";

/**
 * A file under construction whose small writes, each where the last one ended, reach the disk as large ones: a
 * system call per block costs more than the block. What has gathered is written by `gather`, `sync`
 * and `close`; until then a read does not see it.
 */
export class GatheredFile implements DiskFile {
  readonly path: string;
  readonly #file: DiskFile;
  readonly #buffer: Uint8Array;
  /** Where in the file the buffer begins, and how much of it is used. */
  #position = 0;
  #used = 0;
  readonly #summed: boolean;
  /** CRC-32 of all that was handed to the disk, if it was asked for. */
  sum = 0;

  /** `buffer` is used until `close`. `summed`: with a checksum of the whole file. */
  constructor(file: DiskFile, buffer: Uint8Array, summed: boolean) {
    this.path = file.path;
    this.#file = file;
    this.#buffer = buffer;
    this.#summed = summed;
  }

  sizeBytes(): number {
    return this.#position + this.#used;
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    return this.#file.read(position, target, start, end);
  }

  write(position: number, source: Uint8Array, start: number, end: number): number {
    assert(position === this.#position + this.#used, "a table is written from its beginning to its end");
    const length = end - start;
    if (this.#used + length > this.#buffer.length) this.gather();
    if (length >= this.#buffer.length) {
      if (this.#summed) this.sum = crc32(source, start, end, this.sum);
      writeFully(this.#file, position, source, start, end);
      this.#position += length;
      return length;
    }
    this.#buffer.set(source.subarray(start, end), this.#used);
    this.#used += length;
    return length;
  }

  /** Hands what has gathered to the disk. */
  gather(): void {
    const used = this.#used;
    if (used === 0) return;
    if (this.#summed) this.sum = crc32(this.#buffer, 0, used, this.sum);
    writeFully(this.#file, this.#position, this.#buffer, 0, used);
    this.#position += used;
    this.#used = 0;
  }

  truncate(sizeBytes: number): void {
    assert(sizeBytes === this.sizeBytes(), "a table under construction is never cut");
  }

  sync(done: SyncDone): void {
    this.gather();
    this.#file.sync(done);
  }

  syncNow(): void {
    this.gather();
    this.#file.syncNow();
  }

  /** What has gathered and was not synced is dropped: nobody relies on it. */
  close(): void {
    this.#file.close();
  }
}
