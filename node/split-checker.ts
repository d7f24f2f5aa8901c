import { compareKeys } from "../core/bytes/record.ts";
import type { Clock, Timer } from "../core/env/clock.ts";
import { type RegionMeta, isBeforeEnd } from "../raft/region.ts";
import type { PeerView } from "../raft/store/peer-view.ts";
import type { RequestMeter } from "../txn/server/request-meter.ts";
import { type SizedEngine, middleKeys, regionBytes } from "./region-size.ts";
import type { RegionSplitter } from "./region-splitter.ts";

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
  readonly store: { regions(): readonly Pick<PeerView, "region" | "leadingTerm">[] };
  readonly splitter: Pick<RegionSplitter, "split" | "isBusy" | "takeBack">;
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
  #timer: Timer | null = null;
  #stopped = false;
  /** The last one that was looked at. */
  #last = 0;
  #checkedUs: number;
  /** As of the last look at each region. */
  #bytes = new Map<number, number>();

  constructor(parts: SplitCheckerParts) {
    this.#parts = parts;
    this.#checkedUs = parts.clock.monotonicUs();
  }

  start(): void {
    const { clock, limits } = this.#parts;
    if (this.#stopped) return;
    this.#timer = clock.after(limits.checkMs * 1_000, () => {
      this.check();
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Roughly; 0: it was not looked at yet. */
  bytesOf(regionId: number): number {
    return this.#bytes.get(regionId) ?? 0;
  }

  check(): void {
    const { store, splitter, clock, meter } = this.#parts;
    const nowUs = clock.monotonicUs();
    const elapsedMs = Math.max(1, Math.floor((nowUs - this.#checkedUs) / 1_000));
    this.#checkedUs = nowUs;
    const led = store.regions().filter(({ leadingTerm }) => leadingTerm > 0).map(({ region }) => region);
    for (const region of led) this.#checkLoad(region, elapsedMs);
    meter.beginRound();
    const next = led.filter(({ id }) => id > this.#last);
    const due = [...next, ...led.filter(({ id }) => id <= this.#last)].slice(0, regionsPerRound);
    this.#bytes = new Map(led.map(({ id }) => [id, this.bytesOf(id)]));
    for (const region of due) if (!splitter.isBusy(region.id)) this.#checkSize(region);
    this.#last = due.at(-1)?.id ?? 0;
    if (led.length > 0) splitter.takeBack();
  }

  #checkSize(region: RegionMeta): void {
    const { engine, limits } = this.#parts;
    const { regionSplitBytes } = limits;
    const bytes = regionBytes(engine, region);
    this.#bytes.set(region.id, bytes);
    if (regionSplitBytes === 0 || bytes <= regionSplitBytes) return;
    const count = Math.min(keysMax, Math.max(1, Math.floor((2 * bytes) / regionSplitBytes) - 1));
    this.#split(region, middleKeys(engine, region, count));
  }

  #checkLoad(region: RegionMeta, elapsedMs: number): void {
    const { limits, meter } = this.#parts;
    const { regionSplitCommandsPerSecond: limit } = limits;
    if (limit === 0 || (meter.commandsOfRound(region.id) * 1_000) / elapsedMs <= limit) return;
    const key = meter.balancedKey(region.id);
    if (key !== null) this.#split(region, [key]);
  }

  /** How it ends is seen in the next round. */
  #split(region: RegionMeta, keys: readonly Uint8Array[]): void {
    const inside = keys.filter((key) => compareKeys(region.start, key) < 0 && isBeforeEnd(key, region.end));
    if (inside.length > 0) this.#parts.splitter.split(region.id, inside, () => {});
  }
}
