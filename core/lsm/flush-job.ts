import type { Disk } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";
import { readKind, readValueLength, recordBytesAt, recordKind } from "../bytes/record.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import { noValueRules, ValueSeparator } from "../vlog/value-separator.ts";
import { DropJudge, type DropRules } from "./drop-rules.ts";
import { MemtableCursor } from "./memtable-cursor.ts";
import { MergeJob } from "./merge-job.ts";
import type { MergeSource } from "./merge-job.ts";
import { rangeTombstoneAt, RangeTombstones } from "./range-tombstones.ts";
import { sortRecords } from "./record-sort.ts";
import type { TableOptions } from "./table-builder.ts";
import { viewOf } from "./table-format.ts";
import type { TableMeta } from "./table-meta.ts";
import { TableOutput } from "./table-output.ts";

/** A memtable becomes a table of level 0. */
export interface FlushJob extends Job {
  readonly kind: "flush";
  readonly directory: string;
  readonly tableNumber: number;
  /** Shared memory; nobody writes the records in it any more. */
  readonly arena: Uint8Array;
  /** Of all records, distinct in (family, key, version); in any order, sorted ones cost less. */
  readonly offsets: Uint32Array;
  /** Of all range tombstones, in any order. */
  readonly rangeOffsets: Uint32Array;
  readonly table: TableOptions;
  readonly drop: DropRules;
  readonly values: FlushValues;
}

/** What becomes of the large values of a memtable. */
export interface FlushValues {
  /** Values of at least so many bytes are separated; 0: none. */
  readonly thresholdBytes: number;
  /** Of the value file that they are copied to, if they are. */
  readonly fileNumber: number;
  /** The log segment whose image the arena is: if most of it is such values, it is kept instead. */
  readonly segmentNumber: number;
  readonly segmentBytes: number;
}

export interface FlushResult extends JobResult {
  readonly kind: "flush";
  /** Durable in content; the caller syncs the directory. Empty when nobody needs any record. */
  readonly tables: readonly TableMeta[];
  /**
   * The value file that the table points to, if any. Of kind "log": the segment is kept, and the caller makes it
   * durable before the table comes into use.
   */
  readonly values: readonly ValueFileMeta[];
  readonly separatedCount: number;
}

export class FlushMachine implements JobMachine {
  readonly #merge: MergeJob;
  readonly #values: ValueSeparator;
  result: FlushResult | null = null;

  constructor(disk: Disk, job: FlushJob, wake: () => void) {
    const place = {
      directory: job.directory, level: 0, firstNumber: job.tableNumber, numbers: 1, table: job.table,
    };
    const { thresholdBytes, fileNumber } = job.values;
    const rules = {
      ...noValueRules, thresholdBytes, firstNumber: fileNumber, numbers: 1, fileBytes: job.arena.length,
    };
    this.#values = new ValueSeparator(disk, job.directory, rules, wake);
    const input = { open: (): MergeSource => this.#open(job), close: (): void => {} };
    const output = new TableOutput(disk, place, wake);
    // One flush, one table: several of one memtable would bring level 0 closer to its bound for nothing.
    const parts = { input, output, values: this.#values, tableBytes: Number.MAX_SAFE_INTEGER };
    this.#merge = new MergeJob(parts, job.drop);
  }

  step(budgetBytes: number): JobState {
    const state = this.#merge.step(budgetBytes);
    if (state !== "done") return state;
    const { files, separatedCount } = this.#values;
    this.result = { kind: "flush", tables: this.#merge.tables, values: files, separatedCount };
    return state;
  }

  #open(job: FlushJob): MergeSource {
    const view = viewOf(job.arena);
    const sorted = job.offsets.slice();
    sortRecords(job.arena, view, sorted);
    const tombstones = Array.from(job.rangeOffsets, (offset) => rangeTombstoneAt(job.arena, view, offset));
    const ranges = RangeTombstones.of(tombstones);
    if (isMostlyValues(job, view, sorted, ranges)) {
      const { segmentNumber, segmentBytes } = job.values;
      this.#values.keepSegment({ number: segmentNumber, sizeBytes: segmentBytes });
    }
    const cursor = new MemtableCursor(job.arena, view, sorted, new Uint32Array(0), Number.MAX_SAFE_INTEGER);
    return { cursor, ranges };
  }
}

/**
 * Whether at least 7/8 of the segment are large values that the table will point to: then it is cheaper to keep it
 * as it is than to copy them.
 */
// oxlint-disable-next-line max-params
function isMostlyValues(
  job: FlushJob,
  view: DataView,
  sorted: Uint32Array,
  ranges: RangeTombstones,
): boolean {
  const { thresholdBytes, segmentBytes } = job.values;
  if (thresholdBytes === 0) return false;
  const needed = Math.ceil((segmentBytes * 7) / 8);
  if (largeBytes(view, sorted, thresholdBytes, null) < needed) return false;
  return largeBytes(view, sorted, thresholdBytes, new DropJudge(job.drop, ranges)) >= needed;
}

/** Bytes of the images whose values are large; with a judge, of those that somebody may still read. */
// oxlint-disable-next-line max-params
function largeBytes(
  view: DataView,
  sorted: Uint32Array,
  thresholdBytes: number,
  judge: DropJudge | null,
): number {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let sum = 0;
  for (let i = 0; i < sorted.length; i++) {
    const offset = sorted[i] as number;
    const verdict = judge === null ? "keep" : judge.judge(bytes, view, offset);
    if (verdict !== "keep" || readKind(view, offset) !== recordKind.value) continue;
    if (readValueLength(view, offset) >= thresholdBytes) sum += recordBytesAt(view, offset);
  }
  return sum;
}
