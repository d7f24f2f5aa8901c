import { assert } from "../../core/assert.ts";
import {
  epochAfterCommitMerge,
  epochAfterPeers,
  epochAfterPrepareMerge,
  epochAfterSplit,
} from "../../raft/epoch.ts";
import type { RegionMeta, RegionPeer } from "../../raft/region.ts";

/** What a leader says of its region. */
export interface RegionReport {
  readonly region: RegionMeta;
  readonly leaderPeerId: number;
  readonly term: number;
}

export interface HistoryChoices {
  /** An integer in [0, n). */
  below(n: number): number;
  /** Ids that nobody had before. */
  newId(): number;
}

/** One change of the truth: what its leader would publish, planned before and terminal after. */
export type RegionChange =
  | { readonly kind: "split"; readonly before: RegionMeta; readonly after: readonly RegionMeta[] }
  | {
      readonly kind: "merge";
      readonly source: RegionMeta;
      readonly target: RegionMeta;
      readonly after: RegionMeta;
    }
  | {
      readonly kind: "add-peer" | "remove-peer";
      readonly before: RegionMeta;
      readonly peer: RegionPeer;
      readonly after: RegionMeta;
    }
  | { readonly kind: "leader"; readonly after: RegionMeta };

/** Regions as the stores have them: a true history by the rules of epochs, from one region that holds every key. */
export class RegionHistory {
  readonly #choices: HistoryChoices;
  readonly #stores: readonly number[];
  /** By start key; they hold every key. */
  #current: RegionReport[] = [];
  /** Every report that was ever true, in the order in which it became so. */
  readonly reports: RegionReport[] = [];

  constructor(choices: HistoryChoices, stores: readonly number[]) {
    assert(stores.length >= 1, "a region lives somewhere");
    this.#choices = choices;
    this.#stores = stores;
    const id = choices.newId();
    const peers: RegionPeer[] = stores.slice(0, 3).map((storeId) => ({
      peerId: choices.newId(), storeId, role: "voter",
    }));
    const none = new Uint8Array(0);
    const region = { id, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers };
    this.#say([], [{ region, leaderPeerId: peers[0]?.peerId ?? 0, term: 5 }]);
  }

  /** What is true now, by start key. */
  get current(): readonly RegionReport[] {
    return this.#current;
  }

  /** Something happens, or nothing (null) when what was chosen is not possible. */
  step(): RegionChange | null {
    const at = this.#choices.below(this.#current.length);
    const report = this.#current[at];
    assert(report !== undefined, "an index below the length");
    const kind = this.#choices.below(10);
    if (kind < 4) return this.#split(report);
    const neighbour = this.#current[at + 1];
    if (kind < 6) return neighbour === undefined ? null : this.#merge(neighbour, report);
    if (kind < 7) return this.#addPeer(report);
    if (kind < 8) return this.#removePeer(report);
    return this.#elect(report);
  }

  #split(report: RegionReport): RegionChange | null {
    const { region } = report;
    const key = this.#keyInside(region);
    if (key === null) return null;
    const epoch = epochAfterSplit(region.epoch, 1);
    const id = this.#choices.newId();
    const peers = region.peers.map((peer) => ({ ...peer, peerId: this.#choices.newId() }));
    const left: RegionMeta = { ...region, end: key, epoch };
    const right: RegionMeta = { id, start: key, end: region.end, epoch, peers: byId(peers) };
    const place = region.peers.findIndex(({ peerId }) => peerId === report.leaderPeerId);
    const leaderPeerId = peers[place]?.peerId ?? 0;
    this.#say([report], [{ ...report, region: left }, { region: right, leaderPeerId, term: 6 }]);
    return { kind: "split", before: region, after: [left, right] };
  }

  /** `source` is the right neighbour of `target`; it is prepared first, and then gone. */
  #merge(source: RegionReport, target: RegionReport): RegionChange {
    const prepared = { ...source, region: { ...source.region, epoch: epochAfterPrepareMerge(source.region.epoch) } };
    this.#say([source], [prepared]);
    const epoch = epochAfterCommitMerge(prepared.region.epoch, target.region.epoch);
    const after = { ...target.region, end: source.region.end, epoch };
    this.#say([prepared, target], [{ ...target, region: after }]);
    return { kind: "merge", source: source.region, target: target.region, after };
  }

  #addPeer(report: RegionReport): RegionChange | null {
    const { region } = report;
    const free = this.#stores.filter((store) => region.peers.every(({ storeId }) => storeId !== store));
    const storeId = free[this.#choices.below(Math.max(1, free.length))];
    if (storeId === undefined) return null;
    const peer: RegionPeer = { peerId: this.#choices.newId(), storeId, role: "voter" };
    // A learner first, then a voter: two steps that heartbeats may show.
    const first = [...region.peers, { ...peer, role: "learner" as const }];
    const learning = { ...region, epoch: epochAfterPeers(region.epoch, 1), peers: byId(first) };
    this.#say([report], [{ ...report, region: learning }]);
    const after = { ...region, epoch: epochAfterPeers(learning.epoch, 1), peers: byId([...region.peers, peer]) };
    this.#say([this.#reportOf(region.id)], [{ ...report, region: after }]);
    return { kind: "add-peer", before: region, peer, after };
  }

  #removePeer(report: RegionReport): RegionChange | null {
    const { region, leaderPeerId } = report;
    const others = region.peers.filter(({ peerId }) => peerId !== leaderPeerId);
    const peer = others[this.#choices.below(Math.max(1, others.length))];
    if (peer === undefined) return null;
    const peers = region.peers.filter(({ peerId }) => peerId !== peer.peerId);
    const after = { ...region, epoch: epochAfterPeers(region.epoch, 1), peers };
    this.#say([report], [{ ...report, region: after }]);
    return { kind: "remove-peer", before: region, peer, after };
  }

  #elect(report: RegionReport): RegionChange {
    const { peers } = report.region;
    const leader = peers[this.#choices.below(peers.length)];
    assert(leader !== undefined, "a region has peers");
    const term = report.term + 1 + this.#choices.below(3);
    this.#say([report], [{ region: report.region, leaderPeerId: leader.peerId, term }]);
    return { kind: "leader", after: report.region };
  }

  #reportOf(id: number): RegionReport {
    const report = this.#current.find(({ region }) => region.id === id);
    assert(report !== undefined, "the region is there");
    return report;
  }

  /** Two bytes, strictly inside `region`; null: none found. */
  #keyInside({ start, end }: RegionMeta): Uint8Array | null {
    const low = numberOf(start, 0);
    const high = numberOf(end, 0x1_0000);
    if (high - low < 2) return null;
    const key = low + 1 + this.#choices.below(high - low - 1);
    return Uint8Array.of(key >> 8, key & 0xff);
  }

  #say(gone: readonly RegionReport[], reports: readonly RegionReport[]): void {
    const at = gone.length === 0 ? 0 : Math.min(...gone.map((report) => this.#current.indexOf(report)));
    const rest = this.#current.filter((report) => !gone.includes(report));
    this.#current = [...rest.slice(0, at), ...reports, ...rest.slice(at)];
    this.reports.push(...reports);
  }
}

function byId(peers: readonly RegionPeer[]): RegionPeer[] {
  return peers.toSorted((a, b) => a.peerId - b.peerId);
}

function numberOf(key: Uint8Array, none: number): number {
  return key.length === 0 ? none : (key[0] ?? 0) * 256 + (key[1] ?? 0);
}
