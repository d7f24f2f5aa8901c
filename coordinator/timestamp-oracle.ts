import { versionMax } from "../core/bytes/record.ts";
import { versionsPerMs } from "../core/engine/hybrid-clock.ts";
import { versionEpochMs, versionMs } from "../core/lsm/drop-rules.ts";
import { FencedCounter, type Grant } from "./fenced-counter.ts";

/** How far ahead of the clock the fence is put. */
export const windowMs = 3_000;
/**
 * The same when timestamps are ahead of the clock already: after a restart, or when it went back. Small, so that a
 * storm of restarts does not drive them further and further ahead.
 */
export const windowAheadMs = 100;
export const clockLimitsDefault: ClockLimits = { leadMsMax: 24 * 3_600_000, stoppedMsMax: 366 * 24 * 3_600_000 };
/** In one request. */
export const timestampsMax = 65_536;

/** A wall clock further ahead than that is not followed; 0: every clock is. */
export interface ClockLimits {
  /** Of what a sound clock would read now. */
  readonly leadMsMax: number;
  /** Of the newest timestamp, where it may have been given out long ago: so long a cluster may have been stopped. */
  readonly stoppedMsMax: number;
}

export interface ClockReading {
  readonly wallMs: number;
  readonly monotonicUs: number;
}

export interface OracleTurn {
  readonly grants: readonly Grant[];
  /** Make it durable, then say `fenced`; 0: nothing to do. */
  readonly fence: number;
  /** Those who asked and get nothing, because of `problem`. */
  readonly refused: readonly number[];
  readonly problem: string;
}

/**
 * Timestamps: (ms since 2024) * 4096 + a count, unique and growing over all incarnations, following the wall clock
 * where it can be followed. When the clock is behind them (it went back, or another member's is slow), they go on at
 * half the pace of time until it has caught up: lifetimes of locks are judged by them alone, and where they stood
 * still, what a dead client holds would be held until then. A clock that is implausibly far ahead is not followed,
 * because there would be no way back; after a start, days are plausible, because nobody may have given out any.
 *
 * A pure machine: `request` and the reading of the clock are its input, `turn` its output. The requests of a turn are
 * served by one reading.
 */
export class TimestampOracle {
  readonly #counter: FencedCounter;
  readonly #leadMsMax: number;
  readonly #firstLeadMsMax: number;
  /** The latest reading that was followed; null: none by this incarnation. */
  #trusted: ClockReading | null = null;
  /** From here timestamps go on at half pace while the clock is behind them. */
  #pace: ClockReading = { wallMs: 0, monotonicUs: 0 };

  /** `fence`: the durable one of all incarnations before, which may have ended `mayBeOld`. */
  constructor(fence: number, { leadMsMax, stoppedMsMax }: ClockLimits, mayBeOld: boolean) {
    this.#counter = new FencedCounter(fence);
    this.#leadMsMax = leadMsMax;
    this.#firstLeadMsMax = mayBeOld ? stoppedMsMax : leadMsMax;
  }

  get last(): number {
    return this.#counter.last;
  }

  get fence(): number {
    return this.#counter.fence;
  }

  get waiting(): number {
    return this.#counter.waiting;
  }

  /**
   * No timestamp up to `through` is given out by this incarnation; later ones need the fence that this returns. It is
   * not below the clock where none was ever given out: an old `through` says nothing of what the time is now.
   */
  passBy(through: number, { wallMs }: ClockReading): number {
    const fence = this.#counter.last === 0 ? Math.max(through, timestampAt(wallMs)) : through;
    this.#counter.passBy(fence);
    return fence;
  }

  request(ticket: number, count: number): void {
    this.#counter.request(ticket, count);
  }

  turn(reading: ClockReading): OracleTurn {
    const problem = this.#follow(reading);
    if (problem !== "") return { grants: [], fence: 0, refused: this.#counter.drain(), problem };
    const paced = timestampAt(this.#pacedMs(reading));
    // Nobody waits for a fence because of the pace: what does not lie below it comes later.
    const floor = Math.max(timestampAt(reading.wallMs), Math.min(paced, this.#counter.fence - timestampsMax));
    const grants = this.#counter.serve(floor);
    const ahead = Math.max(this.#counter.last, floor, paced) + windowAheadMs * versionsPerMs;
    const target = Math.max(timestampAt(reading.wallMs) + windowMs * versionsPerMs, ahead);
    if (target + timestampsMax > versionMax) {
      const end = "no timestamp is left below 2^53";
      return { grants, fence: 0, refused: this.#counter.drain(), problem: end };
    }
    const idle = grants.length === 0 && this.#counter.waiting === 0;
    return { grants, fence: idle ? 0 : this.#counter.nextFence(floor, target), refused: [], problem: "" };
  }

  fenced(fence: number): void {
    this.#counter.fenced(fence);
  }

  /** Those who wait are sent away. A fence that is on its way stays so. */
  drain(): readonly number[] {
    return this.#counter.drain();
  }

  /** The fence will not become durable, or may not: those who wait are sent away. */
  unfenced(): readonly number[] {
    return this.#counter.unfenced();
  }

  /** Where timestamps are to be: at the clock, or further while that is behind them. */
  #pacedMs({ wallMs, monotonicUs }: ClockReading): number {
    const pacedMs = this.#pace.wallMs + Math.floor((monotonicUs - this.#pace.monotonicUs) / 2_000);
    const lastMs = this.#counter.last === 0 ? 0 : versionMs(this.#counter.last);
    const newestMs = Math.max(wallMs, lastMs);
    if (newestMs <= pacedMs) return pacedMs;
    this.#pace = { wallMs: newestMs, monotonicUs };
    return wallMs;
  }

  /** "" when the clock may be followed; else why not. */
  #follow({ wallMs, monotonicUs }: ClockReading): string {
    const expectedMs = this.#expectedMs(monotonicUs);
    const leadMs = wallMs - expectedMs;
    const leadMsMax = this.#trusted === null ? this.#firstLeadMsMax : this.#leadMsMax;
    if (expectedMs > 0 && leadMs > leadMsMax && leadMsMax > 0) {
      const hours = Math.floor(leadMs / 3_600_000);
      return (
        `the Coordinator's wall clock is ${hours} hours ahead of the newest timestamp (clock ${wallMs} ms, ` +
        `timestamps ${expectedMs} ms since 1970): set the clock, or, if it is right, start the Coordinator again ` +
        "with --accept-clock"
      );
    }
    // The latest one stays: a clock that went back may come forward again to where it was.
    this.#trusted = { wallMs: Math.max(wallMs, expectedMs), monotonicUs };
    return "";
  }

  /** What a sound clock reads now, at least; 0: there is nothing to compare with. */
  #expectedMs(monotonicUs: number): number {
    if (this.#trusted !== null) {
      return this.#trusted.wallMs + Math.floor((monotonicUs - this.#trusted.monotonicUs) / 1_000);
    }
    return this.#counter.last === 0 ? 0 : versionMs(this.#counter.last);
  }
}

/** The first timestamp of that millisecond; 0 for one before 2024. */
export function timestampAt(wallMs: number): number {
  const ms = Math.min(Math.floor(wallMs) - versionEpochMs, Math.floor(versionMax / versionsPerMs));
  return ms > 0 ? ms * versionsPerMs : 0;
}
