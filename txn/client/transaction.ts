import type { Check, KeyRange, ReadEntry, TxnMutation } from "../percolator/command.ts";
import { KeyMap } from "../percolator/key-map.ts";
import { pointRange } from "../percolator/read.ts";
import { successor } from "../percolator/view.ts";
import { Backoff, type Draw } from "./backoff.ts";
import { CommitMachine, type CommitOutcome } from "./commit-machine.ts";
import { type GetDone, Reader, type ScanDone } from "./reader.ts";
import { type ClientParts, RegionCalls } from "./region-calls.ts";

export interface TxnParts extends ClientParts {
  readonly draw: Draw;
}

export interface TxnOptions {
  /** All that was read must be unchanged at the commit: strict serializability. Else snapshot isolation. */
  readonly serializable: boolean;
  readonly deadlineMs: number;
  /** What follows a decision may take so much longer. */
  readonly backgroundMs: number;
  /** Of its locks, from the commit on. */
  readonly ttlMs: number;
  /** Entries of one page of a scan. */
  readonly pageEntriesMax: number;
}

/** Begins a transaction; null: no timestamp in time. */
export function begin(parts: TxnParts, options: TxnOptions, then: (txn: Transaction | null) => void): void {
  const calls = new RegionCalls(parts, new Backoff(options.deadlineMs, parts.draw));
  calls.timestamp((startTs) => then(startTs === null ? null : new Transaction(parts, options, calls, startTs)));
}

/** One optimistic transaction: reads at its start, buffered writes, and a commit of all of them. */
export class Transaction {
  readonly startTs: number;
  readonly #parts: TxnParts;
  readonly #options: TxnOptions;
  readonly #calls: RegionCalls;
  readonly #reader: Reader;
  readonly #writes = new KeyMap<TxnMutation>();
  readonly #reads: KeyRange[] = [];
  readonly #checks: Check[] = [];
  readonly #begunMs: number;

  // oxlint-disable-next-line max-params -- called by `begin` alone
  constructor(parts: TxnParts, options: TxnOptions, calls: RegionCalls, startTs: number) {
    this.#parts = parts;
    this.#options = options;
    this.#calls = calls;
    this.startTs = startTs;
    this.#begunMs = parts.exchange.nowMs;
    this.#reader = new Reader(calls, startTs, options.pageEntriesMax);
  }

  get(key: Uint8Array, then: GetDone): void {
    const written = this.#writes.get(key);
    if (written !== null && written.kind !== "lock") then(null, this.#entryOf(written));
    else {
      this.#reads.push(pointRange(key));
      this.#reader.get(key, then);
    }
  }

  /** The first `limit` entries of `range`, own writes among them. */
  scan(range: KeyRange, limit: number, then: ScanDone): void {
    // Own deletes may hide as many entries as there are own writes.
    const own = this.#writes.slice(range, Infinity);
    const asked = limit + own.length;
    this.#reader.scan(range, asked, (failure, entries) => {
      if (failure !== null) return then(failure, []);
      const last = entries.at(-1);
      const reach = entries.length < asked || last === undefined ? range.end : successor(last.key);
      this.#reads.push({ start: range.start, end: reach });
      then(null, this.#overlay(entries, { start: range.start, end: reach }).slice(0, limit));
    });
  }

  put(key: Uint8Array, value: Uint8Array, expiresAtMs = 0): void {
    this.#writes.set(key, { kind: "put", key, value, expiresAtMs });
  }

  delete(key: Uint8Array): void {
    this.#writes.set(key, { kind: "delete", key });
  }

  /** Promotes a read: nobody writes `key` between the start and the commit. */
  lock(key: Uint8Array): void {
    if (this.#writes.get(key) === null) this.#writes.set(key, { kind: "lock", key });
  }

  /** `key` counts as read: a serializable transaction rests on it. */
  guard(key: Uint8Array): void {
    this.#reads.push(pointRange(key));
  }

  /** Refuses the commit where `check` does not hold; its key is locked, so that it holds until then. */
  check(check: Check): void {
    this.#checks.push(check);
    this.lock(check.key);
  }

  /** Of the keys and values that it would write. */
  get writtenBytes(): number {
    return this.#mutations().reduce((sum, write) => {
      return sum + write.key.length + (write.kind === "put" ? write.value.length : 0);
    }, 0);
  }

  commit(then: (outcome: CommitOutcome) => void): void {
    const mutations = this.#mutations();
    // What only reads is serial at its start.
    if (mutations.length === 0) return then({ kind: "committed", commitTs: this.startTs });
    const { serializable, deadlineMs, backgroundMs, ttlMs } = this.#options;
    const background = new RegionCalls(this.#parts, new Backoff(deadlineMs + backgroundMs, this.#parts.draw));
    const reads = serializable ? this.#reads : [];
    const ageMs = this.#parts.exchange.nowMs - this.#begunMs;
    const order = { startTs: this.startTs, mutations, checks: this.#checks, reads, ttlMs, ageMs };
    new CommitMachine(this.#calls, background, order, then).start();
  }

  #mutations(): readonly TxnMutation[] {
    return this.#writes.slice({ start: new Uint8Array(0), end: null }, Infinity).map(([, write]) => write);
  }

  #entryOf(write: TxnMutation): ReadEntry | null {
    if (write.kind !== "put") return null;
    return { key: write.key, value: write.value, expiresAtMs: write.expiresAtMs, version: this.startTs };
  }

  #overlay(entries: readonly ReadEntry[], range: KeyRange): readonly ReadEntry[] {
    const merged = new KeyMap<ReadEntry>();
    for (const entry of entries) merged.set(entry.key, entry);
    for (const [key, write] of this.#writes.slice(range, Infinity)) {
      if (write.kind !== "lock") merged.set(key, this.#entryOf(write));
    }
    return merged.slice(range, Infinity).map(([, entry]) => entry);
  }
}

