import type { Disk } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import { type ValueRules, ValueSeparator } from "../vlog/value-separator.ts";
import { type Clip, ClippedCursor } from "./clipped-cursor.ts";
import type { DropRules } from "./drop-rules.ts";
import { JobTables } from "./job-tables.ts";
import { MergeJob } from "./merge-job.ts";
import type { MergeInput, MergeSource } from "./merge-job.ts";
import { clipFragments, RangeTombstones } from "./range-tombstones.ts";
import type { TableOptions } from "./table-builder.ts";
import type { TableMeta } from "./table-meta.ts";
import { TableOutput } from "./table-output.ts";

/**
 * The part of some tables that lies within a clip becomes new tables in another directory. Every byte is
 * read through its checksum, and new ones are made for the new place.
 */
export interface CopyJob extends Job {
  readonly kind: "copy";
  readonly from: string;
  readonly inputs: readonly TableMeta[];
  readonly clip: Clip;
  readonly to: string;
  readonly level: number;
  readonly firstTableNumber: number;
  /** Numbers reserved: `outputTablesMax`. */
  readonly tableNumbers: number;
  readonly tableBytes: number;
  readonly table: TableOptions;
  readonly drop: DropRules;
  readonly values: ValueRules;
  /** Where the value files of `values` are, those to be read and those to be written. */
  readonly valueDirectory: string;
  /** The result has a checksum of each whole file. */
  readonly summed?: boolean;
}

export interface CopyResult extends JobResult {
  readonly kind: "copy";
  /** Durable in content; the caller syncs the directory. */
  readonly tables: readonly TableMeta[];
  /** Value files that came into use. */
  readonly values: readonly ValueFileMeta[];
  /** CRC-32 of the file of each table, if they were asked for. */
  readonly sums: readonly number[];
}

export class CopyMachine implements JobMachine {
  readonly #merge: MergeJob;
  readonly #values: ValueSeparator;
  readonly #output: TableOutput;
  result: CopyResult | null = null;

  constructor(disk: Disk, job: CopyJob, wake: () => void) {
    const place = {
      directory: job.to,
      level: job.level,
      firstNumber: job.firstTableNumber,
      numbers: job.tableNumbers,
      table: job.table,
      summed: job.summed === true,
    };
    const output = new TableOutput(disk, place, wake);
    this.#output = output;
    this.#values = new ValueSeparator(disk, job.valueDirectory, job.values, wake);
    const parts = { input: new CopyInput(disk, job), output, values: this.#values, tableBytes: job.tableBytes };
    this.#merge = new MergeJob(parts, job.drop);
  }

  step(budgetBytes: number): JobState {
    const state = this.#merge.step(budgetBytes);
    if (state !== "done") return state;
    this.result = { kind: "copy", tables: this.#merge.tables, values: this.#values.files, sums: this.#output.sums };
    return state;
  }
}

class CopyInput implements MergeInput {
  readonly #job: CopyJob;
  readonly #tables: JobTables;

  constructor(disk: Disk, job: CopyJob) {
    this.#job = job;
    this.#tables = new JobTables(disk, job.from, job.inputs, job.table.blockBytes);
  }

  open(): MergeSource {
    const { inputs, clip } = this.#job;
    const fragments = clipFragments(this.#tables.ranges(inputs), clip.from, clip.to);
    const ranges = fragments.flatMap(({ start, end, versions }) =>
      versions.filter((version) => version <= clip.upToVersion).map((version) => ({ start, end, version })),
    );
    const cursor = new ClippedCursor(this.#tables.cursor(inputs), clip);
    return { cursor, ranges: RangeTombstones.of(ranges) };
  }

  close(): void {
    this.#tables.close();
  }
}
