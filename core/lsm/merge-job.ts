// HOT: the loop of every flush and compaction.
import { assert } from "../assert.ts";
import { recordBytesAt } from "../bytes/record.ts";
import { DiskError } from "../env/disk.ts";
import type { JobState } from "../env/jobs.ts";
import { NokvError } from "../errors.ts";
import { DropJudge, keptRanges } from "./drop-rules.ts";
import type { DropRules } from "./drop-rules.ts";
import type { ValueSeparator } from "../vlog/value-separator.ts";
import type { RangeTombstones } from "./range-tombstones.ts";
import type { RecordCursor } from "./record-cursor.ts";
import type { TableMeta } from "./table-meta.ts";
import type { TableOutput } from "./table-output.ts";

/** Where a job's records come from. */
export interface MergeInput {
  /** A cursor over all records, in record order; called in the first step. Throws as reading does. */
  open(): MergeSource;
  close(): void;
}

export interface MergeSource {
  readonly cursor: RecordCursor;
  /** All range tombstones there are. */
  readonly ranges: RangeTombstones;
}

/** What a merge is made of. */
export interface MergeParts {
  readonly input: MergeInput;
  readonly output: TableOutput;
  readonly values: ValueSeparator;
  /** A table ends here, at the next key. */
  readonly tableBytes: number;
}

type Phase = "opening" | "copying" | "syncing-tables" | "done" | "failed";

/**
 * Copies the records of an input that somebody may still read into new tables, makes their contents durable, and
 * only then is done. Their names are made durable by whoever owns the directory: syncs of one directory that
 * overlap can not be told apart when one fails. A failure removes what was written.
 */
export class MergeJob {
  readonly #input: MergeInput;
  readonly #output: TableOutput;
  readonly #values: ValueSeparator;
  readonly #tableBytes: number;
  readonly #rules: DropRules;
  #judge: DropJudge | null = null;
  #cursor: RecordCursor | null = null;
  #phase: Phase = "opening";

  constructor(parts: MergeParts, rules: DropRules) {
    this.#input = parts.input;
    this.#output = parts.output;
    this.#values = parts.values;
    this.#tableBytes = parts.tableBytes;
    this.#rules = rules;
  }

  /** The new tables; complete once `step` has returned "done". */
  get tables(): readonly TableMeta[] {
    return this.#output.tables;
  }

  step(budgetBytes: number): JobState {
    assert(this.#phase !== "failed", "a failed job is not stepped again");
    try {
      return this.#advance(budgetBytes);
    } catch (error) {
      // What else may be thrown means that there is no disk to tidy up any more.
      if (error instanceof DiskError || error instanceof NokvError) this.#fail();
      throw error;
    }
  }

  #advance(budgetBytes: number): JobState {
    if (this.#phase === "opening") {
      const { cursor, ranges } = this.#input.open();
      this.#judge = new DropJudge(this.#rules, ranges);
      this.#output.setRanges(keptRanges(ranges, this.#rules));
      this.#cursor = cursor;
      this.#cursor.seekFirst();
      this.#phase = "copying";
    }
    const settled = this.#output.settled && this.#values.settled;
    if (this.#phase === "copying") return this.#copy(budgetBytes);
    if (!settled) return "waiting";
    this.#phase = "done";
    return "done";
  }

  #copy(budgetBytes: number): JobState {
    const cursor = this.#cursor;
    const judge = this.#judge;
    assert(cursor !== null && judge !== null, "a job that copies has opened its input");
    let leftBytes = budgetBytes;
    while (cursor.valid && leftBytes > 0) {
      leftBytes -= recordBytesAt(cursor.view, cursor.offset);
      leftBytes -= this.#copyRecord(cursor, judge);
      cursor.next();
    }
    if (cursor.valid) return "more";
    this.#phase = "syncing-tables";
    this.#input.close();
    this.#values.finish();
    this.#output.finish();
    return this.#output.settled && this.#values.settled ? "more" : "waiting";
  }

  /** Returns how many bytes that took outside tables. */
  #copyRecord(cursor: RecordCursor, judge: DropJudge): number {
    const { bytes, view, offset } = cursor;
    const verdict = judge.judge(bytes, view, offset);
    if (verdict === "drop") return 0;
    this.#output.cutAt(this.#tableBytes, bytes, view, offset);
    if (verdict === "bury") {
      this.#output.addBuried(bytes, view, offset);
      return 0;
    }
    const values = this.#values;
    values.place(bytes, view, offset);
    this.#output.add(values.bytes, values.view, values.offset);
    return values.movedBytes;
  }

  #fail(): void {
    const opened = this.#phase === "opening" || this.#phase === "copying";
    this.#phase = "failed";
    if (opened) this.#input.close();
    this.#values.abandon();
    this.#output.abandon();
  }
}
