import { assert } from "../assert.ts";
import type { Timer } from "../env/clock.ts";
import { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import type { DropRules } from "../lsm/drop-rules.ts";
import type { TableOptions } from "../lsm/table-builder.ts";
import { refusal } from "./failure.ts";
import type { FileNumbers } from "./file-numbers.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import type { EngineOptions } from "./options.ts";
import type { SafePoint } from "./safe-point.ts";
import type { Pins } from "./snapshot.ts";
import type { TableSet } from "./table-set.ts";
import type { Done } from "./waiters.ts";
import type { WritePath } from "./write-path.ts";

/** What flushes and compactions work on, and whom they tell. */
export interface BackgroundContext {
  readonly env: Env;
  readonly directory: string;
  readonly options: EngineOptions;
  readonly numbers: FileNumbers;
  readonly clock: HybridClock;
  readonly pins: Pins;
  readonly write: WritePath;
  readonly tables: TableSet;
  /** Null: versions are the engine's own. */
  readonly safePoint: SafePoint | null;
  /** False once the store is closing or poisoned: what runs is finished, nothing new begins. */
  readonly active: boolean;
  /** Closed, and its last flushes may begin. */
  readonly emptying: boolean;
  /**
   * Tables with range tombstones were merged away, and maybe the tombstones with them: what caches hold of the
   * records they hid would be shown again.
   */
  rangesGone(): void;
  /** A flush or a compaction ended, either way. */
  ended(): void;
}

/** Who may still read, from now on: snapshots, and everybody at what is visible or later. */
export function dropRules(context: BackgroundContext, bottom: boolean): DropRules {
  if (context.safePoint !== null) return context.safePoint.rules(bottom);
  return {
    pins: context.pins.versions(),
    // Records that are not visible yet are above it, and stay.
    horizonVersion: context.write.visibleVersion,
    nowMs: context.clock.nowMs(),
    bottom,
  };
}

/** How tables are written from now on. */
export function tableOptions(options: EngineOptions): TableOptions {
  const { blockBytes, bloomBitsPerKey, compression, pointIndexBytes } = options;
  return { blockBytes, bloomBitsPerKey, compression, pointIndex: pointIndexBytes > 0 };
}

/** What ended a job, for callers. A defect is not for callers: it ends the program. */
export function jobFailure(error: Error, what: string): NokvError {
  if (error instanceof NokvError) return error;
  if (!(error instanceof DiskError)) throw error;
  return refusal(error, what);
}

/** What durations come to, in whole milliseconds. */
export interface DurationStats {
  readonly count: number;
  readonly totalMs: number;
  readonly lastMs: number;
  readonly maxMs: number;
}

/** Sums up durations of one kind. */
export class Durations {
  #count = 0;
  #totalUs = 0;
  #lastUs = 0;
  #maxUs = 0;

  add(us: number): void {
    this.#count++;
    this.#totalUs += us;
    this.#lastUs = us;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  stats(): DurationStats {
    const ms = (us: number): number => Math.floor(us / 1000);
    return { count: this.#count, totalMs: ms(this.#totalUs), lastMs: ms(this.#lastUs), maxMs: ms(this.#maxUs) };
  }
}

const doublingsMax = 6;

/**
 * One kind of background work, one at a time. A failure leaves everything as it was and is tried again later,
 * each time after twice the delay, up to a bound.
 */
export class Lane {
  readonly #context: BackgroundContext;
  readonly #name: string;
  readonly #mayBegin: () => boolean;
  #running = false;
  #beganUs = 0;
  #retryTimer: Timer | null = null;
  #attempts = 0;
  readonly #waiters: Done[] = [];
  /** Why the last attempt failed; null after a success. */
  failure: NokvError | null = null;
  failureCount = 0;
  /** What runs is somebody else's, and needs turns of the event loop to get on. */
  isLent = false;
  /** How long pieces of work took, failed ones included. */
  readonly worked = new Durations();

  constructor(context: BackgroundContext, name: string, mayBegin: () => boolean = () => context.active) {
    this.#context = context;
    this.#name = name;
    this.#mayBegin = mayBegin;
  }

  get running(): boolean {
    return this.#running;
  }

  /** The failure of the last attempt, where it met damage. */
  get damage(): NokvError | null {
    return this.failure?.code === "NOKV_CORRUPTION" ? this.failure : null;
  }

  /** Nothing runs and nothing waits for another attempt. */
  get ready(): boolean {
    return !this.#running && this.#retryTimer === null && this.#mayBegin();
  }

  begin(): void {
    assert(this.ready, "one piece of work at a time");
    this.#running = true;
    this.#beganUs = this.#context.env.clock.monotonicUs();
  }

  succeed(): void {
    this.#attempts = 0;
    this.failure = null;
    this.#end(null);
  }

  /** `again` runs after the delay, if the store is still at work. */
  fail(error: NokvError, again: () => void): void {
    this.failure = error;
    this.failureCount++;
    if (error.code === "NOKV_NO_SPACE") this.#context.write.wal.giveUpRoom();
    this.#context.env.trace.emit(`engine/${this.#name}-failed`, { code: error.code, message: error.message });
    const delayMs = this.#context.options.jobRetryMs * 2 ** Math.min(this.#attempts, doublingsMax);
    this.#attempts++;
    if (this.#mayBegin()) {
      this.#retryTimer = this.#context.env.clock.after(delayMs * 1000, () => {
        this.#retryTimer = null;
        again();
      });
    }
    this.#end(error);
  }

  /** The store is poisoned: what was under way is of no consequence any more. */
  abandon(error: NokvError): void {
    this.#end(error);
  }

  /** `done` at the next end of a piece of work, whatever it is. */
  afterNext(done: Done): void {
    this.#waiters.push(done);
  }

  /** No further attempts. Who waits for the next end hears `error`, unless one is still to come. */
  stop(error: NokvError): void {
    this.#retryTimer?.cancel();
    this.#retryTimer = null;
    if (this.#running) return;
    for (const done of this.#waiters.splice(0)) done(error);
  }

  #end(error: NokvError | null): void {
    assert(this.#running, "what ends was under way");
    this.#running = false;
    this.worked.add(this.#context.env.clock.monotonicUs() - this.#beganUs);
    for (const done of this.#waiters.splice(0)) done(error);
    this.#context.ended();
  }
}
