// HOT: every entry of every group passes here.
import { assert } from "../core/assert.ts";
import { type Acknowledged, AppendLane } from "./append-lane.ts";
import { EntryRing } from "./entry-ring.ts";
import { type Entry, type LogIndex, type Term, noEntries } from "./entry.ts";
import type { SnapshotMeta } from "./snapshot-meta.ts";
import { TermRuns, noTerm } from "./term-runs.ts";

/** The log as it was found on disk: entries in (`base`, `last`], of which nothing is in memory. */
export interface RestoredLog {
  readonly base: LogIndex;
  readonly baseTerm: Term;
  /** First index and term of each run of entries with one term, ascending. */
  readonly runs: readonly { readonly first: LogIndex; readonly term: Term }[];
  readonly last: LogIndex;
  /** Where configuration entries are that are not applied yet, ascending. */
  readonly confs: readonly LogIndex[];
}

/**
 * The log of one group:
 *
 *     compacted | base+1 ... on disk ... stable | ... on its way ... handed | ... last |
 *                applied <= applying <= committed          the end of it in memory
 *
 * Terms of all of it are known, entries of its end are in memory, the rest must be fetched.
 */
export class RaftLog {
  readonly terms: TermRuns;
  readonly ring: EntryRing;
  readonly lane = new AppendLane();
  committed: LogIndex;
  /** Handed out to be applied. */
  applying: LogIndex;
  applied: LogIndex;
  /** Durable here. */
  stable: LogIndex;
  /** Handed to the append lane. */
  handed: LogIndex;
  /** A snapshot that was accepted and is not durable yet: its index; 0: none. */
  installing: LogIndex = 0;
  /** The same, before it was handed out. */
  unhandedSnapshot: SnapshotMeta | null = null;
  /** Configuration entries that are not applied yet, ascending. */
  readonly #confs: LogIndex[];

  constructor(restored: RestoredLog, commit: LogIndex, applied: LogIndex, ringBytesMax: number) {
    const { base, baseTerm, runs, last } = restored;
    assert(applied >= base, "only what is applied is compacted");
    this.terms = new TermRuns(base, baseTerm);
    for (let at = 0; at < runs.length; at++) {
      const end = runs[at + 1]?.first ?? last + 1;
      const run = runs[at];
      if (run !== undefined) this.terms.extend(run.term, end - run.first);
    }
    assert(this.terms.last === last, "the runs of terms cover the log");
    this.ring = new EntryRing(last + 1, ringBytesMax);
    this.committed = Math.max(commit, applied);
    assert(this.committed <= last, "what is committed here is in the log");
    this.applied = applied;
    this.applying = applied;
    this.stable = last;
    this.handed = last;
    this.#confs = restored.confs.filter((index) => index > applied);
  }

  get base(): LogIndex {
    return this.terms.base;
  }

  get last(): LogIndex {
    return this.terms.last;
  }

  get lastTerm(): Term {
    return this.terms.lastTerm;
  }

  term(index: LogIndex): Term {
    return this.terms.term(index);
  }

  matches(index: LogIndex, term: Term): boolean {
    return this.terms.term(index) === term;
  }

  /** A log that ends with (index, term) has everything that this one may have committed (paper, 5.4.1). */
  isUpToDate(index: LogIndex, term: Term): boolean {
    return term > this.lastTerm || (term === this.lastTerm && index >= this.last);
  }

  push(entry: Entry): void {
    this.terms.push(entry.term);
    assert(entry.index === this.terms.last, "an entry goes after the last one");
    this.ring.push(entry);
    if (entry.kind === "conf") this.#confs.push(entry.index);
  }

