import { assert } from "../core/assert.ts";
import type { ConfState } from "../raft/conf-state.ts";
import { type Entry, type HardState, type LogIndex, type Term, entryBytes } from "../raft/entry.ts";
import type { Restored } from "../raft/raft-options.ts";
import type { AppendTask } from "../raft/ready.ts";
import { noTerm } from "../raft/term-runs.ts";

/** What one peer's disk holds of its group: the durable end of an append lane, in memory. */
export class RaftImage {
  hard: HardState = { term: 0, vote: 0, commit: 0 };
  base: LogIndex = 0;
  baseTerm: Term = 0;
  /** Entries in (base, last]. */
  entries: Entry[] = [];

  get last(): LogIndex {
    return this.base + this.entries.length;
  }

  /** `task` becomes durable, all of it. */
  write(task: AppendTask): void {
    const { hard, snapshot, first, entries } = task;
    if (hard !== null) this.hard = hard;
    if (snapshot !== null) {
      this.base = snapshot.index;
      this.baseTerm = snapshot.term;
      this.entries = [];
    }
    if (entries.length === 0) return;
    assert(first > this.base, "what was compacted is not written again");
    assert(first <= this.last + 1, "a log has no gaps");
    this.entries.length = first - this.base - 1;
    this.entries.push(...entries);
  }

  compact(index: LogIndex): void {
    if (index <= this.base) return;
    assert(index <= this.last, "what is compacted is in the log");
    this.baseTerm = this.term(index);
    this.entries.splice(0, index - this.base);
    this.base = index;
  }

  /** `noTerm` outside the log. */
  term(index: LogIndex): Term {
    if (index === this.base) return this.baseTerm;
    return this.entries[index - this.base - 1]?.term ?? noTerm;
  }

  at(index: LogIndex): Entry | null {
    return this.entries[index - this.base - 1] ?? null;
  }

  /** Entries from `low` up to, not including, `high`: one at least, more while they fit. */
  read(low: LogIndex, high: LogIndex, bytesMax: number): readonly Entry[] | "compacted" {
    if (low <= this.base) return "compacted";
    const read: Entry[] = [];
    let bytes = 0;
    for (const entry of this.entries.slice(low - this.base - 1, high - this.base - 1)) {
      bytes += entryBytes(entry);
      if (bytes > bytesMax && read.length > 0) break;
      read.push(entry);
    }
    return read;
  }

  /** What a peer starts with after a crash, with its applied state at `applied`. */
  restored(applied: LogIndex, conf: ConfState): Restored {
    const runs: { first: LogIndex; term: Term }[] = [];
    for (const { index, term } of this.entries) {
      if (runs.at(-1)?.term !== term) runs.push({ first: index, term });
    }
    const confs = this.entries.filter(({ kind, index }) => kind === "conf" && index > applied);
    const log = { base: this.base, baseTerm: this.baseTerm, runs, last: this.last };
    return { hard: this.hard, log: { ...log, confs: confs.map(({ index }) => index) }, applied, conf };
  }
}
