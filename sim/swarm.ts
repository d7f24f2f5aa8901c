import { type DiskFaults, diskFaultsNone } from "./disk/disk-faults.ts";
import { Dice } from "./dice.ts";
import type { CrashKind } from "./incarnation.ts";
import type { KeyedRandom } from "./keyed-random.ts";
import { type NetworkFaults, networkFaultsNone } from "./network/network-faults.ts";

/**
 * What one seed's world is like. Whether a fault exists at all is drawn as well as how often it comes: the
 * bug that needs ten resets and no crash is not found where everything always happens. Plain JSON.
 *
 * A gap is the mean time between two faults of a kind on one machine; 0 means that there are none. Rates are
 * per 1,000,000.
 */
export interface SwarmOptions {
  /** No faults whatever the scenario asks for: some bugs need none. */
  readonly faultFree: boolean;
  /** Tunables are at their pathological minima more often than not. */
  readonly tinyLimits: boolean;
  /** Damage at rest is beyond what a single copy survives: only safety may be judged. */
  readonly atRestCorruption: boolean;
  readonly crash: CrashOptions;
  readonly pause: { readonly gapMs: number; readonly lengthMsMax: number };
  readonly clock: ClockOptions;
  readonly network: NetworkOptions;
  readonly disk: DiskOptions;
  readonly failpoints: readonly FailpointOption[];
  readonly jobs: { readonly sliceBytesMax: number; readonly workers: number };
}

export interface CrashOptions {
  readonly kinds: readonly CrashKind[];
  /** Between turns. */
  readonly gapMs: number;
  /** Inside an env call, drawn up to so many calls after the boot; 0: never. */
  readonly callsMax: number;
  /** Of the completed syncs: a crash within the next few calls. */
  readonly afterSync: number;
  /** After so many crash points in a row an incarnation is spared them. */
  readonly stormMax: number;
}

export interface ClockOptions {
  readonly offsetMsMax: number;
  readonly driftPpmMax: number;
  readonly jumpGapMs: number;
  readonly jumpMsMax: number;
  readonly freezeGapMs: number;
  readonly freezeMsMax: number;
}

export interface NetworkOptions {
  /** How the network always is; its hostile fields apply between `startFaults` and `stopFaults`. */
  readonly faults: NetworkFaults;
  readonly resetGapMs: number;
  readonly blockGapMs: number;
  readonly blockMsMax: number;
  readonly slowGapMs: number;
  readonly slowUsMax: number;
}

export interface DiskOptions {
  /** As for the network: what only power loss shows is always there, errors only under faults. */
  readonly faults: DiskFaults;
  readonly fullGapMs: number;
  readonly fullMsMax: number;
  /** Damage at rest. */
  readonly corruptGapMs: number;
}

/** `percent` of the visits. */
export interface FailpointOption {
  readonly name: string;
  readonly action: "crash" | "error" | "delay";
  readonly percent: number;
}

/** A failpoint as the swarm needs to know it. */
export interface FailpointChoice {
  readonly name: string;
  readonly allows: readonly ("crash" | "error" | "delay")[];
}

const perMillion = 1_000_000;

/** Of 100 seeds, so many have no faults. */
const faultFreePercent = 17;
/** Of 100 seeds with faults, so many damage bytes at rest. */
const atRestPercent = 10;

/** Everything about the world of `seed`. Each part has a stream of its own. */
export function drawOptions(random: KeyedRandom, failpoints: readonly FailpointChoice[]): SwarmOptions {
  const dice = (part: string): Dice => new Dice(random.stream(`sim/swarm/${part}`), 0);
  const kind = dice("kind");
  const faultFree = kind.chance(faultFreePercent, 100);
  const atRestCorruption = kind.chance(atRestPercent, 100) && !faultFree;
  const tinyLimits = kind.chance(1, 3) || faultFree;
  return {
    faultFree,
    tinyLimits,
    atRestCorruption,
    crash: drawCrash(dice("crash")),
    pause: drawPause(dice("pause")),
    clock: drawClock(dice("clock")),
    network: drawNetwork(dice("network")),
    disk: drawDisk(dice("disk"), atRestCorruption),
    failpoints: drawFailpoints(dice("failpoints"), failpoints),
    jobs: drawJobs(dice("jobs")),
  };
}

/** A gap on some seeds, of any scale; 0 on the others. */
function gapMs(dice: Dice, numerator: number, denominator: number): number {
  const drawn = dice.skewed(8, 30_000);
  return dice.chance(numerator, denominator) ? drawn : 0;
}

/** A rate on one seed in `oneIn`, of any scale up to `max`; 0 on the others. */
function rate(dice: Dice, oneIn: number, max: number): number {
  const drawn = dice.skewed(20, max);
  return dice.chance(1, oneIn) ? drawn : 0;
}

function drawCrash(dice: Dice): CrashOptions {
  const kinds = dice.pick<readonly CrashKind[]>([["process"], ["power"], ["process", "power"]]);
  // Storms, ordinary, rare: a rate of one scale misses what the others find.
  const callScale = dice.pick([50, 1_000, 20_000, 100_000]);
  return {
    kinds,
    gapMs: gapMs(dice, 2, 3),
    callsMax: dice.chance(1, 2) ? callScale : 0,
    afterSync: rate(dice, 2, 100_000),
    stormMax: dice.between(1, 8),
  };
}

