import type { Disk } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import { type ValueRules, ValueSeparator } from "../vlog/value-separator.ts";
import { BlockCache } from "./block-cache.ts";
import { type Clip, ClippedCursor } from "./clipped-cursor.ts";
import { runsOf } from "./compaction-picker.ts";
import type { DropRules } from "./drop-rules.ts";
import { LevelCursor } from "./level-cursor.ts";
import { MergeJob } from "./merge-job.ts";
import type { MergeInput, MergeSource } from "./merge-job.ts";
import { MergingCursor } from "./merging-cursor.ts";
import { clipFragments, RangeTombstones } from "./range-tombstones.ts";
import type { TableOptions } from "./table-builder.ts";
import type { TableMeta } from "./table-meta.ts";
import { TableOutput } from "./table-output.ts";
import { TableReader } from "./table-reader.ts";

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
  /** Where values are read, before they come into the tables. */
  readonly values: ValueRules;
}

export interface CopyResult extends JobResult {
  readonly kind: "copy";
  /** Durable in content; the caller syncs the directory. */
  readonly tables: readonly TableMeta[];
  /** Value files that came into use. */
  readonly values: readonly ValueFileMeta[];
}

/** What one sorted run is read ahead, and the blocks that are held of it. */
const runAheadBytes = 128 * 1024;
const runCacheBytes = 4 * runAheadBytes;

export class CopyMachine implements JobMachine {
  readonly #merge: MergeJob;
  readonly #values: ValueSeparator;
  result: CopyResult | null = null;

  constructor(disk: Disk, job: CopyJob, wake: () => void) {
    const place = {
      directory: job.to,
      level: job.level,
      firstNumber: job.firstTableNumber,
      numbers: job.tableNumbers,
      table: job.table,
    };
    const output = new TableOutput(disk, place, wake);
    // Values that are pointed to are read where the inputs are; new ones are written where the outputs are.
    this.#values = new ValueSeparator(disk, job.values.files.length > 0 ? job.from : job.to, job.values, wake);
    const parts = { input: new CopyInput(disk, job), output, values: this.#values, tableBytes: job.tableBytes };
    this.#merge = new MergeJob(parts, job.drop);
  }

  step(budgetBytes: number): JobState {
    const state = this.#merge.step(budgetBytes);
    if (state === "done") this.result = { kind: "copy", tables: this.#merge.tables, values: this.#values.files };
    return state;
  }
}

class CopyInput implements MergeInput {
  readonly #disk: Disk;
  readonly #job: CopyJob;
  readonly #readers: TableReader[] = [];
  #cursor: ClippedCursor | null = null;

  constructor(disk: Disk, job: CopyJob) {
    this.#disk = disk;
    this.#job = job;
  }

  open(): MergeSource {
    const { inputs, clip, table } = this.#job;
    const runs = runsOf(inputs);
    const cache = new BlockCache(runs.length * runCacheBytes, table.blockBytes);
    const cursors = runs.map((run) => {
      const cursor = new LevelCursor(run.map((meta) => this.#openTable(meta, cache)));
      cursor.expect({ bytes: runAheadBytes, backward: false });
      return cursor;
    });
    this.#cursor = new ClippedCursor(new MergingCursor(cursors), clip);
    const fragments = this.#readers.flatMap((reader) => clipFragments(reader.ranges, clip.from, clip.to));
    const ranges = fragments.flatMap(({ start, end, versions }) =>
      versions.filter((version) => version <= clip.upToVersion).map((version) => ({ start, end, version })),
    );
    return { cursor: this.#cursor, ranges: RangeTombstones.of(ranges) };
  }

  close(): void {
    this.#cursor?.release();
    this.#cursor = null;
    for (const reader of this.#readers.splice(0)) reader.close();
  }

  #openTable(meta: TableMeta, cache: BlockCache): TableReader {
    const reader = TableReader.openAs(this.#disk, this.#job.from, meta, cache);
    this.#readers.push(reader);
    return reader;
  }
}
