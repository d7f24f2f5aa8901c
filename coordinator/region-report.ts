import type { RegionMeta } from "../raft/region.ts";
import { forgetGone } from "./region-map.ts";

/** What a leader knows of one peer of its region. */
export interface PeerReport {
  readonly peerId: number;
  /** Since it was last heard of; 0 for the leader itself, and for whoever was heard of within a second. */
  readonly silentMs: number;
  /** Its log follows the leader's closely. */
  readonly caughtUp: boolean;
}

/** What a leader says of its region beyond the descriptor. */
export interface RegionReport {
  /** Roughly what its records take; 0: unknown. What is empty takes 1. */
  readonly sizeBytes: number;
  /** Entries applied per second, lately. */
  readonly entriesPerSecond: number;
  /** Commands of clients per second, reads among them, as of the last look at its size. */
  readonly commandsPerSecond: number;
  readonly peers: readonly PeerReport[];
}

/** What the leader of a region says of it. */
export interface RegionHeartbeat {
  readonly region: RegionMeta;
  readonly leaderPeerId: number;
  readonly term: number;
  /** Grows with each word of that leader: one that comes late does not count. */
  readonly seq?: number;
  /** Null: it says nothing beyond. */
  readonly report?: RegionReport | null;
}

interface Heard {
  readonly report: RegionReport;
  readonly atUs: number;
}

/** The last word of each region's leader. Forgotten with the process. */
export class RegionReports {
  readonly #reports = new Map<number, Heard>();

  /**
   * A leader says nothing as long as nothing changes: whoever was silent still is, for as long as the leader's store
   * says that it is there. `confirmedUs`: when it said so last. What comes after that nobody knows.
   */
  of(regionId: number, confirmedUs: number): RegionReport | null {
    const heard = this.#reports.get(regionId);
    if (heard === undefined) return null;
    const { report, atUs } = heard;
    const laterMs = Math.floor((confirmedUs - atUs) / 1_000);
    if (laterMs <= 0 || report.peers.every(({ silentMs }) => silentMs === 0)) return report;
    const peers = report.peers.map((peer) => {
      return peer.silentMs === 0 ? peer : { ...peer, silentMs: peer.silentMs + laterMs };
    });
    return { ...report, peers };
  }

  /** True: it says more than that what was still is. */
  hear(regionId: number, report: RegionReport, atUs: number): boolean {
    const before = this.#reports.get(regionId)?.report ?? null;
    this.#reports.set(regionId, { report, atUs });
    return before === null || differs(before, report);
  }

  prune(regions: readonly RegionMeta[]): void {
    forgetGone(this.#reports, regions);
  }
}

function differs(before: RegionReport, after: RegionReport): boolean {
  if (before.sizeBytes !== after.sizeBytes || before.entriesPerSecond !== after.entriesPerSecond) return true;
  if (before.commandsPerSecond !== after.commandsPerSecond) return true;
  if (before.peers.length !== after.peers.length) return true;
  return after.peers.some(({ peerId, silentMs, caughtUp }, i) => {
    const known = before.peers[i];
    // Who is silent is so for longer with each word.
    const isSame = known?.peerId === peerId && known.caughtUp === caughtUp && known.silentMs === 0 && silentMs === 0;
    return !isSame;
  });
}

/** Null: the leader has not told of it. */
export function reportOfPeer(report: RegionReport | null, peerId: number): PeerReport | null {
  return report?.peers.find((peer) => peer.peerId === peerId) ?? null;
}
