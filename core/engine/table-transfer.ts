import { compareKeys } from "../bytes/record.ts";
import { DiskError } from "../env/disk.ts";
import type { JobError, JobResult } from "../env/jobs.ts";
import { BlockCache } from "../lsm/block-cache.ts";
import type { Clip } from "../lsm/clipped-cursor.ts";
import type { CopyJob, CopyResult } from "../lsm/copy-job.ts";
import { outputTablesMax } from "../lsm/compaction-picker.ts";
import { type DropRules, versionMs } from "../lsm/drop-rules.ts";
import { bound, rangesOverlap, type TableMeta, tablePath } from "../lsm/table-meta.ts";
import { TableReader } from "../lsm/table-reader.ts";
import { levelsMax, type Version } from "../lsm/version.ts";
import { noValueRules, type ValueRules } from "../vlog/value-separator.ts";
import { DirectorySync } from "../wal/directory-sync.ts";
import { type BackgroundContext, jobFailure, tableOptions } from "./background.ts";
import { enterEmptyDirectory } from "./directory.ts";
import { invalidArgument, refusal } from "./failure.ts";
import { ownFile } from "./file-names.ts";
import { isWithin, reaches } from "./range-cut.ts";
import type { KeyRange } from "./range-estimate.ts";

/** Tables that were prepared for another database: `ingest` takes them. */
export interface Export {
  readonly directory: string;
  /** They hold nothing later. */
  readonly version: number;
  readonly tables: number;
  readonly records: number;
  readonly bytes: number;
}

/** What of a range goes into an export. */
export interface ExportWish {
  readonly range: KeyRange;
  /** As of this version. */
  readonly version: number;
  /** With all older versions, deletes and lifetimes that tables still hold; else what can be read then. */
  readonly history: boolean;
}

/** Keeps everything. */
export const keepAll: DropRules = { pins: [], horizonVersion: 0, nowMs: 0, bottom: false };

export function clipOf(range: KeyRange, upToVersion: number): Clip {
  const { family, start, end } = range;
  if (end !== null && compareKeys(start, end) >= 0) throw invalidArgument("a range begins below its end");
  const to = end === null ? Uint8Array.of(family + 1) : bound(family, end);
  return { from: bound(family, start), to, upToVersion };
}

/**
 * Writes what the tables of `version` hold of a range into `directory`, which must be empty or not exist. The
 * result is durable; a crash before that leaves a directory that nobody was told of.
 */
export async function exportTables(
  context: BackgroundContext,
  version: Version,
  wish: ExportWish,
  directory: string,
): Promise<Export> {
  const { env, options } = context;
  const clip = clipOf(wish.range, wish.version);
  try {
    await enterEmptyDirectory(env, directory, "an export");
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `entering ${directory} failed`);
    throw error;
  }
  const inputs = version.tables().filter((table) => reaches(table, clip));
  if (inputs.length === 0) return { directory, version: wish.version, tables: 0, records: 0, bytes: 0 };
  const files = version.valueFiles();
  const job: CopyJob = {
    kind: "copy",
    from: context.directory,
    inputs,
    clip,
    to: directory,
    level: 1,
    firstTableNumber: 1,
    tableNumbers: outputTablesMax(inputs, options.tableBytes) + files.length,
    tableBytes: options.tableBytes,
    table: tableOptions(options),
    drop: wish.history ? keepAll : readableAt(wish.version),
    // Every value comes into the tables: they must stand on their own.
    values: { ...noValueRules, files, relocate: files.map((file) => file.number) },
    valueDirectory: context.directory,
  };
  const { tables } = await runCopy(context, job, "the export failed");
  await new Promise<void>((resolve, reject) => {
    new DirectorySync(env.disk, directory).sync((error) => {
      if (error === null) resolve();
      else reject(refusal(error, `syncing ${directory} failed`));
    });
  });
  let records = 0;
  let bytes = 0;
  for (const table of tables) {
    records += table.recordCount;
    bytes += table.sizeBytes;
  }
  return { directory, version: wish.version, tables: tables.length, records, bytes };
}

/** What is not read at `version` is left out, and nothing below needs a tombstone. */
function readableAt(version: number): DropRules {
  return { pins: [version], horizonVersion: version, nowMs: versionMs(version), bottom: true };
}

/** The prepared tables in `directory`, each checked to lie within one of `clips`, which they are to go into. */
export function preparedTables(context: BackgroundContext, directory: string, clips: readonly Clip[]): TableMeta[] {
  const { disk } = context.env;
  const prepared: TableMeta[] = [];
  try {
    for (const name of disk.list(directory)) {
      const file = ownFile(name);
      if (file?.kind !== "table") continue;
      const reader = TableReader.open(disk, tablePath(directory, file.number), file.number, new BlockCache(0, 1));
      // Each is a run of its own: nothing is assumed about how they were made.
      prepared.push({ ...reader.properties, level: 0 });
      reader.close();
    }
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `reading ${directory} failed`);
    throw error;
  }
  for (const table of prepared) checkPrepared(directory, table, clips);
  return prepared;
}

function checkPrepared(directory: string, table: TableMeta, clips: readonly Clip[]): void {
  const path = tablePath(directory, table.number);
  if (!clips.some((clip) => isWithin(table, clip))) {
    throw invalidArgument(`${path} holds keys outside the range that it is to go into`);
  }
  if (table.valueRefs.length > 0) {
    throw invalidArgument(`${path} points to value files of another database; use tables that were exported`);
  }
}

/** The copy of prepared tables into this database's directory, as tables that nothing names yet. */
export function ingestJob(context: BackgroundContext, from: string, inputs: TableMeta[], clip: Clip): CopyJob {
  const { options, numbers, directory } = context;
  const tableNumbers = outputTablesMax(inputs, options.tableBytes);
  return {
    kind: "copy",
    from,
    inputs,
    clip,
    to: directory,
    level: 0,
    firstTableNumber: numbers.allocate(tableNumbers),
    tableNumbers,
    tableBytes: options.tableBytes,
    table: tableOptions(options),
    drop: keepAll,
    values: valueRulesFor(context, inputs),
    valueDirectory: directory,
  };
}

function valueRulesFor(context: BackgroundContext, inputs: readonly TableMeta[]): ValueRules {
  const { options, numbers } = context;
  const fileBytes = options.tableBytes;
  const totalBytes = inputs.reduce((sum, table) => sum + table.rawBytes, 0);
  const count = Math.floor(totalBytes / fileBytes) + 1;
  return {
    ...noValueRules,
    thresholdBytes: options.valueThresholdBytes,
    firstNumber: numbers.allocate(count),
    numbers: count,
    fileBytes,
  };
}

/** The deepest level in which tables of this range meet no other; 0 when there is none. */
export function freeLevel(version: Version, tables: readonly TableMeta[]): number {
  for (let level = levelsMax - 1; level > 0; level--) {
    const meets = version.level(level).some((other) => tables.some((table) => rangesOverlap(other, table)));
    if (!meets) return level;
  }
  return 0;
}

export function runCopy(context: BackgroundContext, job: CopyJob, what: string): Promise<CopyResult> {
  return new Promise((resolve, reject) => {
    context.env.jobs.run(job, (error: JobError | null, result: JobResult | null) => {
      if (error === null) resolve(result as CopyResult);
      else reject(jobFailure(error, what));
    });
  });
}

