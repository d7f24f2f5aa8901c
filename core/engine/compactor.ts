import { compactionAfterManifest, compactionBeforeManifest } from "../../failpoints/catalog.ts";
import { assert } from "../assert.ts";
import type { NokvError } from "../errors.ts";
import type { JobError, JobResult } from "../env/jobs.ts";
import type { CompactionJob, CompactionResult } from "../lsm/compaction-job.ts";
import {
  type Compaction,
  outputTablesMax,
  pickCompaction,
  pickFullCompaction,
} from "../lsm/compaction-picker.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import { type BackgroundContext, dropRules, jobFailure, Lane, tableOptions } from "./background.ts";
import type { ChangeOutcome } from "./table-set.ts";
import type { Done } from "./waiters.ts";

/** Merges tables so that reads look into few of them and what nobody reads goes away. */
export class Compactor {
  readonly #context: BackgroundContext;
  readonly lane: Lane;
  /** Callers who want everything merged; served together by the next compaction. */
  #manual: Done[] = [];
  compactionCount = 0;
  movedCount = 0;
  bytesCompacted = 0;

  constructor(context: BackgroundContext) {
    this.#context = context;
    this.lane = new Lane(context, "compaction");
  }

  /** Begins a compaction if one is due and none runs. */
  kick(): void {
    if (!this.lane.ready) return;
    const { tables, options } = this.#context;
    const manual = this.#manual;
    const version = tables.current.version;
    const compaction = manual.length > 0 ? pickFullCompaction(version) : pickCompaction(version, options);
    this.#manual = [];
    if (compaction === null) {
      for (const done of manual) done(null);
      return;
    }
    this.lane.begin();
    for (const done of manual) this.lane.afterNext(done);
    if (compaction.trivialMove) return this.#move(compaction);
    this.#context.env.jobs.run(this.#job(compaction), (error, result) => {
      this.#ended(compaction, error, result);
    });
  }

  /** Merges all tables there are; `done` when that is over. */
  compactAll(done: Done): void {
    this.#manual.push(done);
    this.kick();
  }

  /** No further compaction begins. */
  stop(error: NokvError): void {
    this.lane.stop(error);
    for (const done of this.#manual.splice(0)) done(error);
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
    };
  }

  #ended(compaction: Compaction, error: JobError | null, result: JobResult | null): void {
    if (error !== null) {
      return this.lane.fail(jobFailure(error, "a compaction failed"), () => this.kick());
    }
    assert(result !== null, "a job that ends without an error has a result");
    assert(result.kind === "compaction", "the result is that of the job");
    const added = (result as CompactionResult).tables;
    const { env, tables } = this.#context;
    env.failpoints.hit(compactionBeforeManifest);
    const removed = numbersOf(compaction.inputs);
    // One edit: inputs and outputs are never both there, nor both gone.
    tables.change({ added, removed }, (outcome) => this.#changed(compaction, added, outcome));
  }

  #changed(compaction: Compaction, added: readonly TableMeta[], outcome: ChangeOutcome): void {
    const { env, tables } = this.#context;
    if (outcome.kind === "poisoned") return this.lane.abandon(outcome.error);
    if (outcome.kind === "refused") {
      tables.removeFiles(added);
      return this.lane.fail(outcome.error, () => this.kick());
    }
    env.failpoints.hit(compactionAfterManifest);
    // Only now: the manifest that is durable no longer names them.
    tables.removeFiles(compaction.inputs);
    this.compactionCount++;
    for (const table of added) this.bytesCompacted += table.sizeBytes;
    this.lane.succeed();
  }

  /** A table that overlaps nothing below changes its level as it is. */
  #move(compaction: Compaction): void {
    const added = compaction.inputs.map((table) => ({ ...table, level: compaction.outputLevel }));
    this.#context.tables.change({ added, removed: numbersOf(compaction.inputs) }, (outcome) => {
      if (outcome.kind === "poisoned") return this.lane.abandon(outcome.error);
      if (outcome.kind === "refused") return this.lane.fail(outcome.error, () => this.kick());
      this.movedCount++;
      this.lane.succeed();
    });
  }
}

function numbersOf(tables: readonly TableMeta[]): number[] {
  return tables.map((table) => table.number);
}
