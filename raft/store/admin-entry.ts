import { type Layout, blob, decode, encode, list, struct, u53 } from "../../core/bytes/layout.ts";
import { compareKeys } from "../../core/bytes/record.ts";
import { epochAfterSplit, epochAllows } from "../epoch.ts";
import { type RegionMeta, isBeforeEnd, regionProblem } from "../region.ts";
import { type AdminEntry, envelopeKind } from "./entry-envelope.ts";
import { bumpedBy, frozenBy, mergedBy, thawedBy } from "./merge-rules.ts";
import {
  type CommitMerge,
  type MergeState,
  commitMergeLayout,
  prepareMergeLayout,
  rollbackMergeLayout,
} from "./merge-state.ts";

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

const splitItemLayout: Layout<SplitItem> = struct({ key: blob, regionId: u53, peerIds: list(u53) });
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
  /** Of a freeze: whom the region is to be merged into. */
  readonly target: RegionMeta | null;
  /** Of the end of a merge: what the region takes. */
  readonly taken: CommitMerge | null;
}

export function splitEntry(region: RegionMeta, items: readonly SplitItem[]): AdminEntry {
  return { kind: envelopeKind.split, epoch: region.epoch, payload: encode(splitLayout, { items }) };
}

export function bumpVersionEntry(region: RegionMeta): AdminEntry {
  return { kind: envelopeKind.bumpVersion, epoch: region.epoch, payload: new Uint8Array(0) };
}

/** Of a source: the region stops, until it is merged or the freeze is taken back. */
export function prepareMergeEntry(region: RegionMeta, target: RegionMeta): AdminEntry {
  return { kind: envelopeKind.prepareMerge, epoch: region.epoch, payload: encode(prepareMergeLayout, { target }) };
}

/** Of a target: it takes the source, which is frozen everywhere. */
export function commitMergeEntry(region: RegionMeta, commit: CommitMerge): AdminEntry {
  return { kind: envelopeKind.commitMerge, epoch: region.epoch, payload: encode(commitMergeLayout, commit) };
}

export function rollbackMergeEntry(region: RegionMeta, freezeIndex: number): AdminEntry {
  const payload = encode(rollbackMergeLayout, { freezeIndex });
  return { kind: envelopeKind.rollbackMerge, epoch: region.epoch, payload };
}

/**
 * The region is what it is where the entry is applied, and `merge` whether it is frozen; whatever the proposer believed
 * is only compared with it.
 */
export function effectOf(entry: AdminEntry, region: RegionMeta, merge: MergeState | null): AdminEffect {
  const isFrozen = merge !== null;
  switch (entry.kind) {
    case envelopeKind.split:
      return isFrozen ? refuse(entry, region, frozen) : effectOfSplit(entry, region);
    case envelopeKind.bumpVersion:
      return isFrozen ? refuse(entry, region, frozen) : changed(entry, region, bumpedBy(region, entry.epoch), {});
    case envelopeKind.prepareMerge:
      return read(entry, region, prepareMergeLayout, (prepare) =>
        changed(entry, region, frozenBy(region, isFrozen, entry.epoch, prepare), { target: prepare.target }),
      );
    case envelopeKind.commitMerge:
      return read(entry, region, commitMergeLayout, (commit) =>
        changed(entry, region, mergedBy(region, isFrozen, entry.epoch, commit), { taken: commit }),
      );
    case envelopeKind.rollbackMerge:
      return read(entry, region, rollbackMergeLayout, (rollback) =>
        changed(entry, region, thawedBy(region, merge, entry.epoch, rollback), {}),
      );
    default:
      return refuse(entry, region, `commands of kind ${entry.kind} are not known here`);
  }
}

const changedSince = "the region has changed since";
const frozen = "the region is being merged";
const nothingElse = { children: [], target: null, taken: null };

// oxlint-disable-next-line max-params
function read<T>(
  entry: AdminEntry,
  region: RegionMeta,
  layout: Layout<T>,
  then: (command: T) => AdminEffect,
): AdminEffect {
  const command = decode(layout, entry.payload);
  return typeof command === "string" ? refuse(entry, region, `it is damaged: ${command}`) : then(command.value);
}

/** `after`: the region behind the entry; a string: why it is the one before. */
// oxlint-disable-next-line max-params
function changed(
  { kind }: AdminEntry,
  region: RegionMeta,
  after: RegionMeta | string,
  more: Partial<AdminEffect>,
): AdminEffect {
  if (typeof after === "string") return { kind, refused: after, region, ...nothingElse };
  return { kind, refused: null, region: after, ...nothingElse, ...more };
}

function effectOfSplit(entry: AdminEntry, region: RegionMeta): AdminEffect {
  if (!epochAllows("split", entry.epoch, region.epoch)) return refuse(entry, region, changedSince);
  const command = decode(splitLayout, entry.payload);
  if (typeof command === "string") return refuse(entry, region, `it is damaged: ${command}`);
  const after = regionsAfterSplit(region, command.value.items);
  if (typeof after === "string") return refuse(entry, region, after);
  const [parent = region, ...children] = after;
  return changed(entry, region, parent, { children });
}

function refuse(entry: AdminEntry, region: RegionMeta, why: string): AdminEffect {
  return changed(entry, region, why, {});
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
