import { type Layout, blob, decode, encode, list, struct, u53 } from "../../core/bytes/layout.ts";
import { compareKeys } from "../../core/bytes/record.ts";
import { epochAfterBump, epochAfterSplit, epochAllows } from "../epoch.ts";
import { type RegionMeta, isBeforeEnd, regionProblem } from "../region.ts";
import { type AdminEntry, envelopeKind } from "./entry-envelope.ts";

/** A child of a split: where it begins, and who it and its peers are, one for each of the parent's, in their order. */
export interface SplitItem {
  readonly key: Uint8Array;
  readonly regionId: number;
  /** Ascending; given out for this. */
  readonly peerIds: readonly number[];
}

/** The parent keeps what lies before the first key; each child goes to the next one's, the last to the parent's end. */
export interface SplitCommand {
  readonly items: readonly SplitItem[];
}

export const splitItemLayout: Layout<SplitItem> = struct({ key: blob, regionId: u53, peerIds: list(u53) });
const splitLayout: Layout<SplitCommand> = struct({ items: list(splitItemLayout) });

/** What a command to the region itself comes to, on every replica alike. */
export interface AdminEffect {
  /** Of `envelopeKind`. */
  readonly kind: number;
  /** Why it does nothing; null: it does. */
  readonly refused: string | null;
  /** As it is behind the entry. */
  readonly region: RegionMeta;
  /** Of a split, in the order of their keys. */
  readonly children: readonly RegionMeta[];
}

export function splitEntry(region: RegionMeta, items: readonly SplitItem[]): AdminEntry {
  return { kind: envelopeKind.split, epoch: region.epoch, payload: encode(splitLayout, { items }) };
}

export function bumpVersionEntry(region: RegionMeta): AdminEntry {
  return { kind: envelopeKind.bumpVersion, epoch: region.epoch, payload: new Uint8Array(0) };
}

/** The region is what it is where the entry is applied; whatever the proposer believed is only compared with it. */
export function effectOf(entry: AdminEntry, region: RegionMeta): AdminEffect {
  switch (entry.kind) {
    case envelopeKind.split:
      return effectOfSplit(entry, region);
    case envelopeKind.bumpVersion:
      if (!epochAllows("bump-version", entry.epoch, region.epoch)) return refuse(entry, region, changedSince);
      return done(entry, { ...region, epoch: epochAfterBump(region.epoch) }, []);
    default:
      return refuse(entry, region, `commands of kind ${entry.kind} are not known here`);
  }
}

const changedSince = "the region has changed since";

function effectOfSplit(entry: AdminEntry, region: RegionMeta): AdminEffect {
  if (!epochAllows("split", entry.epoch, region.epoch)) return refuse(entry, region, changedSince);
  const command = decode(splitLayout, entry.payload);
  if (typeof command === "string") return refuse(entry, region, `it is damaged: ${command}`);
  const after = regionsAfterSplit(region, command.value.items);
  if (typeof after === "string") return refuse(entry, region, after);
  const [parent = region, ...children] = after;
  return done(entry, parent, children);
}

function done({ kind }: AdminEntry, region: RegionMeta, children: readonly RegionMeta[]): AdminEffect {
  return { kind, refused: null, region, children };
}

function refuse({ kind }: AdminEntry, region: RegionMeta, why: string): AdminEffect {
  return { kind, refused: why, region, children: [] };
}

/** The parent and its children; a string: why it can not be divided like that. */
export function regionsAfterSplit(region: RegionMeta, items: readonly SplitItem[]): readonly RegionMeta[] | string {
  if (items.length === 0) return "it names no key";
  const epoch = epochAfterSplit(region.epoch, items.length);
  const regions: RegionMeta[] = [];
  let { id, start, peers } = region;
  for (const { key, regionId, peerIds } of items) {
    if (compareKeys(start, key) >= 0) return "a key is not behind the one before, or not behind the region's start";
    if (!isBeforeEnd(key, region.end)) return "a key is not in the region";
    if (peerIds.length !== region.peers.length) return "a child has another number of peers";
    if (regionId === region.id || regions.some((other) => other.id === regionId)) return "a region's id is taken";
    regions.push({ id, start, end: key, epoch, peers });
    id = regionId;
    start = key;
    peers = region.peers.map((peer, i) => ({ ...peer, peerId: peerIds[i] ?? 0 }));
  }
  regions.push({ id, start, end: region.end, epoch, peers });
  for (const part of regions) {
    const problem = regionProblem(part);
    if (problem !== null) return `region ${part.id}: ${problem}`;
  }
  return regions;
}
