import { assert } from "../assert.ts";
import type { Disk } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import { type ValueRules, ValueSeparator } from "../vlog/value-separator.ts";
import type { DropRules } from "./drop-rules.ts";
import { JobTables } from "./job-tables.ts";
import { MergeJob } from "./merge-job.ts";
import type { MergeInput, MergeSource } from "./merge-job.ts";
import { RangeTombstones } from "./range-tombstones.ts";
import type { TableOptions } from "./table-builder.ts";
import type { TableMeta } from "./table-meta.ts";
import { TableOutput } from "./table-output.ts";

/** Tables become other tables, without what nobody needs any more. */
export interface CompactionJob extends Job {
  readonly kind: "compaction";
  readonly directory: string;
  readonly inputs: readonly TableMeta[];
  readonly outputLevel: number;
  readonly firstTableNumber: number;
  /** Numbers reserved: `outputTablesMax`. */
  readonly tableNumbers: number;
  /** An output ends here, at the next key. */
  readonly tableBytes: number;
  readonly table: TableOptions;
  readonly drop: DropRules;
  readonly values: ValueRules;
}

export interface CompactionResult extends JobResult {
  readonly kind: "compaction";
  /** Durable in content; the caller syncs the directory. Empty when nobody needs any record. */
  readonly tables: readonly TableMeta[];
  /** Value files that came into use, durable in content as well. */
  readonly values: readonly ValueFileMeta[];
  readonly separatedCount: number;
  readonly relocatedCount: number;
  readonly relocatedBytes: number;
}

export class CompactionMachine implements JobMachine {
  readonly #merge: MergeJob;
  readonly #values: ValueSeparator;
  result: CompactionResult | null = null;

  constructor(disk: Disk, job: CompactionJob, wake: () => void) {
    assert(job.inputs.length > 0, "a compaction has inputs");
    assert(job.outputLevel > 0, "level 0 is only flushed to");
    const place = {
      directory: job.directory,
      level: job.outputLevel,
      firstNumber: job.firstTableNumber,
      numbers: job.tableNumbers,
      table: job.table,
    };
    const output = new TableOutput(disk, place, wake);
    this.#values = new ValueSeparator(disk, job.directory, job.values, wake);
    const input = new CompactionInput(disk, job);
    const parts = { input, output, values: this.#values, tableBytes: job.tableBytes };
    this.#merge = new MergeJob(parts, job.drop);
  }

  step(budgetBytes: number): JobState {
    const state = this.#merge.step(budgetBytes);
    if (state !== "done") return state;
    const { files, separatedCount, relocatedCount, relocatedBytes } = this.#values;
    const { tables } = this.#merge;
    this.result = { kind: "compaction", tables, values: files, separatedCount, relocatedCount, relocatedBytes };
    return state;
  }
}

class CompactionInput implements MergeInput {
  readonly #job: CompactionJob;
  readonly #tables: JobTables;

  constructor(disk: Disk, job: CompactionJob) {
    this.#job = job;
    this.#tables = new JobTables(disk, job.directory, job.inputs, job.table.blockBytes);
  }

  open(): MergeSource {
    const { inputs, drop } = this.#job;
    const ranges = RangeTombstones.ofFragments(this.#tables.ranges(inputs));
    // What range tombstones hide from everybody need not be read to be dropped.
    const read = inputs.filter((table) => !isHidden(table, ranges, drop));
    return { cursor: this.#tables.cursor(read), ranges };
  }

  close(): void {
    this.#tables.close();
  }
}

/** Nobody reads any record of the table: range tombstones newer than all of them hide all it reaches. */
function isHidden(table: TableMeta, ranges: RangeTombstones, drop: DropRules): boolean {
  if (ranges.count === 0 || table.recordCount === 0) return table.recordCount === 0;
  // Up to the first version at which somebody may read one of its records, a tombstone must have come.
  const pin = drop.pins.find((version) => version >= table.minVersion) ?? Infinity;
  const firstReader = Math.min(pin, drop.horizonVersion);
  return ranges.hidesAll(table, table.pointMaxVersion, firstReader);
}
