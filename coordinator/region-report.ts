import type { RegionMeta } from "../raft/region.ts";

/** What a leader knows of one peer of its region. */
export interface PeerReport {
  readonly peerId: number;
  /** Since it was last heard of; 0 for the leader itself. */
  readonly silentMs: number;
  /** Its log follows the leader's closely. */
  readonly caughtUp: boolean;
}

/** What a leader says of its region beyond the descriptor. */
export interface RegionReport {
  /** Roughly what its records take; 0: unknown. */
  readonly sizeBytes: number;
  /** Entries applied per second, lately. */
  readonly entriesPerSecond: number;
  readonly peers: readonly PeerReport[];
}

const slack = 64;

/** The last word of each region's leader. Forgotten with the process. */
export class RegionReports {
  readonly #reports = new Map<number, RegionReport>();

  of(regionId: number): RegionReport | null {
    return this.#reports.get(regionId) ?? null;
  }

  hear(regionId: number, report: RegionReport): void {
    this.#reports.set(regionId, report);
  }

  prune(regions: readonly RegionMeta[]): void {
    if (this.#reports.size <= regions.length + slack) return;
    const alive = new Set(regions.map(({ id }) => id));
    for (const id of this.#reports.keys()) if (!alive.has(id)) this.#reports.delete(id);
  }
}

/** Null: the leader has not told of it. */
export function reportOfPeer(report: RegionReport | null, peerId: number): PeerReport | null {
  return report?.peers.find((peer) => peer.peerId === peerId) ?? null;
}
