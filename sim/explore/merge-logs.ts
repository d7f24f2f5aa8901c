import { compareKeys } from "../../core/bytes/record.ts";
import { type RegionEpoch, epochAfterPeers, epochAllows, epochCovers, epochEquals } from "../../raft/epoch.ts";
import {
  bumpedBy,
  coversSource,
  fateOf,
  frozenBy,
  isOrphan,
  mergeProblem,
  mergedBy,
  moveOf,
  thawedBy,
} from "../../raft/store/merge-rules.ts";
import type { MergeState } from "../../raft/store/merge-state.ts";
import type { RegionMeta } from "../../raft/region.ts";

/** The decisions that the exploration is about: those of the product, or a broken one among them. */
export const mergeRules = {
  bumpedBy,
  coversSource,
  fateOf,
  frozenBy,
  isOrphan,
  mergeProblem,
  mergedBy,
  moveOf,
  thawedBy,
  /** Whether a peer calls itself frozen only when its engine can not forget it any more. */
  reportsDurable: true,
  /** Whether peers of a region that is being merged stay. */
  keepsPeers: true,
};
export type MergeRules = typeof mergeRules;

const text = new TextEncoder();
export const sourceId = 1;
export const targetId = 2;
export const stores: readonly number[] = [1, 2, 3];

function firstRegion(id: number, start: string, end: string): RegionMeta {
  const peers = stores.map((storeId) => ({ peerId: id * 10 + storeId, storeId, role: "voter" as const }));
  return { id, start: text.encode(start), end: text.encode(end), epoch: { version: 1, confVer: 1 }, peers };
}

/** A committed entry. `asked`: the region's epoch when it was proposed. */
export type MergeEntry =
  | { readonly kind: "prepare"; readonly asked: RegionEpoch; readonly target: RegionMeta }
  | { readonly kind: "rollback"; readonly asked: RegionEpoch; readonly freezeIndex: number }
  | {
      readonly kind: "commit";
      readonly asked: RegionEpoch;
      readonly source: RegionMeta;
      readonly freezeIndex: number;
    }
  | { readonly kind: "bump" | "split"; readonly asked: RegionEpoch }
  | { readonly kind: "remove"; readonly asked: RegionEpoch; readonly storeId: number };

/** What a replica is that has applied so much of its log. */
export interface Applied {
  readonly region: RegionMeta;
  readonly merge: MergeState | null;
  /** Why the last entry did nothing. */
  readonly refusal: string | null;
}

/** A log, and what it makes of its region, from the beginning on. Logs are shared: each entry is applied once. */
export interface MergeLog {
  readonly name: string;
  readonly entries: readonly MergeEntry[];
  readonly applied: readonly Applied[];
}

/** The shortest name of an entry that no other one has. Stores stand behind an `x`, so that they can be renamed. */
export function nameOf(entry: MergeEntry): string {
  const at = nameOfEpoch(entry.asked);
  switch (entry.kind) {
    case "prepare":
      return `P${at}>${nameOfRegion(entry.target)}`;
    case "rollback":
      return `R${at}:${entry.freezeIndex}`;
    case "commit":
      return `C${at}:${entry.freezeIndex}<${nameOfRegion(entry.source)}`;
    case "bump":
      return `B${at}`;
    case "split":
      return `S${at}`;
    case "remove":
      return `D${at}x${entry.storeId}`;
  }
}

function nameOfEpoch({ version, confVer }: RegionEpoch): string {
  return `${version}.${confVer}`;
}

function nameOfRegion({ epoch, start, end, peers }: RegionMeta): string {
  const range = `${String.fromCharCode(...start)}-${String.fromCharCode(...end)}`;
  const absent = stores.filter((storeId) => !peers.some((peer) => peer.storeId === storeId));
  return `${nameOfEpoch(epoch)}${range}${absent.map((storeId) => `x${storeId}`).join("")}`;
}

/** The logs of the two groups, as far as the exploration has come. */
export class MergeLogs {
  readonly #rules: MergeRules;
  readonly #logs = new Map<string, MergeLog>();
  readonly source: MergeLog;
  readonly target: MergeLog;

  constructor(rules: MergeRules) {
    this.#rules = rules;
    this.source = this.#begin("s", firstRegion(sourceId, "a", "m"));
    this.target = this.#begin("t", firstRegion(targetId, "m", "z"));
  }

  #begin(name: string, region: RegionMeta): MergeLog {
    const log = { name, entries: [], applied: [{ region, merge: null, refusal: null }] };
    this.#logs.set(name, log);
    return log;
  }

  append(log: MergeLog, entry: MergeEntry): MergeLog {
    const name = `${log.name},${nameOf(entry)}`;
    let longer = this.#logs.get(name);
    if (longer === undefined) {
      const after = this.after(lastOf(log), entry, log.entries.length + 1);
      longer = { name, entries: [...log.entries, entry], applied: [...log.applied, after] };
      this.#logs.set(name, longer);
    }
    return longer;
  }

  /** It can do nothing any more, wherever it comes to stand. */
  isSpent(log: MergeLog, entry: MergeEntry): boolean {
    const now = lastOf(log);
    if (this.after(now, entry, log.entries.length + 1).refusal === null) return false;
    return epochCovers(now.region.epoch, entry.asked) && !epochEquals(now.region.epoch, entry.asked);
  }

  after(before: Applied, entry: MergeEntry, index: number): Applied {
    const { region, merge } = before;
    const done = this.#regionAfter(before, entry);
    if (typeof done === "string") return { region, merge, refusal: done };
    if (entry.kind === "prepare") {
      return { region: done, merge: { target: entry.target, freezeIndex: index, high: 0, low: 0 }, refusal: null };
    }
    return { region: done, merge: entry.kind === "rollback" ? null : merge, refusal: null };
  }

  #regionAfter({ region, merge }: Applied, entry: MergeEntry): RegionMeta | string {
    const rules = this.#rules;
    const { asked } = entry;
    switch (entry.kind) {
      case "prepare":
        return rules.frozenBy(region, merge !== null, asked, entry);
      case "rollback":
        return rules.thawedBy(region, merge, asked, entry);
      case "commit":
        return rules.mergedBy(region, merge !== null, asked, { ...entry, high: 0, low: 0 });
      case "bump":
        return rules.bumpedBy(region, asked);
      case "split":
        return splitBy(region, asked);
      case "remove":
        return removedBy(region, merge !== null && rules.keepsPeers, asked, entry.storeId);
    }
  }
}

export function lastOf(log: MergeLog): Applied {
  return log.applied.at(-1) as Applied;
}

/** As `raft/store` splits: the region keeps its left part. */
function splitBy(region: RegionMeta, asked: RegionEpoch): RegionMeta | string {
  if (!epochAllows("split", asked, region.epoch)) return "the region has changed since";
  const at = text.encode(compareKeys(region.start, text.encode("m")) < 0 ? "m" : "q");
  if (compareKeys(at, region.end) >= 0) return "it is too small";
  return { ...region, end: at, epoch: { ...region.epoch, version: region.epoch.version + 1 } };
}

// oxlint-disable-next-line max-params
function removedBy(region: RegionMeta, isFixed: boolean, asked: RegionEpoch, storeId: number): RegionMeta | string {
  if (isFixed) return "the region is being merged";
  if (!epochAllows("change-peers", asked, region.epoch)) return "the region has changed since";
  const peers = region.peers.filter((peer) => peer.storeId !== storeId);
  return { ...region, peers, epoch: epochAfterPeers(region.epoch, 1) };
}
