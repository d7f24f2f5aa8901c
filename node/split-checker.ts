import { compareKeys } from "../core/bytes/record.ts";
import type { Clock } from "../core/env/clock.ts";
import { type RegionMeta, isBeforeEnd } from "../raft/region.ts";
import type { PeerView } from "../raft/store/peer-view.ts";
import type { RequestMeter } from "../txn/server/request-meter.ts";
import { type SizedEngine, middleKeys, regionBytes } from "./region-size.ts";
import type { RegionUsage } from "./region-reports.ts";
import type { RangePlans } from "./range-plans.ts";
import type { RegionSplitter } from "./region-splitter.ts";
import { Rounds } from "./rounds.ts";

/** When a region is divided by itself. */
export interface SplitLimits {
  /** A region that takes more, about, is divided into parts of about half of it; 0: none is. */
  readonly regionSplitBytes: number;
  /** A region that is asked for more, and at more than one place, is divided; 0: none is. */
  readonly regionSplitCommandsPerSecond: number;
  readonly checkMs: number;
}

export const splitLimitsDefault: SplitLimits = {
  // As TiKV does, at about the same size: small enough to move in a second, large enough that 100 GB are 1,000 regions.
  regionSplitBytes: 96 * 1024 * 1024,
  regionSplitCommandsPerSecond: 20_000,
  checkMs: 10_000,
};

export interface SplitCheckerParts {
  readonly clock: Clock;
  readonly engine: SizedEngine;
  readonly store: {
    regions(): readonly Pick<PeerView, "region" | "leadingTerm">[];
    /** What the disk refuses within ends the store. */
    guard(run: () => void): void;
  };
  readonly splitter: Pick<RegionSplitter, "split">;
  readonly plans: Pick<RangePlans, "underWay" | "takeBack">;
  readonly meter: Pick<RequestMeter, "beginRound" | "commandsOfRound" | "balancedKey">;
  readonly limits: SplitLimits;
}

/** Looked at in one round; the others are in the next ones. */
const regionsPerRound = 128;
/** Of one command. */
const keysMax = 15;

/** Looks at the regions that this store leads, and divides those that are too large or asked for too much. */
export class SplitChecker {
  readonly #parts: SplitCheckerParts;
  readonly #rounds: Rounds;
  /** The last one that was looked at. */
  #last = 0;
  #checkedUs: number;
  /** As of the last look at each region, for the range that it had then. */
  #bytes = new Map<number, { readonly version: number; readonly bytes: number }>();
  /** By region, as of the last round; those that were asked nothing are missing. */
  #commands = new Map<number, number>();

  constructor(parts: SplitCheckerParts) {
    this.#parts = parts;
    const { clock, store, limits } = parts;
    this.#checkedUs = clock.monotonicUs();
    this.#rounds = new Rounds(clock, limits.checkMs * 1_000, () => store.guard(() => this.check()));
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): void {
    this.#rounds.stop();
  }

  /** Roughly; 0 bytes: it was not looked at since it has its range. What is empty takes one. */
  usageOf({ id, epoch }: RegionMeta): RegionUsage {
    const known = this.#bytes.get(id);
    const sizeBytes = known?.version === epoch.version ? Math.max(1, known.bytes) : 0;
    return { sizeBytes, commandsPerSecond: this.#commands.get(id) ?? 0 };
  }

  check(): void {
    const { store, plans, clock, meter } = this.#parts;
    const nowUs = clock.monotonicUs();
    const elapsedMs = Math.max(1, Math.floor((nowUs - this.#checkedUs) / 1_000));
    this.#checkedUs = nowUs;
    const led = store.regions().filter(({ leadingTerm }) => leadingTerm > 0).map(({ region }) => region);
    this.#commands = new Map();
    for (const region of led) this.#checkLoad(region, elapsedMs);
    meter.beginRound();
    const next = led.filter(({ id }) => id > this.#last);
    const due = [...next, ...led.filter(({ id }) => id <= this.#last)].slice(0, regionsPerRound);
    const ids = new Set(led.map(({ id }) => id));
    for (const id of this.#bytes.keys()) if (!ids.has(id)) this.#bytes.delete(id);
    for (const region of due) if (plans.underWay(region.id) === null) this.#checkSize(region);
    this.#last = due.at(-1)?.id ?? 0;
    if (led.length > 0) plans.takeBack();
  }

  #checkSize(region: RegionMeta): void {
    const { engine, limits } = this.#parts;
    const { regionSplitBytes } = limits;
    const bytes = regionBytes(engine, region);
    this.#bytes.set(region.id, { version: region.epoch.version, bytes });
    if (regionSplitBytes === 0 || bytes <= regionSplitBytes) return;
    const count = Math.min(keysMax, Math.max(1, Math.floor((2 * bytes) / regionSplitBytes) - 1));
    this.#split(region, middleKeys(engine, region, count));
  }

  #checkLoad(region: RegionMeta, elapsedMs: number): void {
    const { limits, meter } = this.#parts;
    const { regionSplitCommandsPerSecond: limit } = limits;
    const perSecond = Math.floor((meter.commandsOfRound(region.id) * 1_000) / elapsedMs);
    if (perSecond > 0) this.#commands.set(region.id, perSecond);
    if (limit === 0 || perSecond <= limit) return;
    const key = meter.balancedKey(region.id);
    if (key !== null) this.#split(region, [key]);
  }

  /** How it ends is seen in the next round. */
  #split(region: RegionMeta, keys: readonly Uint8Array[]): void {
    const inside = keys.filter((key) => compareKeys(region.start, key) < 0 && isBeforeEnd(key, region.end));
    if (inside.length > 0) this.#parts.splitter.split(region.id, inside, () => {});
  }
}
