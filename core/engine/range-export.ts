import { compareKeys } from "../bytes/record.ts";
import { DiskError } from "../env/disk.ts";
import { NokvError } from "../errors.ts";
import type { Clip } from "../lsm/clipped-cursor.ts";
import { outputTablesMax } from "../lsm/compaction-picker.ts";
import type { CopyJob } from "../lsm/copy-job.ts";
import { tableFileName } from "../lsm/table-meta.ts";
import { noValueRules } from "../vlog/value-separator.ts";
import { DirectorySync } from "../wal/directory-sync.ts";
import { type BackgroundContext, dropRules, tableOptions } from "./background.ts";
import { enterEmptyDirectory } from "./directory.ts";
import { closed, invalidArgument, refusal } from "./failure.ts";
import type { Flusher } from "./flusher.ts";
import { reaches } from "./range-cut.ts";
import type { KeyRange } from "./range-estimate.ts";
import type { HeldTables } from "./table-set.ts";
import { clipOf, runCopy } from "./table-transfer.ts";

/** A file of an export, checked as a whole. */
export interface ExportedFile {
  /** In the directory of the export. */
  readonly name: string;
  readonly sizeBytes: number;
  /** CRC-32 of all bytes. */
  readonly crc: number;
}

/** What ranges held at one moment, as tables that `replace` takes. Durable. */
export interface RangeExport {
  readonly directory: string;
  /** By name. */
  readonly files: readonly ExportedFile[];
  readonly records: number;
  readonly bytes: number;
}

/**
 * Writes whole ranges out as they are at the moment of the call, while writes go on: what is in memory then is sealed,
 * and the tables that it becomes are held before anything later joins them.
 */
export class RangeExporter {
  readonly #context: BackgroundContext;
  readonly #flusher: Flusher;
  readonly #running = new Set<Promise<unknown>>();

  constructor(context: BackgroundContext, flusher: Flusher) {
    this.#context = context;
    this.#flusher = flusher;
  }

  exportAt(ranges: readonly KeyRange[], directory: string): Promise<RangeExport> {
    const clips = clipsOf(ranges);
    // Both at once: nothing may be written between the call and the seal.
    const running = this.#run(clips, directory, this.#seal());
    this.#running.add(running);
    const forget = (): void => void this.#running.delete(running);
    running.then(forget, forget);
    return running;
  }

  /** No job is under way any more: in a closed engine each export ends with its present one. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  /** The tables that everything applied by now is in, and nothing else. */
  #seal(): Promise<HeldTables> {
    const { write, tables } = this.#context;
    const { memtables } = write;
    if (!memtables.active.memtable.isEmpty) write.rotate(0);
    return new Promise((resolve, reject) => {
      this.#flusher.whenFlushed(memtables.newestSealed, (error) => {
        // In this very turn: the next flush has not begun.
        if (error === null) resolve(tables.hold());
        else reject(error);
      });
    });
  }

  async #run(clips: readonly Clip[], directory: string, sealed: Promise<HeldTables>): Promise<RangeExport> {
    const { env } = this.#context;
    const entered = enterEmptyDirectory(env, directory, "an export");
    const [held, entry] = await Promise.all([sealed, settled(entered)]);
    try {
      if (entry !== null) throw entry;
      const made = await this.#copy(held, clips, directory);
      await syncEntries(this.#context, directory);
      return made;
    } catch (error) {
      if (error instanceof DiskError) throw refusal(error, `the export to ${directory} failed`);
      throw error;
    } finally {
      await new Promise<void>((resolve) => held.release(resolve));
    }
  }

  /** Range by range, so that each table lies within one. */
  async #copy(held: HeldTables, clips: readonly Clip[], directory: string): Promise<RangeExport> {
    const { options, directory: from } = this.#context;
    const files = held.version.valueFiles();
    const made: ExportedFile[] = [];
    let records = 0;
    let bytes = 0;
    let firstTableNumber = 1;
    for (const clip of clips) {
      if (!this.#context.active) throw closed("database");
      const inputs = held.version.tables().filter((table) => reaches(table, clip));
      if (inputs.length === 0) continue;
      const valueBytes = held.version.values.reduce((sum, { liveBytes }) => sum + liveBytes, 0);
      const tableNumbers = outputTablesMax(inputs, options.tableBytes) + Math.ceil(valueBytes / options.tableBytes);
      const job: CopyJob = {
        kind: "copy",
        from,
        inputs,
        clip,
        to: directory,
        level: 1,
        firstTableNumber,
        tableNumbers,
        tableBytes: options.tableBytes,
        table: tableOptions(options),
        // All that there is of the keys is in the inputs.
        drop: dropRules(this.#context, true),
        // Every value comes into the tables: they must stand on their own.
        values: { ...noValueRules, files, relocate: files.map((file) => file.number) },
        valueDirectory: from,
        summed: true,
      };
      const { tables, sums } = await runCopy(this.#context, job, "the export failed");
      for (const [i, { number, sizeBytes, recordCount }] of tables.entries()) {
        made.push({ name: tableFileName(number), sizeBytes, crc: sums[i] ?? 0 });
        records += recordCount;
        bytes += sizeBytes;
      }
      firstTableNumber += tableNumbers;
    }
    return { directory, files: made, records, bytes };
  }
}

/** Ascending. Throws `NOKV_INVALID_ARGUMENT` for ranges that are empty, or have something in common. */
export function clipsOf(ranges: readonly KeyRange[]): Clip[] {
  const clips = ranges.map((range) => clipOf(range, Number.MAX_SAFE_INTEGER));
  clips.sort((a, b) => compareKeys(a.from, b.from));
  for (let i = 1; i < clips.length; i++) {
    const [before, clip] = [clips[i - 1] as Clip, clips[i] as Clip];
    if (compareKeys(before.to, clip.from) > 0) throw invalidArgument("ranges overlap");
  }
  return clips;
}

function syncEntries({ env }: BackgroundContext, directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    new DirectorySync(env.disk, directory).sync((error) => (error === null ? resolve() : reject(error)));
  });
}

/** What it was refused with; null: it was not. */
async function settled(work: Promise<void>): Promise<Error | null> {
  try {
    await work;
    return null;
  } catch (error) {
    if (error instanceof DiskError || error instanceof NokvError) return error;
    throw error;
  }
}