  /**
   * Takes over a leader's `entries` after `index`, which matches. What agrees is left as it is: an append that
   * comes late must not cut off what came after it.
   */
  take(index: LogIndex, entries: readonly Entry[]): LogIndex {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      if (this.terms.term(entry.index) === entry.term) continue;
      if (entry.index <= this.last) this.#cut(entry.index);
      this.push(entry);
    }
    return index + entries.length;
  }

  commitTo(index: LogIndex): boolean {
    if (index <= this.committed) return false;
    assert(index <= this.last, "what is committed is in the log");
    this.committed = index;
    return true;
  }

  /** Replaces everything by a snapshot. */
  restore(snapshot: SnapshotMeta): void {
    const { index, term } = snapshot;
    assert(index > this.committed, "a snapshot does not take back what is committed");
    this.terms.reset(index, term);
    this.ring.reset(index + 1);
    this.lane.voidEntries();
    // Nothing of the new log is durable; what was applied stays so.
    this.stable = Math.min(this.stable, this.applied);
    this.handed = index;
    this.committed = index;
    this.installing = index;
    this.unhandedSnapshot = snapshot;
    this.#confs.length = 0;
  }

  compact(index: LogIndex): void {
    assert(index <= this.applied, "only what is applied is compacted");
    this.terms.compact(index);
    this.ring.compact(index);
  }

  /** Whether an append task is due for entries or a snapshot. */
  get unhanded(): boolean {
    return this.handed < this.last || this.unhandedSnapshot !== null;
  }

  /** Entries for the next append task. */
  handOver(): readonly Entry[] {
    if (this.handed === this.last) return noEntries;
    const entries = this.ring.slice(this.handed + 1, this.last + 1, Number.MAX_SAFE_INTEGER);
    this.handed = this.last;
    return entries;
  }

  /** A task of the append lane is durable. */
  appended(seq: number): Acknowledged {
    const done = this.lane.acknowledge(seq);
    if (done.last > this.stable) this.stable = done.last;
    if (done.snapshot > 0 && done.snapshot === this.installing) {
      this.installing = 0;
      this.applied = Math.max(this.applied, done.snapshot);
      this.applying = Math.max(this.applying, done.snapshot);
    }
    this.ring.evict(this.stable);
    return done;
  }

  /** Up to where entries can be handed out to be applied. */
  get applicable(): LogIndex {
    return this.installing > 0 ? this.applying : Math.min(this.committed, this.stable);
  }

  appliedTo(index: LogIndex): void {
    if (index <= this.applied) return;
    assert(index <= this.applying, "what was applied was handed out");
    this.applied = index;
    while (this.#confs.length > 0 && (this.#confs[0] as LogIndex) <= index) this.#confs.shift();
  }

  /** The first configuration entry that is committed and not applied; 0: none. */
  unappliedConf(): LogIndex {
    const first = this.#confs[0];
    return first !== undefined && first <= this.committed ? first : 0;
  }

  check(): void {
    this.terms.check();
    const { applied, applying, committed, stable, handed, last } = this;
    if (this.installing === 0) assert(this.base <= applied, "only what is applied is compacted");
    assert(applied <= applying, "applied <= applying");
    assert(applying <= committed, "applying <= committed");
    assert(committed <= last, "committed <= last");
    if (this.installing === 0) assert(applying <= stable, "only what is durable is applied");
    assert(stable <= handed, "what is durable was handed over");
    assert(handed <= last, "what was handed over is in the log");
    assert(this.ring.first + this.ring.length === last + 1, "the end of the log is in memory");
    assert(this.ring.first <= handed + 1, "what was not handed over is in memory");
    if (this.lane.idle) assert(handed === stable || this.installing > 0, "an idle lane has made all durable");
  }

  #cut(index: LogIndex): void {
    assert(index > this.committed, "what is committed is never cut off");
    this.terms.cut(index);
    this.ring.cut(index);
    this.lane.clamp(index);
    this.stable = Math.min(this.stable, index - 1);
    this.handed = Math.min(this.handed, index - 1);
    while (this.#confs.length > 0 && (this.#confs[this.#confs.length - 1] as LogIndex) >= index) this.#confs.pop();
  }
}

export function isKnown(term: Term): boolean {
  return term !== noTerm;
}
