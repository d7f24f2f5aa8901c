import { type Draft, freeze, produce } from "immer";
import { compareKeys } from "../core/bytes/record.ts";
import type { RegionMeta } from "../raft/region.ts";
import { isJointRegion } from "../raft/voter-configuration.ts";
import { type Assessment, assess } from "./assess.ts";
import { dominance, overlapping, regionAt, regionById, remainders } from "./region-map.ts";
import { type RootEvent, takenId } from "./root-event.ts";
import {
  type CoordinatorState,
  type PendingPeerChange,
  type PendingRangeChange,
  type SettledOutcome,
  settledTransitionsMax,
  type VacatedRange,
} from "./state.ts";

export interface Reduction {
  readonly state: CoordinatorState;
  readonly assessment: Assessment;
}

/** The state after `event`, which is the state before it unless the assessment says APPLY. Pure. */
export function reduce(state: CoordinatorState, event: RootEvent): Reduction {
  const assessment = assess(state, event);
  if (assessment.decision === "SKIP") return { state, assessment };
  return { state: produce(state, (draft) => apply(state, draft, event)), assessment };
}

/** `before` is the state that `draft` starts from: reading it is cheaper than reading a draft. */
function apply(before: CoordinatorState, draft: Draft<CoordinatorState>, event: RootEvent): void {
  draft.idFence = Math.max(draft.idFence, takenId(event));
  switch (event.kind) {
    case "ClusterBootstrapped":
      draft.clusterId = event.clusterId;
      draft.clusterVersion = event.clusterVersion;
      return;
    case "ClusterVersionRaised":
      draft.clusterVersion = event.clusterVersion;
      return;
    case "IDAllocatorFenced":
      draft.idFence = event.fence;
      return;
    case "TSOAllocatorFenced":
      draft.tsoFence = event.fence;
      return;
    case "GcSafePointAdvanced":
      draft.gcSafePoint = event.safePoint;
      draft.serviceSafePoints = draft.serviceSafePoints.filter(({ expiresAt }) => expiresAt > event.now);
      return;
    case "StoreJoined":
    case "StoreLeft":
    case "StoreLeaving":
      applyStore(draft, event);
      return;
    case "ServiceSafePointSet": {
      const { service, safePoint, expiresAt } = event;
      const others = draft.serviceSafePoints.filter((held) => held.service !== service);
      draft.serviceSafePoints = sorted([...others, { service, safePoint, expiresAt }], (held) => held.service);
      return;
    }
    case "ServiceSafePointRemoved":
      draft.serviceSafePoints = draft.serviceSafePoints.filter(({ service }) => service !== event.service);
      return;
    case "ConfigSet": {
      const others = draft.config.filter(({ name }) => name !== event.name);
      draft.config = sorted([...others, { name: event.name, value: event.value }], ({ name }) => name);
      return;
    }
    case "RegionBootstrap":
    case "RegionDescriptorPublished":
    case "RegionTombstoned":
    case "PeerAdditionPlanned":
    case "PeerRemovalPlanned":
    case "PeerAdded":
    case "PeerRemoved":
    case "PeerAdditionCancelled":
    case "PeerRemovalCancelled":
    case "RegionSplitPlanned":
    case "RegionSplitCommitted":
    case "RegionSplitCancelled":
    case "RegionMergePlanned":
    case "RegionMerged":
    case "RegionMergeCancelled":
      draft.clusterEpoch++;
      applyRegions(before, draft, event);
  }
}

type StoreEvent = Extract<RootEvent, { readonly kind: "StoreJoined" | "StoreLeft" | "StoreLeaving" }>;
type RegionEvent = Exclude<RootEvent, StoreEvent | Extract<RootEvent, {
  readonly kind:
    | "ClusterBootstrapped" | "ClusterVersionRaised" | "IDAllocatorFenced" | "TSOAllocatorFenced"
    | "GcSafePointAdvanced" | "ServiceSafePointSet" | "ServiceSafePointRemoved" | "ConfigSet";
}>>;

function applyStore(draft: Draft<CoordinatorState>, event: StoreEvent): void {
  draft.membershipEpoch++;
  const { storeId } = event;
  const known = draft.stores.find((store) => store.storeId === storeId);
  if (event.kind === "StoreLeft") {
    if (known !== undefined) known.membership = "left";
    return;
  }
  if (event.kind === "StoreLeaving") {
    if (known !== undefined) known.membership = event.leaving ? "leaving" : "member";
    return;
  }
  const labels = [...event.labels];
  if (known !== undefined) Object.assign(known, { address: event.address, labels });
  else draft.stores.push({ storeId, address: event.address, membership: "member", labels });
  draft.stores.sort((a, b) => a.storeId - b.storeId);
}

