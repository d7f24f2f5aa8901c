// HOT: every request for transactions is counted here.
import { columnFamily } from "../../core/bytes/record.ts";
import type { Clock } from "../../core/env/clock.ts";
import { hotRingDefault } from "../../core/hot/hot-ring.ts";
import { RotatingHotRing } from "../../core/hot/rotating-hot-ring.ts";
import { keysOf } from "../percolator/atomic.ts";
import type { Command } from "../percolator/command.ts";

/** Commands since the store was opened. */
export interface RegionRequests {
  reads: number;
  writes: number;
}

/** A key that is asked for or written often. */
export interface HotRequestKey {
  readonly key: Uint8Array;
  /** Within the last second; an estimate. */
  readonly recent: number;
}

const keysMax = 1_024;
const rotateMs = 30 * 60_000;
/** Keys of every so manieth request are counted: the hottest are the same, at an eighth of the cost. */
const sampleEvery = 8;
const none: RegionRequests = { reads: 0, writes: 0 };

/** What a store is asked, by region, and which keys are asked for most. */
export class RequestMeter {
  readonly #clock: Clock;
  readonly #ring: RotatingHotRing;
  readonly #regions = new Map<number, RegionRequests>();
  #requests = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ring = new RotatingHotRing({ ...hotRingDefault, keysMax }, rotateMs, this.#nowMs());
  }

  note(regionId: number, commands: readonly Command[]): void {
    const counts = this.#countsOf(regionId);
    const isSample = this.#requests++ % sampleEvery === 0;
    const nowMs = isSample ? this.#nowMs() : 0;
    for (let i = 0; i < commands.length; i++) {
      const command = commands[i] as Command;
      if (command.kind === "get" || command.kind === "scan" || command.kind === "refresh") counts.reads++;
      else counts.writes++;
      if (isSample) this.#touch(command, nowMs);
    }
  }

  of(regionId: number): Readonly<RegionRequests> {
    return this.#regions.get(regionId) ?? none;
  }

  /** Hottest first. */
  top(count: number): HotRequestKey[] {
    return this.#ring
      .top(count, this.#nowMs())
      .filter(({ recent }) => recent > 0)
      .map(({ key, recent }) => ({ key, recent: recent * sampleEvery }));
  }

  #touch(command: Command, nowMs: number): void {
    if (command.kind === "get") this.#ring.touch(columnFamily.data, command.key, nowMs);
    else if (command.kind === "atomic") this.#touchAll(keysOf(command.mutation), nowMs);
    else if (command.kind === "prewrite" || command.kind === "one-phase") {
      this.#touchAll(command.mutations.map(({ key }) => key), nowMs);
    }
  }

  #touchAll(keys: readonly Uint8Array[], nowMs: number): void {
    for (const key of keys) this.#ring.touch(columnFamily.data, key, nowMs);
  }

  #countsOf(regionId: number): RegionRequests {
    const known = this.#regions.get(regionId);
    if (known !== undefined) return known;
    const fresh = { reads: 0, writes: 0 };
    this.#regions.set(regionId, fresh);
    return fresh;
  }

  #nowMs(): number {
    return Math.floor(this.#clock.monotonicUs() / 1_000);
  }
}
