import type { Disk } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";
import type { DropRules } from "./drop-rules.ts";
import { MemtableCursor } from "./memtable-cursor.ts";
import { MergeJob } from "./merge-job.ts";
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
  readonly table: TableOptions;
  readonly drop: DropRules;
}

export interface FlushResult extends JobResult {
  readonly kind: "flush";
  /** Durable in content; the caller syncs the directory. Empty when nobody needs any record. */
  readonly tables: readonly TableMeta[];
}

export class FlushMachine implements JobMachine {
  readonly #merge: MergeJob;
  result: FlushResult | null = null;

  constructor(disk: Disk, job: FlushJob, wake: () => void) {
    const place = {
      directory: job.directory, level: 0, firstNumber: job.tableNumber, numbers: 1, table: job.table,
    };
    const input = { open: (): MemtableCursor => sortedCursor(job), close: (): void => {} };
    const output = new TableOutput(disk, place, wake);
    // One flush, one table: several of one memtable would bring level 0 closer to its bound for nothing.
    this.#merge = new MergeJob(input, output, job.drop, Number.MAX_SAFE_INTEGER);
  }

  step(budgetBytes: number): JobState {
    const state = this.#merge.step(budgetBytes);
    if (state === "done") this.result = { kind: "flush", tables: this.#merge.tables };
    return state;
  }
}

function sortedCursor(job: FlushJob): MemtableCursor {
  const view = viewOf(job.arena);
  const sorted = job.offsets.slice();
  sortRecords(job.arena, view, sorted);
  return new MemtableCursor(job.arena, view, sorted, new Uint32Array(0));
}
