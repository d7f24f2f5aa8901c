// HOT: every request for transactions is counted here.
import { columnFamily } from "../../core/bytes/record.ts";
import type { Clock } from "../../core/env/clock.ts";
import { hotRingDefault } from "../../core/hot/hot-ring.ts";
import { RotatingHotRing } from "../../core/hot/rotating-hot-ring.ts";
import { keysOf } from "../percolator/atomic.ts";
import type { Command } from "../percolator/command.ts";
import { readsOf } from "../percolator/reads.ts";
import { KeySample, spread } from "./key-sample.ts";

/** Commands since the store was opened. */
export interface RegionRequests {
  readonly reads: number;
  readonly writes: number;
}

/** A key that is asked for or written often. */
export interface HotRequestKey {
  readonly key: Uint8Array;
  /** Within the last second; an estimate. */
  readonly recent: number;
}

interface RegionCount {
  reads: number;
  writes: number;
  /** Reads and writes when the round began. */
  before: number;
  isOfRound: boolean;
  readonly sample: KeySample;
}

const keysMax = 1_024;
const rotateMs = 30 * 60_000;
/** Keys of one request in about so many are counted: the hottest are the same, at an eighth of the cost. */
const sampleEvery = 8;
const none: RegionRequests = { reads: 0, writes: 0 };

/**
 * What a store is asked, by region, and which keys are asked for most. Who shows the store reads all since it was
 * opened; who divides its regions reads what came since it began a round.
 */
export class RequestMeter {
  readonly #clock: Clock;
  readonly #ring: RotatingHotRing;
  readonly #regions = new Map<number, RegionCount>();
  /** Those that were asked in this round. */
  #asked: RegionCount[] = [];
  #requests = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ring = new RotatingHotRing({ ...hotRingDefault, keysMax }, rotateMs, this.#nowMs());
  }

  note(regionId: number, commands: readonly Command[]): void {
    const region = this.#countOf(regionId);
    const isSample = spread(this.#requests++) % sampleEvery === 0;
    const nowMs = isSample ? this.#nowMs() : 0;
    for (let i = 0; i < commands.length; i++) {
      const command = commands[i] as Command;
      if (command.kind === "get" || command.kind === "scan" || command.kind === "refresh") region.reads++;
      else region.writes++;
      if (isSample) this.#touch(command, nowMs);
    }
    if (!region.sample.next()) return;
    const key = firstKey(commands);
    if (key !== null) region.sample.add(key);
  }

  of(regionId: number): RegionRequests {
    const { reads, writes } = this.#regions.get(regionId) ?? none;
    return { reads, writes };
  }

  /** Hottest first. */
  top(count: number): HotRequestKey[] {
    return this.#ring
      .top(count, this.#nowMs())
      .filter(({ recent }) => recent > 0)
      .map(({ key, recent }) => ({ key, recent: recent * sampleEvery }));
  }

  /** What is read of a round from here on came after this. */
  beginRound(): void {
    for (const region of this.#asked) {
      region.before = region.reads + region.writes;
      region.isOfRound = false;
      region.sample.clear();
    }
    this.#asked = [];
  }

  /** Commands of this round. */
  commandsOfRound(regionId: number): number {
    const region = this.#regions.get(regionId);
    return region === undefined ? 0 : region.reads + region.writes - region.before;
  }

  /** Where about half of the round's requests lie on either side; null: one key gets most, or nothing is known. */
  balancedKey(regionId: number): Uint8Array | null {
    return this.#regions.get(regionId)?.sample.balancedKey() ?? null;
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

  #countOf(regionId: number): RegionCount {
    let region = this.#regions.get(regionId);
    if (region === undefined) {
      region = { reads: 0, writes: 0, before: 0, isOfRound: false, sample: new KeySample() };
      this.#regions.set(regionId, region);
    }
    if (region.isOfRound) return region;
    region.isOfRound = true;
    this.#asked.push(region);
    return region;
  }

  #nowMs(): number {
    return Math.floor(this.#clock.monotonicUs() / 1_000);
  }
}

function firstKey(commands: readonly Command[]): Uint8Array | null {
  const [first] = commands;
  if (first === undefined) return null;
  const { keys, ranges } = readsOf(first);
  return keys[0] ?? ranges[0]?.start ?? null;
}