function applyRegions(before: CoordinatorState, draft: Draft<CoordinatorState>, event: RegionEvent): void {
  switch (event.kind) {
    case "RegionBootstrap":
    case "RegionDescriptorPublished":
      place(before, draft, [event.region]);
      return;
    case "RegionTombstoned": {
      const region = before.regions.find(({ id }) => id === event.regionId);
      if (region === undefined) return;
      draft.regions = draft.regions.filter(({ id }) => id !== event.regionId);
      draft.tombstones.push({ regionId: event.regionId, epoch: { ...region.epoch } });
      draft.tombstones.sort((a, b) => a.regionId - b.regionId);
      settleSeen(before, draft);
      return;
    }
    case "PeerAdditionPlanned":
    case "PeerRemovalPlanned": {
      const { kind, ...plan } = event;
      const change = kind === "PeerAdditionPlanned" ? "addition" : "removal";
      draft.pendingPeerChanges.push({ ...plan, change });
      draft.pendingPeerChanges.sort((a, b) => a.regionId - b.regionId);
      return;
    }
    case "RegionSplitPlanned":
    case "RegionMergePlanned": {
      const { kind, otherIds, splitKeys, ...plan } = event;
      const change = kind === "RegionSplitPlanned" ? "split" : "merge";
      draft.pendingRangeChanges.push({ ...plan, change, otherIds: [...otherIds], splitKeys: [...splitKeys] });
      draft.pendingRangeChanges.sort((a, b) => a.regionId - b.regionId);
      return;
    }
    case "PeerAdded":
    case "PeerRemoved":
    case "RegionMerged":
      settle(draft, event.transitionId, "completed");
      place(before, draft, [event.region]);
      return;
    case "RegionSplitCommitted":
      settle(draft, event.transitionId, "completed");
      place(before, draft, event.regions);
      return;
    case "PeerAdditionCancelled":
    case "PeerRemovalCancelled":
    case "RegionSplitCancelled":
    case "RegionMergeCancelled":
      settle(draft, event.transitionId, "cancelled");
  }
}

/** Puts in what is newer, in place of everything it overlaps and of what stood under its id. */
function place(before: CoordinatorState, draft: Draft<CoordinatorState>, regions: readonly RegionMeta[]): void {
  const news = regions.filter((region) => dominance(before, region).kind === "newer");
  if (news.length === 0) return;
  const map: RegionMeta[] = [...before.regions];
  let vacated: VacatedRange[] = [...before.vacated];
  for (const region of news) {
    const { first, count } = overlapping(map, region);
    const over = map.splice(first, count, region);
    const own = regionById(before, region.id, region.start);
    const old = own === null ? -1 : map.indexOf(own);
    // A region whose range moved away from its old one: only after changes that this map has not heard of.
    if (old >= 0) over.push(...map.splice(old, 1));
    const gaps = over.map(({ start, end, epoch }) => ({ start, end, version: epoch.version }));
    vacated = [...vacated, ...gaps].flatMap(({ version, ...range }) =>
      remainders(range, region).map((left) => ({ ...left, version })),
    );
  }
  // Immer goes through all that it does not find frozen: a cluster of ten thousand regions begins with as many events.
  for (const region of news) freeze(region, true);
  draft.regions = freeze(map) as Draft<RegionMeta>[];
  draft.vacated = vacated.sort((a, b) => compareKeys(a.start, b.start));
  settleSeen(before, draft);
}

/** Ends what the map shows to be over, although nobody said so yet. */
function settleSeen(before: CoordinatorState, draft: Draft<CoordinatorState>): void {
  for (const change of draft.pendingPeerChanges) {
    const outcome = peerChangeOutcome(change, regionOf(draft, change.regionId));
    if (outcome !== null) settle(draft, change.transitionId, outcome);
  }
  for (const change of draft.pendingRangeChanges) {
    const outcome = rangeChangeOutcome(change, regionById(before, change.regionId), draft.regions);
    if (outcome !== null) settle(draft, change.transitionId, outcome);
  }
}

function regionOf(draft: Draft<CoordinatorState>, id: number): RegionMeta | null {
  return draft.regions.find((region) => region.id === id) ?? null;
}

/** Null: still under way. Steps of the change itself (a learner, a joint configuration) do not end it. */
function peerChangeOutcome(change: PendingPeerChange, region: RegionMeta | null): SettledOutcome | null {
  if (region === null || region.epoch.version !== change.base.version) return "superseded";
  const peer = region.peers.find(({ peerId }) => peerId === change.peer.peerId);
  const done = change.change === "removal" ? peer === undefined : peer?.role === change.peer.role;
  return done && !isJointRegion(region) ? "completed" : null;
}

/**
 * Null: still under way. A source that is prepared for its merge is one version on; one that was merged, and not
 * driven out by something else, has left its keys to its target. `known`: the region as it was until now.
 */
function rangeChangeOutcome(
  change: PendingRangeChange,
  known: RegionMeta | null,
  regions: readonly RegionMeta[],
): SettledOutcome | null {
  const { base, otherIds } = change;
  const region = regions.find(({ id }) => id === change.regionId) ?? null;
  if (change.change === "merge") {
    if (region !== null) return region.epoch.version > base.version + 1 ? "superseded" : null;
    const heir = known === null ? null : regionAt(regions, known.start);
    return heir !== null && otherIds.includes(heir.id) ? "completed" : "superseded";
  }
  if (region === null) return "superseded";
  if (region.epoch.version === base.version) return null;
  return otherIds.every((child) => regions.some(({ id }) => id === child)) ? "completed" : "superseded";
}

/** Ends a transition; for one that was never planned it is remembered all the same. */
function settle(draft: Draft<CoordinatorState>, transitionId: string, outcome: SettledOutcome): void {
  draft.pendingPeerChanges = draft.pendingPeerChanges.filter((change) => change.transitionId !== transitionId);
  draft.pendingRangeChanges = draft.pendingRangeChanges.filter((change) => change.transitionId !== transitionId);
  draft.settled = draft.settled.filter((transition) => transition.transitionId !== transitionId);
  draft.settled.push({ transitionId, outcome });
  if (draft.settled.length > settledTransitionsMax) draft.settled.shift();
}

function sorted<T>(items: T[], name: (item: T) => string): T[] {
  return items.sort((a, b) => (name(a) < name(b) ? -1 : 1));
}
