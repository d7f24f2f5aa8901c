import type { RegionPeer } from "../raft/region.ts";
import type { RegionReport } from "./region-report.ts";
import type { Newcomer, Standing } from "./standing.ts";

/** A region takes at least so much: among small ones their number counts. */
const regionBytesMin = 1024 * 1024;

export function weightOf(report: RegionReport | null): number {
  return Math.max(regionBytesMin, report?.sizeBytes ?? 0);
}

/** A replica that goes from one store to another for balance alone. */
export interface Move {
  readonly to: Newcomer;
  readonly from: RegionPeer;
}

/**
 * What the stores hold once everything that is under way has come to its end: a replica that is being added counts
 * where it is going to be, and no more where it will not be. Or each plan would send one more of the same.
 */
export class StoreLoads {
  readonly #bytes = new Map<number, number>();

  constructor(standings: readonly Standing[]) {
    for (const { report, kept, needed } of standings) {
      const weight = weightOf(report);
      for (const { storeId } of kept) this.#add(storeId, weight);
      for (const { storeId } of needed) this.#add(storeId, weight);
    }
  }

  of(storeId: number): number {
    return this.#bytes.get(storeId) ?? 0;
  }

  placed(storeId: number, report: RegionReport | null): void {
    this.#add(storeId, weightOf(report));
  }

  /** Of `peers` the one whose store holds most; the first of several. */
  fullest<P extends { readonly storeId: number }>(peers: readonly P[]): P | null {
    let best: P | null = null;
    for (const peer of peers) if (best === null || this.of(peer.storeId) > this.of(best.storeId)) best = peer;
    return best;
  }

  /** A voter beyond those wanted leaves. */
  dropped(storeId: number, report: RegionReport | null): void {
    this.#add(storeId, -weightOf(report));
  }

  /** By how much `from` holds more than `to`. */
  gap(from: number, to: number): number {
    return this.of(from) - this.of(to);
  }

  moved(from: number, to: number, report: RegionReport | null): void {
    const weight = weightOf(report);
    this.#add(from, -weight);
    this.#add(to, weight);
  }

  #add(storeId: number, bytes: number): void {
    this.#bytes.set(storeId, this.of(storeId) + bytes);
  }
}