function drawPause(dice: Dice): SwarmOptions["pause"] {
  return { gapMs: gapMs(dice, 1, 3), lengthMsMax: dice.skewed(1, 20_000) };
}

function drawClock(dice: Dice): ClockOptions {
  return {
    offsetMsMax: dice.chance(1, 2) ? dice.skewed(1, 10_000) : 0,
    driftPpmMax: dice.chance(1, 2) ? dice.skewed(1, 500) : 0,
    jumpGapMs: gapMs(dice, 1, 3),
    jumpMsMax: dice.pick([10, 1_000, 3_600_000]),
    freezeGapMs: gapMs(dice, 1, 4),
    freezeMsMax: dice.skewed(1, 5_000),
  };
}

function drawNetwork(dice: Dice): NetworkOptions {
  const slowest = dice.pick([100, 1_000, 50_000]);
  return {
    faults: {
      ...networkFaultsNone,
      latencyUsMin: dice.skewed(10, slowest),
      latencyUsMax: slowest * 2,
      jitterUsMax: dice.skewed(1, slowest * 4),
      spike: rate(dice, 3, 20_000),
      spikeUsMax: dice.skewed(1_000, 2_000_000),
      throttled: rate(dice, 3, perMillion),
      bandwidthBytesPerSecond: dice.skewed(10_000, 10_000_000),
      windowBytes: dice.skewed(256, 1_048_576),
      segmentBytesMax: dice.skewed(16, 65_536),
      splitDelivery: dice.chance(1, 2) ? dice.skewed(1_000, perMillion) : 0,
      reset: rate(dice, 3, 5_000),
      refused: rate(dice, 3, 200_000),
      halfOpen: dice.chance(1, 2),
    },
    resetGapMs: gapMs(dice, 1, 3),
    blockGapMs: gapMs(dice, 1, 3),
    blockMsMax: dice.skewed(1, 30_000),
    slowGapMs: gapMs(dice, 1, 3),
    slowUsMax: dice.skewed(100, 3_000_000),
  };
}

function drawDisk(dice: Dice, atRestCorruption: boolean): DiskOptions {
  const syncUs = dice.pick([20, 200, 5_000]);
  return {
    faults: {
      ...diskFaultsNone,
      personality: dice.pick(["ext4", "btrfs"] as const),
      lostWrite: dice.pick([perMillion, 800_000, 300_000]),
      tornWrite: dice.pick([0, 500_000, perMillion]),
      garbageGap: dice.pick([0, 300_000, perMillion]),
      entryLost: dice.pick([perMillion, 500_000, 100_000]),
      eioRead: rate(dice, 5, 20_000),
      eioWrite: rate(dice, 5, 10_000),
      eioMetadata: rate(dice, 5, 20_000),
      eioSticky: dice.pick([0, 200_000]),
      emfile: rate(dice, 5, 50_000),
      enospc: rate(dice, 5, 20_000),
      syncFailed: rate(dice, 4, 20_000),
      shortRead: rate(dice, 2, 300_000),
      shortWrite: rate(dice, 2, 300_000),
      slow: rate(dice, 4, 50_000),
      slowUsMax: dice.skewed(1_000, 200_000),
      stall: rate(dice, 4, 50_000),
      stallUsMax: dice.between(1_000_000, 10_000_000),
      operationUs: dice.pick([0, 2, 20]),
      syncUsMin: syncUs,
      syncUsMax: syncUs * dice.pick([1, 4, 50]),
      flipOnRead: rate(dice, 3, 50_000),
      misdirectedRead: rate(dice, 3, 50_000),
    },
    fullGapMs: gapMs(dice, 1, 4),
    fullMsMax: dice.skewed(10, 10_000),
    corruptGapMs: atRestCorruption ? dice.skewed(8, 5_000) : 0,
  };
}

/** Two levels: whether a point is live in this run at all, then how often it fires. */
function drawFailpoints(dice: Dice, choices: readonly FailpointChoice[]): FailpointOption[] {
  const drawn: FailpointOption[] = [];
  for (const { name, allows } of choices) {
    const live = dice.chance(1, 4);
    const option = { name, action: dice.pick(allows), percent: dice.skewed(1, 60) };
    if (live) drawn.push(option);
  }
  return drawn;
}

function drawJobs(dice: Dice): SwarmOptions["jobs"] {
  return { sliceBytesMax: dice.skewed(64, 4_194_304), workers: dice.between(1, 2) };
}

/**
 * Draws each numeric tunable that has extremes: on tiny seeds mostly the first, smallest ones, otherwise half
 * of them keep their defaults. Knows nothing of what the tunables mean.
 */
export function drawTunables<T extends object>(
  defaults: T,
  extremes: Readonly<Partial<Record<keyof T, readonly number[]>>>,
  dice: Dice,
  tiny = false,
): Partial<T> {
  const drawn: Record<string, unknown> = {};
  for (const name of Object.keys(defaults).toSorted()) {
    const values = extremes[name as keyof T];
    if (values === undefined || values.length === 0) continue;
    const keep = dice.chance(tiny ? 1 : 5, 10);
    const smallest = dice.chance(tiny ? 7 : 2, 10);
    const value = dice.pick(smallest ? values.slice(0, Math.ceil(values.length / 3)) : values);
    if (!keep) drawn[name] = value;
  }
  return drawn as Partial<T>;
}
