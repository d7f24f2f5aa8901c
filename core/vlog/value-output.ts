// HOT: every value that a job separates or relocates passes here.
import { assert } from "../assert.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { readKeyLength, readValueLength, recordBytesAt, recordHeaderBytes } from "../bytes/record.ts";
import type { Disk, DiskFile, SyncDone } from "../env/disk.ts";
import { DiskError } from "../env/disk.ts";
import { writeFully } from "../env/whole-io.ts";
import {
  encodeValueHeader, type ValueFileMeta, valueFilePath, valueHeaderBytes, valueTrailerBytes,
} from "./value-file.ts";
import type { ValuePlace } from "./value-pointer.ts";

const bufferBytesMax = 256 * 1024;
const bufferBytesMin = 4 * 1024;
/** A sync starts after so many bytes, that a large file does not leave all its writing to the last one. */
const syncEveryBytes = 8 << 20;

/** Where a job may write values. */
export interface ValueTarget {
  readonly directory: string;
  readonly firstNumber: number;
  /** Numbers reserved from `firstNumber` on; the last file takes all that is left. */
  readonly numbers: number;
  /** A file ends when it has so many bytes. */
  readonly fileBytes: number;
}

/**
 * The value files that a job writes, one after another. Syncs run beside the writing; `settled` says when all
 * that was asked for has completed. After any error the job calls `abandon`.
 */
export class ValueOutput {
  readonly #disk: Disk;
  readonly #target: ValueTarget;
  readonly #wake: () => void;
  readonly #files: ValueFileMeta[] = [];
  readonly #synced: SyncDone;
  /** Images that were not handed to the disk yet. */
  #buffer: Uint8Array = new Uint8Array(0);
  #buffered = 0;
  readonly #bufferBytes: number;
  #file: DiskFile | null = null;
  #number = 0;
  #opened = 0;
  /** Bytes of the file under construction that the disk has taken, and that a sync was asked for. */
  #writtenBytes = 0;
  #syncedBytes = 0;
  /** Of the images in the file under construction. */
  #imageBytes = 0;
  readonly #trailer = new Uint8Array(valueTrailerBytes);
  readonly #trailerView = new DataView(this.#trailer.buffer);
  #syncsInFlight = 0;
  #syncError: DiskError | null = null;
  #abandoned = false;
  /** Where the last `add` put its value. */
  readonly place: ValuePlace = { file: 0, offset: 0, valueLength: 0, crc: 0 };

  constructor(disk: Disk, target: ValueTarget, wake: () => void) {
    this.#disk = disk;
    this.#target = target;
    this.#wake = wake;
    this.#bufferBytes = Math.max(bufferBytesMin, Math.min(bufferBytesMax, target.fileBytes));
    this.#synced = (error): void => this.#onSynced(error);
  }

  /** The files finished so far. */
  get files(): readonly ValueFileMeta[] {
    return this.#files;
  }

  /** No sync is in flight. Throws the error of one that failed. */
  get settled(): boolean {
    if (this.#syncError !== null) throw this.#syncError;
    return this.#syncsInFlight === 0;
  }

  /** Copies the record image at `offset`, of kind "value"; `place` then says where it stands. */
  add(bytes: Uint8Array, view: DataView, offset: number): void {
    const length = recordBytesAt(view, offset);
    this.#cut();
    if (this.#file === null) this.#openFile();
    const at = this.#writtenBytes + this.#buffered;
    const valueStart = offset + recordHeaderBytes + readKeyLength(view, offset);
    const { place } = this;
    place.file = this.#number;
    place.offset = at;
    place.valueLength = readValueLength(view, offset);
    place.crc = crc32(bytes, valueStart, valueStart + place.valueLength, salt(this.#number, at));
    this.#trailerView.setUint32(0, crc32(bytes, offset, valueStart, place.crc), true);
    this.#append(bytes, offset, length);
    this.#append(this.#trailer, 0, valueTrailerBytes);
    this.#imageBytes += length;
  }

  /** Completes the file under construction, if any, and starts its sync. */
  finishFile(): void {
    const file = this.#file;
    if (file === null) return;
    this.#flush(file);
    this.#startSync(file);
    this.#file = null;
    const sizeBytes = this.#writtenBytes;
    file.close();
    // Every image in it is pointed to.
    const separableBytes = this.#imageBytes;
    this.#files.push({ number: this.#number, kind: "values", sizeBytes, separableBytes });
  }

  /** Removes what was written, as far as the disk lets it: nobody refers to it. */
  abandon(): void {
    this.#abandoned = true;
    const file = this.#file;
    this.#file = null;
    if (file !== null) attempt(() => file.close());
    for (let i = 0; i < this.#opened; i++) attempt(() => this.#disk.remove(this.#path(i)));
  }

  #cut(): void {
    if (this.#file === null || this.#opened === this.#target.numbers) return;
    if (this.#writtenBytes + this.#buffered >= this.#target.fileBytes) this.finishFile();
  }

  #openFile(): void {
    assert(this.#opened < this.#target.numbers, "a value file has a reserved number");
    this.#number = this.#target.firstNumber + this.#opened;
    this.#file = this.#disk.open(this.#path(this.#opened), "create");
    this.#opened++;
    this.#writtenBytes = 0;
    this.#syncedBytes = 0;
    this.#imageBytes = 0;
    this.#append(encodeValueHeader(this.#number), 0, valueHeaderBytes);
  }

  #append(bytes: Uint8Array, start: number, length: number): void {
    const file = this.#file;
    assert(file !== null, "what is appended has a file");
    if (this.#buffered + length > this.#bufferBytes) this.#flush(file);
    if (length > this.#bufferBytes) {
      writeFully(file, this.#writtenBytes, bytes, start, start + length);
      this.#writtenBytes += length;
    } else {
      if (this.#buffer.length === 0) this.#buffer = new Uint8Array(this.#bufferBytes);
      this.#buffer.set(bytes.subarray(start, start + length), this.#buffered);
      this.#buffered += length;
    }
    if (this.#writtenBytes - this.#syncedBytes >= syncEveryBytes) this.#startSync(file);
  }

  #flush(file: DiskFile): void {
    if (this.#buffered === 0) return;
    writeFully(file, this.#writtenBytes, this.#buffer, 0, this.#buffered);
    this.#writtenBytes += this.#buffered;
    this.#buffered = 0;
  }

  #startSync(file: DiskFile): void {
    this.#syncedBytes = this.#writtenBytes;
    this.#syncsInFlight++;
    file.sync(this.#synced);
  }

  #onSynced(error: DiskError | null): void {
    this.#syncsInFlight--;
    assert(this.#syncsInFlight >= 0, "a sync completes once");
    this.#syncError ??= error;
    if (!this.#abandoned) this.#wake();
  }

  #path(i: number): string {
    const { directory, firstNumber } = this.#target;
    return valueFilePath(directory, { number: firstNumber + i, kind: "values", sizeBytes: 0, separableBytes: 0 });
  }
}

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
