import { compactionAfterManifest, compactionBeforeManifest } from "../../failpoints/catalog.ts";
import { assert } from "../assert.ts";
import type { Timer } from "../env/clock.ts";
import { NokvError } from "../errors.ts";
import type { JobError, JobResult } from "../env/jobs.ts";
import type { CompactionJob, CompactionResult } from "../lsm/compaction-job.ts";
import {
  type Compaction,
  outputTablesMax,
  type PickOptions,
  pickCompaction,
  pickFullCompaction,
  pickValueGarbage,
  relocatedBytesMax,
} from "../lsm/compaction-picker.ts";
import { hiddenTables, pickPressure, removalOf } from "../lsm/compaction-pressure.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import type { Version } from "../lsm/version.ts";
import { valueFilePath } from "../vlog/value-file.ts";
import type { ValueRules } from "../vlog/value-separator.ts";
import { type BackgroundContext, dropRules, jobFailure, Lane, tableOptions } from "./background.ts";
import type { ChangeOutcome } from "./table-set.ts";
import type { Done } from "./waiters.ts";

/** Bounds of the delay until tables are looked at again because their values expire. */
const staleDelayMsMin = 1_000;
const staleDelayMsMax = 3_600_000;

/** Something that needs the tables to stay as they are but for new ones of level 0. */
interface ExclusiveWork {
  /** Ends the lane's work, however it went. */
  run(): void;
  failed(error: NokvError): void;
}

/** Merges tables so that reads look into few of them and what nobody reads goes away. */
export class Compactor {
  readonly #context: BackgroundContext;
  readonly #flushes: Lane;
  readonly lane: Lane;
  /** Callers who want everything merged; served together by the next compaction. */
  #manual: Done[] = [];
  compactionCount = 0;
  movedCount = 0;
  bytesCompacted = 0;
  /** Compactions that began because of garbage in value files. */
  collectionCount = 0;
  valuesSeparated = 0;
  valuesRelocated = 0;
  valueBytesRelocated = 0;
  valueBytesWritten = 0;
  /** Callers whose tables are merged, and who wait for the garbage of that to be collected. */
  #collecting: Done[] = [];
  /** Damaged value files: whatever is still good in them stays there. */
  readonly #spoiled = new Set<number>();
  /** Value files that the machine refused to read: left alone until a compaction succeeds. */
  readonly #refused = new Set<number>();
  /** Why no compaction begins any more; null: they do. */
  #stopped: NokvError | null = null;
  /** Work on the set of tables that no compaction may run beside. */
  readonly #exclusive: ExclusiveWork[] = [];
  #waitsForPins = false;
  #staleTimer: Timer | null = null;
  /** Tables dropped unread, since range tombstones hid all of them. */
  removedCount = 0;

  constructor(context: BackgroundContext, flushes: Lane) {
    this.#context = context;
    this.#flushes = flushes;
    this.lane = new Lane(context, "compaction");
  }

  /** Begins a compaction if one is due and none runs. */
  kick(): void {
    if (!this.lane.ready) return;
    const exclusive = this.#exclusive.shift();
    if (exclusive !== undefined) return exclusive.run();
    const { tables, options } = this.#context;
    const manual = this.#manual;
    const version = tables.current.version;
    if (manual.length === 0) this.#tellCollected();
    const compaction =
      manual.length > 0
        ? pickFullCompaction(version, options, this.#unreadable())
        : this.#pick(version);
    this.#manual = [];
    if (compaction === null) {
      for (const done of manual) done(null);
      return;
    }
    this.lane.begin();
    for (const done of manual) this.lane.afterNext((error) => this.#merged(done, error));
    if (compaction.reason === "hidden") return this.#remove(compaction);
    if (compaction.trivialMove) return this.#move(compaction);
    this.#context.env.jobs.run(this.#job(compaction), (error, result) => {
      this.#ended(compaction, error, result);
    });
  }

  /** A walk began: often enough, and level 0 is worth merging before it is full. */
  noteWalk(): void {
    const { tables, options } = this.#context;
    const { current } = tables;
    // Once per version; what runs meanwhile looks again at its end.
    if (current.walkCount === current.walksWorthMerging(options.walkWorthBytes)) this.kick();
  }

