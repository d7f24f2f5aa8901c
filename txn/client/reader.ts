import { compareKeys } from "../../core/bytes/record.ts";
import type { Get, KeyRange, LockInfo, ReadEntry, Scan } from "../percolator/command.ts";
import { LockResolver } from "./lock-resolver.ts";
import type { Keyed, RegionCalls, Turn } from "./region-calls.ts";

/** Why a read has no answer. */
export type ReadFailure =
  /** The budget ran out. */
  | "unavailable"
  /** The timestamp is below what garbage collection keeps. */
  | "too-old";

export type GetDone = (failure: ReadFailure | null, entry: ReadEntry | null) => void;
export type ScanDone = (failure: ReadFailure | null, entries: readonly ReadEntry[]) => void;

interface ScanState {
  readonly range: KeyRange;
  readonly limit: number;
  readonly entries: ReadEntry[];
  readonly done: ScanDone;
}

/** Reads at one timestamp, past locks that do not matter and after those that do. */
export class Reader {
  readonly #calls: RegionCalls;
  readonly #resolver: LockResolver;
  readonly #readTs: number;
  readonly #pageEntriesMax: number;
  readonly #nowTs: number;
  readonly #bypass: number[] = [];

  /** `pageEntriesMax`: no answer to a scan holds more. `nowTs`: by which `get` judges lifetimes. */
  // oxlint-disable-next-line max-params -- a budget, a timestamp or two, and a limit
  constructor(calls: RegionCalls, readTs: number, pageEntriesMax: number, nowTs = readTs) {
    this.#calls = calls;
    this.#resolver = new LockResolver(calls);
    this.#readTs = readTs;
    this.#pageEntriesMax = pageEntriesMax;
    this.#nowTs = nowTs;
  }

  get(key: Uint8Array, then: GetDone): void {
    const readTs = this.#readTs;
    let found: ReadEntry | null = null;
    let failure: ReadFailure = "unavailable";
    this.#calls.run(
      [{ key }],
      {
        command: (): Get => ({ kind: "get", key, readTs, nowTs: this.#nowTs, bypass: [...this.#bypass] }),
        reply: (response, turn) => {
          if (response.kind === "value") {
            found = response.entry;
            return turn.done();
          }
          const refusal = response.kind === "refused" ? response.refusals[0] : undefined;
          if (refusal?.kind === "locked") return this.#pass(refusal.lock, turn);
          if (refusal?.kind === "too-old") failure = "too-old";
          turn.fail();
        },
      },
      (done) => (done ? then(null, found) : then(failure, null)),
    );
  }

  /** The first `limit` entries of `range`, page by page, region by region. */
  scan(range: KeyRange, limit: number, then: ScanDone): void {
    this.#scanFrom(range.start, { range, limit, entries: [], done: then });
  }

  #scanFrom(start: Uint8Array, state: ScanState): void {
    const { range, limit, entries, done: told } = state;
    const readTs = this.#readTs;
    let next: Uint8Array | null = null;
    let failure: ReadFailure = "unavailable";
    this.#calls.run(
      [{ key: start }],
      {
        command: (_, region): Scan => ({
          kind: "scan",
          range: { start, end: earlier(range.end, region.range.end) },
          readTs,
          bypass: [...this.#bypass],
          limit: Math.min(limit - entries.length, this.#pageEntriesMax),
        }),
        reply: (response, turn) => {
          if (response.kind === "page") {
            // What lies before a lock is right already; the scan goes on at the lock.
            entries.push(...response.entries);
            next = response.next ?? later(range.end, turn.region.range.end);
            if (response.lock !== null) return this.#passLock(response.lock, turn);
            return turn.done();
          }
          const refusal = response.kind === "refused" ? response.refusals[0] : undefined;
          if (refusal?.kind === "too-old") failure = "too-old";
          turn.fail();
        },
      },
      (done) => {
        if (!done) told(failure, []);
        else if (next === null || entries.length >= limit) told(null, entries);
        else this.#scanFrom(next, state);
      },
    );
  }

  #pass<T extends Keyed>(lock: LockInfo, turn: Turn<T>): void {
    this.#resolver.resolve(lock, this.#readTs, (resolution) => {
      if (resolution === "failed") return turn.fail();
      if (resolution === "bypass") this.#bypass.push(lock.startTs);
      turn.again(turn.items, "lock");
    });
  }

  /** As `#pass`, but the page is kept: only what follows is asked again. */
  #passLock<T extends Keyed>(lock: LockInfo, turn: Turn<T>): void {
    this.#resolver.resolve(lock, this.#readTs, (resolution) => {
      if (resolution === "failed") return turn.fail();
      if (resolution === "bypass") this.#bypass.push(lock.startTs);
      if (resolution !== "wait") return turn.done();
      this.#calls.pause("lock", (inTime) => (inTime ? turn.done() : turn.fail()));
    });
  }
}

/** The smaller of two ends; null is behind all keys. */
export function earlier(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (a === null) return b;
  return b === null || compareKeys(a, b) < 0 ? a : b;
}

/** Where a walk goes on that came to the end of a region; null: it has come to its own. */
export function later(end: Uint8Array | null, regionEnd: Uint8Array | null): Uint8Array | null {
  if (regionEnd === null) return null;
  return end === null || compareKeys(regionEnd, end) < 0 ? regionEnd : null;
}
