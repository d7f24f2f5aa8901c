// HOT: every record that is flushed or merged passes here.
import { assert } from "../assert.ts";
import {
  recordBytes, recordHeaderBytes, recordKind, readKeyLength, writeExpiresAtMs,
} from "../bytes/record.ts";
import { DiskError } from "../env/disk.ts";
import type { Disk, SyncDone } from "../env/disk.ts";
import { GatheredFile } from "./gathered-file.ts";
import { clipFragments, type RangeFragment } from "./range-tombstones.ts";
import { boundOf, TableBuilder } from "./table-builder.ts";
import type { TableOptions } from "./table-builder.ts";
import { viewOf } from "./table-format.ts";
import { tablePath } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";

/** A sync starts after so many bytes, that a large table does not leave all its writing to the last one. */
const syncEveryBytes = 8 << 20;

/** One write takes so many blocks, within a bound. */
const blocksPerWrite = 32;
const writeBytesMax = 256 << 10;

/** What tables are written where. */
export interface OutputPlace {
  readonly directory: string;
  readonly level: number;
  readonly firstNumber: number;
  /** Numbers reserved from `firstNumber` on; the last table takes all that is left. */
  readonly numbers: number;
  readonly table: TableOptions;
  /** With a checksum of each whole file, as it is written: what is read back may be wrong in flight. */
  readonly summed?: boolean;
}

/**
 * The tables that a job writes, one after another. Syncs run beside the writing; `settled` says when all that
 * was asked for has completed. After any error the job calls `abandon`.
 */
export class TableOutput {
  readonly #disk: Disk;
  readonly #place: OutputPlace;
  readonly #wake: () => void;
  readonly #tables: TableMeta[] = [];
  /** Of the tables, if they were asked for. */
  readonly sums: number[] = [];
  #file: GatheredFile | null = null;
  #builder: TableBuilder | null = null;
  #syncedBytes = 0;
  #opened = 0;
  /** What the job keeps of its range tombstones. */
  #ranges: readonly RangeFragment[] = [];
  /** Where the last table was cut: the next one begins there. Null: there was none. */
  #cutFrom: Uint8Array | null = null;
  #syncsInFlight = 0;
  #syncError: DiskError | null = null;
  #abandoned = false;
  #scratch: Uint8Array = new Uint8Array(256);
  readonly #synced: SyncDone;
  /** What goes to the disk with the next write; one buffer serves all tables in turn. */
  readonly #gathered: Uint8Array;

  constructor(disk: Disk, place: OutputPlace, wake: () => void) {
    this.#disk = disk;
    this.#place = place;
    this.#wake = wake;
    this.#synced = (error): void => this.#onSynced(error);
    this.#gathered = new Uint8Array(Math.min(writeBytesMax, blocksPerWrite * place.table.blockBytes));
  }

  /** The tables finished so far. */
  get tables(): readonly TableMeta[] {
    return this.#tables;
  }

  /** No sync is in flight. Throws the error of one that failed. */
  get settled(): boolean {
    if (this.#syncError !== null) throw this.#syncError;
    return this.#syncsInFlight === 0;
  }

  /** Ascending and disjoint. Each table gets its part, from one cut to the next. Before the first record. */
  setRanges(ranges: readonly RangeFragment[]): void {
    this.#ranges = ranges;
  }

  add(bytes: Uint8Array, view: DataView, offset: number): void {
    const builder = this.#builder ?? this.#openTable();
    builder.add(bytes, view, offset);
    if (builder.writtenBytes - this.#syncedBytes >= syncEveryBytes) this.#startSync(builder.writtenBytes);
  }

  /** Adds a tombstone in the place of the record at `offset`. */
  addBuried(bytes: Uint8Array, view: DataView, offset: number): void {
    const imageEnd = recordHeaderBytes + readKeyLength(view, offset);
    const length = recordBytes(readKeyLength(view, offset), 0);
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length * 2);
    const scratch = this.#scratch;
    const image = viewOf(scratch);
    scratch.set(bytes.subarray(offset, offset + imageEnd));
    scratch.fill(0, imageEnd, length);
    image.setUint32(0, 0, true);
    image.setUint8(6, recordKind.tombstone);
    writeExpiresAtMs(image, 0, 0);
    this.add(scratch, image, 0);
  }

  /** Ends the table under construction when it has `tableBytes`, unless its last key goes on at `offset`. */
  cutAt(tableBytes: number, bytes: Uint8Array, view: DataView, offset: number): void {
    const builder = this.#builder;
    if (builder === null || builder.writtenBytes < tableBytes) return;
    if (this.#opened === this.#place.numbers) return;
    // All versions of a key stay in one table: a level is searched in one place only.
    if (builder.continuesKey(bytes, view, offset)) return;
    this.#finishTable(boundOf(bytes, view, offset));
  }

  /** Completes the last table, which may hold nothing but range tombstones, and starts its sync. */
  finish(): void {
    this.#finishTable(null);
  }

  /** `cut`: where the next table begins; null: there is none. */
  #finishTable(cut: Uint8Array | null): void {
    const ranges = clipFragments(this.#ranges, this.#cutFrom, cut);
    if (this.#builder === null && ranges.length === 0) return;
    const builder = this.#builder ?? this.#openTable();
    const file = this.#file;
    assert(file !== null, "a table under construction has a file");
    this.#cutFrom = cut;
    const properties = builder.finish(ranges);
    this.#startSync(builder.writtenBytes);
    this.#builder = null;
    this.#file = null;
    file.close();
    this.sums.push(file.sum);
    this.#tables.push({ ...properties, level: this.#place.level });
  }

  /** Removes what was written, as far as the disk lets it: nobody refers to it. */
  abandon(): void {
    this.#abandoned = true;
    const file = this.#file;
    this.#file = null;
    this.#builder = null;
    if (file !== null) attempt(() => file.close());
    for (let i = 0; i < this.#opened; i++) {
      const path = tablePath(this.#place.directory, this.#place.firstNumber + i);
      attempt(() => this.#disk.remove(path));
    }
  }

  #openTable(): TableBuilder {
    assert(this.#opened < this.#place.numbers, "a table has a reserved number");
    const number = this.#place.firstNumber + this.#opened;
    const opened = this.#disk.open(tablePath(this.#place.directory, number), "create");
    const file = new GatheredFile(opened, this.#gathered, this.#place.summed === true);
    this.#file = file;
    this.#opened++;
    this.#syncedBytes = 0;
    this.#builder = new TableBuilder(file, number, this.#place.table);
    return this.#builder;
  }

  #startSync(writtenBytes: number): void {
    assert(this.#file !== null, "a table that is synced is open");
    this.#syncedBytes = writtenBytes;
    this.#syncsInFlight++;
    this.#file.sync(this.#synced);
  }

  #onSynced(error: DiskError | null): void {
    this.#syncsInFlight--;
    assert(this.#syncsInFlight >= 0, "a sync completes once");
    this.#syncError ??= error;
    if (!this.#abandoned) this.#wake();
  }
}

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