  /** A snapshot was released, or the safe point moved: what waited for that may be due. */
  pinsMoved(): void {
    if (this.#waitsForPins) this.kick();
  }

  /** Merges all tables there are; `done` when that is over. */
  compactAll(done: Done): void {
    if (this.#stopped !== null) return done(this.#stopped);
    this.#manual.push(done);
    this.kick();
  }

  /** Runs `work` while no compaction does. Rejects as it does, and when the store ends before its turn. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      // Who was flushing when the store ended comes here afterwards.
      if (this.#stopped !== null) return reject(this.#stopped);
      const run = (): void => {
        this.lane.begin();
        this.lane.isLent = true;
        work().then(
          (value) => {
            this.lane.isLent = false;
            this.lane.succeed();
            resolve(value);
          },
          (error: unknown) => {
            this.lane.isLent = false;
            // Anything else ends the incarnation or the program. Whoever asked decides whether to try again.
            if (error instanceof NokvError) this.lane.abandon(error);
            reject(error);
          },
        );
      };
      this.#exclusive.push({ run, failed: reject });
      this.kick();
    });
  }

  /** No further compaction begins. */
  stop(error: NokvError): void {
    this.lane.stop(error);
    this.#stopped = error;
    for (const work of this.#exclusive.splice(0)) work.failed(error);
    this.#staleTimer?.cancel();
    this.#staleTimer = null;
    for (const done of this.#manual.splice(0)) done(error);
    for (const done of this.#collecting.splice(0)) done(error);
  }

  /** What costs nothing first, then what is over a bound, then what is mostly dead. */
  #pick(version: Version): Compaction | null {
    const { tables, options } = this.#context;
    const { hasRanges } = tables.current;
    const { pins: pinned, horizonVersion, ...rest } = dropRules(this.#context, false);
    const hidden = hasRanges ? hiddenTables(version, tables.current.ranges, pinned, horizonVersion) : [];
    if (hidden.length > 0) return removalOf(hidden);
    const overfull = pickCompaction(version, this.#pickOptions(), [], this.#unreadable());
    if (overfull !== null) return overfull;
    const hidesMore = hasRanges && pinned.length > 0;
    const held = hidesMore ? hiddenTables(version, tables.current.ranges, [], horizonVersion) : [];
    const readers = { firstPin: pinned[0] ?? Infinity, horizonVersion, ...rest };
    const { compaction, waitsForPins, staleAtMs } = pickPressure(version, options, readers);
    this.#waitsForPins = waitsForPins || held.length > 0;
    this.#kickAt(compaction === null ? staleAtMs : Infinity, readers.nowMs);
    return compaction;
  }

  /** Values expire without anybody's doing: somebody must look again. */
  #kickAt(instantMs: number, nowMs: number): void {
    this.#staleTimer?.cancel();
    this.#staleTimer = null;
    // A safe point does not move with time: whoever moves it kicks.
    if (instantMs === Infinity || this.#context.safePoint !== null) return;
    const delayMs = Math.min(staleDelayMsMax, Math.max(staleDelayMsMin, instantMs - nowMs));
    this.#staleTimer = this.#context.env.clock.after(delayMs * 1000, () => {
      this.#staleTimer = null;
      this.kick();
    });
  }

  /** A merge of everything ended; what it made garbage of is still to be collected. */
  #merged(done: Done, error: NokvError | null): void {
    if (error !== null || this.#stopped !== null) return done(error);
    this.#collecting.push(done);
  }

  #tellCollected(): void {
    if (this.#collecting.length === 0) return;
    const { tables, options } = this.#context;
    if (pickValueGarbage(tables.current.version, options, [], this.#unreadable()) !== null) return;
    for (const done of this.#collecting.splice(0)) done(null);
  }

  #fail(error: NokvError): void {
    for (const done of this.#collecting.splice(0)) done(error);
    this.lane.fail(error, () => this.kick());
  }

  #unreadable(): ReadonlySet<number> {
    return this.#refused.size === 0 ? this.#spoiled : new Set([...this.#spoiled, ...this.#refused]);
  }

  /** A value that can not be read must not keep everything else from being merged. */
  #noteUnreadable(compaction: Compaction, error: NokvError): void {
    for (const number of compaction.relocate) {
      const file = this.#context.tables.current.version.values.find((usage) => usage.file.number === number)?.file;
      if (file === undefined || error.path !== valueFilePath(this.#context.directory, file)) continue;
      (error.code === "NOKV_CORRUPTION" ? this.#spoiled : this.#refused).add(number);
    }
  }

  #pickOptions(): PickOptions {
    const { tables, options, write } = this.#context;
    const { current } = tables;
    const walkedOften = current.walkCount >= current.walksWorthMerging(options.walkWorthBytes);
    if (walkedOften) return { ...options, level0TablesMax: 1 };
    // While writes come faster than they are flushed, a merge would slow the flushes, and the more tables it takes the
    // less often level 1 is written anew. Well before writes are slowed for it.
    if (write.memtables.immutableCount === 0 || this.#flushes.failure !== null) return options;
    const { level0TablesMax, level0TablesStop } = options;
    return { ...options, level0TablesMax: level0TablesMax + ((level0TablesStop - level0TablesMax) >>> 2) };
  }

  #job(compaction: Compaction): CompactionJob {
    const { directory, options, numbers } = this.#context;
    const tableNumbers = outputTablesMax(compaction.inputs, options.tableBytes);
    return {
      kind: "compaction",
      directory,
      inputs: compaction.inputs,
      outputLevel: compaction.outputLevel,
      firstTableNumber: numbers.allocate(tableNumbers),
      tableNumbers,
      tableBytes: options.tableBytes,
      table: tableOptions(options),
      drop: dropRules(this.#context, compaction.bottom),
      values: this.#valueRules(compaction),
    };
  }

  #valueRules(compaction: Compaction): ValueRules {
    const { options, numbers, tables } = this.#context;
    const { inputs, relocate } = compaction;
    const pointed = new Set(inputs.flatMap((table) => table.valueRefs.map((ref) => ref.file)));
    const fileBytes = options.tableBytes;
    const fileNumbers = Math.floor(relocatedBytesMax(inputs, relocate) / fileBytes) + 1;
    return {
      thresholdBytes: options.valueThresholdBytes,
      files: tables.current.version.valueFiles().filter((file) => pointed.has(file.number)),
      relocate,
      firstNumber: numbers.allocate(fileNumbers),
      numbers: fileNumbers,
      fileBytes,
    };
  }

  #ended(compaction: Compaction, error: JobError | null, result: JobResult | null): void {
    if (error !== null) {
      const failure = jobFailure(error, "a compaction failed");
      this.#noteUnreadable(compaction, failure);
      return this.#fail(failure);
    }
    assert(result !== null, "a job that ends without an error has a result");
    assert(result.kind === "compaction", "the result is that of the job");
    const made = result as CompactionResult;
    const { env, tables } = this.#context;
    env.failpoints.hit(compactionBeforeManifest);
    const removed = numbersOf(compaction.inputs);
    // One edit: inputs and outputs are never both there, nor both gone.
    const change = { added: made.tables, removed, valuesAdded: made.values };
    tables.change(change, (outcome) => this.#changed(compaction, made, outcome));
  }

  #changed(compaction: Compaction, made: CompactionResult, outcome: ChangeOutcome): void {
    const { tables } = this.#context;
    if (outcome.kind === "poisoned") return this.lane.abandon(outcome.error);
    if (outcome.kind === "refused") {
      tables.removeFiles(made.tables);
      tables.removeValues(made.values);
      return this.#fail(outcome.error);
    }
    if (compaction.inputs.some((table) => table.rangeTombstoneCount > 0)) this.#context.rangesGone();
    this.#count(compaction, made);
    this.#leave(compaction);
  }

  #count(compaction: Compaction, made: CompactionResult): void {
    this.#refused.clear();
    this.compactionCount++;
    if (compaction.reason === "value-garbage") this.collectionCount++;
    for (const table of made.tables) this.bytesCompacted += table.sizeBytes;
    for (const file of made.values) this.valueBytesWritten += file.sizeBytes;
    this.valuesSeparated += made.separatedCount;
    this.valuesRelocated += made.relocatedCount;
    this.valueBytesRelocated += made.relocatedBytes;
  }

  /** The inputs are in no version that is still to come. */
  #leave(compaction: Compaction): void {
    const { env, tables } = this.#context;
    env.failpoints.hit(compactionAfterManifest);
    // Only now: the manifest that is durable no longer names them. And all of it belongs to the compaction: no other
    // takes room on the disk before this one has given its own back.
    tables.retire(compaction.inputs, () => this.lane.succeed());
  }

  /** Tables that nobody reads leave without a job. */
  #remove(compaction: Compaction): void {
    this.#context.tables.change({ removed: numbersOf(compaction.inputs) }, (outcome) => {
      if (outcome.kind === "poisoned") return this.lane.abandon(outcome.error);
      if (outcome.kind === "refused") return this.#fail(outcome.error);
      this.removedCount += compaction.inputs.length;
      this.#leave(compaction);
    });
  }

  /** A table that overlaps nothing below changes its level as it is. */
  #move(compaction: Compaction): void {
    const added = compaction.inputs.map((table) => ({ ...table, level: compaction.outputLevel }));
    this.#context.tables.change({ added, removed: numbersOf(compaction.inputs) }, (outcome) => {
      if (outcome.kind === "poisoned") return this.lane.abandon(outcome.error);
      if (outcome.kind === "refused") return this.#fail(outcome.error);
      this.movedCount++;
      this.lane.succeed();
    });
  }
}

function numbersOf(tables: readonly TableMeta[]): number[] {
  return tables.map((table) => table.number);
}
