// HOT: once per task of the append lane.
import { assert } from "../core/assert.ts";
import type { LogIndex, Term } from "./entry.ts";

interface Outstanding {
  readonly seq: number;
  /** Durable up to here when the task is; lowered when a later task overwrites its entries. 0: says nothing. */
  last: LogIndex;
  /** The term for which the task makes this peer's vote for itself durable; 0: none. */
  readonly candidacy: Term;
  /** The snapshot that it installs; 0: none. */
  readonly snapshot: LogIndex;
}

/** What became durable by an acknowledgement. Zeros where nothing did. */
export interface Acknowledged {
  readonly last: LogIndex;
  readonly candidacy: Term;
  readonly snapshot: LogIndex;
}

/**
 * Append tasks that were handed to the lane and are not durable yet. The lane is first in, first out, so one
 * number acknowledges a task and all before it.
 *
 * Entries may be overwritten while they are on their way: 5 and 6 of leader A, then of C, then again of A's
 * next term. An acknowledgement of the first task must not make the third one's entries durable. So each
 * truncation lowers what the tasks under way vouch for, and no terms need to be compared.
 */
export class AppendLane {
  readonly #tasks: Outstanding[] = [];
  #lastSeq = 0;
  #ackedSeq = 0;

  get idle(): boolean {
    return this.#tasks.length === 0;
  }

  get length(): number {
    return this.#tasks.length;
  }

  /** Notes a task; returns its number. */
  hand(last: LogIndex, candidacy: Term, snapshot: LogIndex): number {
    this.#lastSeq++;
    this.#tasks.push({ seq: this.#lastSeq, last, candidacy, snapshot });
    return this.#lastSeq;
  }

  /** `index` and all after it are overwritten: what is under way vouches for less. */
  clamp(index: LogIndex): void {
    for (let i = 0; i < this.#tasks.length; i++) {
      const task = this.#tasks[i] as Outstanding;
      if (task.last >= index) task.last = index - 1;
    }
  }

  /** A snapshot replaces the log: entries under way vouch for nothing. */
  voidEntries(): void {
    for (let i = 0; i < this.#tasks.length; i++) (this.#tasks[i] as Outstanding).last = 0;
  }

  /** Task `seq` is durable, and all before it. */
  acknowledge(seq: number): Acknowledged {
    assert(seq > this.#ackedSeq, "tasks are acknowledged in order");
    assert(seq <= this.#lastSeq, "what is acknowledged was handed over");
    this.#ackedSeq = seq;
    let last = 0;
    let candidacy = 0;
    let snapshot = 0;
    let count = 0;
    for (; count < this.#tasks.length; count++) {
      const task = this.#tasks[count] as Outstanding;
      if (task.seq > seq) break;
      last = Math.max(last, task.last);
      candidacy = Math.max(candidacy, task.candidacy);
      snapshot = Math.max(snapshot, task.snapshot);
    }
    this.#tasks.splice(0, count);
    return { last, candidacy, snapshot };
  }
}
