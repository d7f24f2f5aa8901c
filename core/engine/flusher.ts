import { flushAfterManifest, flushBeforeManifest } from "../../failpoints/catalog.ts";
import { assert } from "../assert.ts";
import { DiskError } from "../env/disk.ts";
import type { NokvError } from "../errors.ts";
import type { JobError, JobResult } from "../env/jobs.ts";
import type { FlushJob, FlushResult } from "../lsm/flush-job.ts";
import { type BackgroundContext, dropRules, Durations, jobFailure, Lane, tableOptions } from "./background.ts";
import { poisoned } from "./failure.ts";
import { spareName } from "./file-names.ts";
import type { MemorySegment } from "./memtables.ts";
import type { ChangeOutcome } from "./table-set.ts";
import { type Done, Waiters } from "./waiters.ts";

/** Turns full memtables into tables of level 0, the oldest first, and then drops their log segments. */
export class Flusher {
  readonly #context: BackgroundContext;
  readonly lane: Lane;
  /** From a memtable being full until its flush began; a flush that is tried again counts again. */
  readonly waited = new Durations();
  flushCount = 0;
  bytesFlushed = 0;
  valuesSeparated = 0;
  /** Log segments that became value files, and bytes of values that were copied into others. */
  segmentsKept = 0;
  valueBytesWritten = 0;
  /** Every record up to this version is in durable tables. */
  flushedVersion: number;
  readonly #waiters = new Waiters();

  constructor(context: BackgroundContext) {
    this.#context = context;
    this.lane = new Lane(context, "flush", () => context.active || context.emptying);
    // What recovery found in the log is in memory again, and newer.
    this.flushedVersion = context.tables.current.version.maxVersion();
  }

  /** Begins a flush if one is due and none runs. */
  kick(): void {
    if (!this.lane.ready) return;
    const { write } = this.#context;
    const oldest = write.memtables.oldestImmutable;
    if (oldest === null) return;
    // What may still be taken back by a crash must not become durable by another way.
    if (oldest.segment.lastVersion > write.visibleVersion) return;
    this.lane.begin();
    if (oldest.memtable.isEmpty) return this.#install(oldest, noResult);
    this.waited.add(this.#context.env.clock.monotonicUs() - oldest.fullAtUs);
    this.#context.env.jobs.run(this.#job(oldest), (error, result) => {
      this.#ended(oldest, error, result);
    });
  }

  #job(flushed: MemorySegment): FlushJob {
    const { directory, options, numbers } = this.#context;
    return {
      kind: "flush",
      directory,
      tableNumber: numbers.allocate(),
      arena: flushed.memtable.arena,
      offsets: flushed.memtable.arrivalOffsets(),
      rangeOffsets: flushed.memtable.rangeOffsets(),
      table: tableOptions(options),
      // Older versions of a key may lie in older tables: a tombstone must stay.
      drop: dropRules(this.#context, false),
      values: {
        thresholdBytes: options.valueThresholdBytes,
        fileNumber: options.valueThresholdBytes === 0 ? 0 : numbers.allocate(),
        segmentNumber: flushed.segment.number,
        segmentBytes: flushed.segment.endBytes,
      },
    };
  }

  #ended(flushed: MemorySegment, error: JobError | null, result: JobResult | null): void {
    if (error !== null) {
      return this.lane.fail(jobFailure(error, "a flush failed"), () => this.kick());
    }
    assert(result !== null, "a job that ends without an error has a result");
    assert(result.kind === "flush", "the result is that of the job");
    this.#keepSegment(flushed, result as FlushResult);
  }

  /**
   * A segment that a table points into is durable to its last byte before the manifest names the table: where the
   * log is not synced, a power loss would otherwise take values of records that are in tables.
   */
  #keepSegment(flushed: MemorySegment, result: FlushResult): void {
    if (!isKept(result)) return this.#install(flushed, result);
    const { env, write } = this.#context;
    // At once: a writer may stand still until this flush is over.
    if (flushed.segment.isDurable && write.failure === null) return this.#install(flushed, result);
    write.wal.keep(flushed.segment, (error) => {
      if (error === null) return this.#install(flushed, result);
      // Whoever owns the log hears of its failure first, and stops everything.
      env.clock.soon(() => this.lane.abandon(poisoned(error)));
    });
  }

  #install(flushed: MemorySegment, result: FlushResult): void {
    const { env, tables, write } = this.#context;
    env.failpoints.hit(flushBeforeManifest);
    // One edit: a table without its segment's end, or the other way round, would show records twice or never.
    const logNumber = write.memtables.segmentAfter(flushed).number;
    const change = { added: result.tables, valuesAdded: result.values, logNumber };
    tables.change(change, (outcome) => this.#changed(flushed, result, outcome));
  }

  #changed(flushed: MemorySegment, result: FlushResult, outcome: ChangeOutcome): void {
    const { env, tables, write } = this.#context;
    if (outcome.kind === "poisoned") return this.lane.abandon(outcome.error);
    if (outcome.kind === "refused") {
      tables.removeFiles(result.tables);
      tables.removeValues(result.values);
      return this.lane.fail(outcome.error, () => this.kick());
    }
    env.failpoints.hit(flushAfterManifest);
    write.memtables.dropOldest(flushed);
    write.wal.forget(flushed.segment);
    if (!isKept(result)) this.#removeSegment(flushed);
    this.#count(result);
    // A segment that took nothing has no version.
    this.flushedVersion = Math.max(this.flushedVersion, flushed.segment.lastVersion);
    this.#waiters.tell(this.flushedVersion);
    this.lane.succeed();
  }

  #count(result: FlushResult): void {
    this.flushCount++;
    for (const table of result.tables) this.bytesFlushed += table.sizeBytes;
    this.valuesSeparated += result.separatedCount;
    for (const file of result.values) {
      if (file.kind === "log") this.segmentsKept++;
      else this.valueBytesWritten += file.sizeBytes;
    }
  }

  /** `done` when everything up to `version` is in durable tables; at once when it is already. */
  whenFlushed(version: number, done: Done): void {
    if (version <= this.flushedVersion) return done(null);
    this.#waiters.add(version, done);
  }

  /** No further flush begins: who waits will not be served. */
  stop(error: NokvError): void {
    this.lane.stop(error);
    this.#waiters.fail(error);
  }

  /** Only now: the manifest that is durable says that the segment is obsolete. */
  #removeSegment(flushed: MemorySegment): void {
    const { directory, env, write } = this.#context;
    const { number, path } = flushed.segment;
    if (write.wal.recycle(flushed.segment, `${directory}/${spareName(number)}`)) return;
    try {
      env.disk.remove(path);
    } catch (error) {
      // The next opening removes it.
      if (!(error instanceof DiskError)) throw error;
    }
  }
}

const noResult: FlushResult = { kind: "flush", tables: [], values: [], separatedCount: 0 };

function isKept(result: FlushResult): boolean {
  return result.values.some((file) => file.kind === "log");
}
