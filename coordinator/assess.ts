import { epochEquals } from "../raft/epoch.ts";
import { describeRegion, rangesOverlap, regionProblem, type RegionMeta } from "../raft/region.ts";
import { dominance, overlapping, regionById } from "./region-map.ts";
import type { Cancelled, PeerPlan, PeerResult, RangePlan, RootEvent } from "./root-event.ts";
import type { CoordinatorState, PendingPeerChange, PendingRangeChange } from "./state.ts";

export type TransitionStatus =
  | "OPEN" | "PENDING" | "COMPLETED" | "CONFLICT" | "SUPERSEDED" | "CANCELLED" | "ABORTED";
export type AssessmentReason =
  | "OPEN_APPLY" | "MATCHING_PENDING" | "ALREADY_COMPLETED" | "CONFLICTING_PENDING" | "SUPERSEDED_TARGET"
  | "CANCELLED_TARGET" | "ABORTED_APPLY";

/**
 * What an event would do. `decision` "SKIP" leaves the state as it is: with `accepted`, because it says so already;
 * without, because it contradicts it, and `detail` says how. `retryClass` "CONFLICT": try again after the present
 * state was read.
 */
export interface Assessment {
  readonly status: TransitionStatus;
  readonly reason: AssessmentReason;
  readonly decision: "APPLY" | "SKIP";
  readonly accepted: boolean;
  readonly retryClass: "NONE" | "CONFLICT";
  /** For people; "" when there is nothing to say. */
  readonly detail: string;
}

const open: Assessment = {
  status: "OPEN", reason: "OPEN_APPLY", decision: "APPLY", accepted: true, retryClass: "NONE", detail: "",
};
const pending: Assessment = {
  status: "PENDING", reason: "MATCHING_PENDING", decision: "SKIP", accepted: true, retryClass: "NONE", detail: "",
};
const completed: Assessment = {
  status: "COMPLETED", reason: "ALREADY_COMPLETED", decision: "SKIP", accepted: true, retryClass: "NONE", detail: "",
};
const cancelled: Assessment = {
  status: "CANCELLED", reason: "CANCELLED_TARGET", decision: "SKIP", accepted: true, retryClass: "NONE", detail: "",
};

const refused = { decision: "SKIP", accepted: false } as const;

function conflict(detail: string): Assessment {
  return { ...refused, status: "CONFLICT", reason: "CONFLICTING_PENDING", retryClass: "CONFLICT", detail };
}

function superseded(detail: string): Assessment {
  return { ...refused, status: "SUPERSEDED", reason: "SUPERSEDED_TARGET", retryClass: "CONFLICT", detail };
}

function aborted(detail: string): Assessment {
  return { ...refused, status: "ABORTED", reason: "ABORTED_APPLY", retryClass: "NONE", detail };
}

/** What `event` would do to `state`. Pure: the same on every member that has the same events behind it. */
export function assess(state: CoordinatorState, event: RootEvent): Assessment {
  switch (event.kind) {
    case "ClusterBootstrapped":
    case "ClusterVersionRaised":
    case "StoreJoined":
    case "StoreLeft":
    case "StoreLeaving":
    case "ConfigSet":
    case "ServiceSafePointSet":
    case "ServiceSafePointRemoved":
    case "GcSafePointAdvanced":
      return assessCluster(state, event);
    case "IDAllocatorFenced":
      return event.fence > state.idFence ? open : completed;
    case "TSOAllocatorFenced":
      return event.fence > state.tsoFence ? open : completed;
    case "RegionBootstrap":
      return assessBootstrap(state, event.region);
    case "RegionDescriptorPublished":
      return assessDescriptors(state, [event.region]);
    case "RegionTombstoned":
      return regionById(state, event.regionId) === null ? completed : open;
    case "PeerAdditionPlanned":
      return assessPeerPlan(state, { ...event, change: "addition" });
    case "PeerRemovalPlanned":
      return assessPeerPlan(state, { ...event, change: "removal" });
    case "PeerAdded":
    case "PeerRemoved":
      return assessTerminal(state, event, [event.region]);
    case "RegionSplitPlanned":
    case "RegionMergePlanned":
      return assessRangePlan(state, event);
    case "RegionSplitCommitted":
      return assessTerminal(state, event, event.regions);
    case "RegionMerged":
      return assessTerminal(state, event, [event.region]);
    case "PeerAdditionCancelled":
    case "PeerRemovalCancelled":
    case "RegionSplitCancelled":
    case "RegionMergeCancelled":
      return pendingOf(state, event.transitionId) === null ? cancelled : open;
  }
}

type ClusterEvent = Extract<RootEvent, {
  readonly kind:
    | "ClusterBootstrapped" | "ClusterVersionRaised" | "StoreJoined" | "StoreLeft" | "StoreLeaving" | "ConfigSet"
    | "ServiceSafePointSet" | "ServiceSafePointRemoved" | "GcSafePointAdvanced";
}>;

function assessCluster(state: CoordinatorState, event: ClusterEvent): Assessment {
  switch (event.kind) {
    case "ClusterBootstrapped":
      if (state.clusterId === 0) return event.clusterId > 0 ? open : aborted("a cluster's id is positive");
      if (state.clusterId === event.clusterId) return completed;
      return aborted(`this is cluster ${state.clusterId}, not ${event.clusterId}`);
    case "ClusterVersionRaised":
      return event.clusterVersion > state.clusterVersion ? open : completed;
    case "StoreJoined":
      return assessJoin(state, event);
    case "StoreLeft":
      return assessLeave(state, event.storeId);
    case "StoreLeaving":
      return assessLeaving(state, event.storeId, event.leaving);
    case "ConfigSet":
      return state.config.some(({ name, value }) => name === event.name && value === event.value) ? completed : open;
    case "ServiceSafePointSet":
      if (event.safePoint >= state.gcSafePoint) return open;
      return aborted(`the safe point is at ${state.gcSafePoint} already: what is older may be gone`);
    case "ServiceSafePointRemoved":
      return state.serviceSafePoints.some(({ service }) => service === event.service) ? open : completed;
    case "GcSafePointAdvanced":
      return assessSafePoint(state, event);
  }
}

function assessJoin(
  state: CoordinatorState,
  { storeId, address, labels }: Extract<RootEvent, { readonly kind: "StoreJoined" }>,
): Assessment {
  if (storeId < 1 || address === "") return aborted("a store has a positive id and an address");
  const known = state.stores.find((store) => store.storeId === storeId);
  if (known?.membership === "left") return aborted(`store ${storeId} has left; its id is not used again`);
  const taken = state.stores.find((store) => store.address === address && store.membership === "member");
  if (taken !== undefined && taken.storeId !== storeId) {
    return conflict(`${address} is the address of store ${taken.storeId}`);
  }
  const same = known !== undefined && known.address === address && sameTexts(known.labels, labels);
  return same ? completed : open;
}

function assessLeave(state: CoordinatorState, storeId: number): Assessment {
  const known = state.stores.find((store) => store.storeId === storeId);
  if (known === undefined) return aborted(`store ${storeId} is unknown`);
  if (known.membership === "left") return completed;
  const holding = state.regions.find(({ peers }) => peers.some((peer) => peer.storeId === storeId));
  if (holding === undefined) return open;
  return conflict(`store ${storeId} still holds a replica of region ${describeRegion(holding)}`);
}

function assessLeaving(state: CoordinatorState, storeId: number, leaving: boolean): Assessment {
  const known = state.stores.find((store) => store.storeId === storeId);
  if (known === undefined) return aborted(`store ${storeId} is unknown`);
  if (known.membership === "left") {
    return leaving ? completed : aborted(`store ${storeId} has left; its id is not used again`);
  }
  return (known.membership === "leaving") === leaving ? completed : open;
}

function assessSafePoint(
  state: CoordinatorState,
  { safePoint, now }: Extract<RootEvent, { readonly kind: "GcSafePointAdvanced" }>,
): Assessment {
  if (safePoint <= state.gcSafePoint) return completed;
  const holder = state.serviceSafePoints.find((held) => held.safePoint < safePoint && held.expiresAt > now);
  return holder === undefined ? open : conflict(`${holder.service} keeps versions from ${holder.safePoint}`);
}

/** The first descriptors fill a space that nobody holds, whatever their epoch. */
function assessBootstrap(state: CoordinatorState, region: RegionMeta): Assessment {
  const assessment = assessDescriptors(state, [region]);
  const { first, count } = overlapping(state.regions, region);
  if (assessment.decision === "SKIP" || count === 0) return assessment;
  const other = state.regions[first];
  return conflict(`its keys are held by region ${other === undefined ? 0 : other.id} already`);
}

/** All of them or none: a split whose child is refused does not shorten its parent. */
function assessDescriptors(state: CoordinatorState, regions: readonly RegionMeta[]): Assessment {
  const twice = regions.find((region, i) =>
    regions.some((other, j) => j < i && (other.id === region.id || rangesOverlap(other, region))),
  );
  if (twice !== undefined) return aborted(`region ${twice.id} overlaps another one of the same event`);
  let news = false;
  for (const region of regions) {
    const problem = regionProblem(region);
    if (problem !== null) return aborted(`region ${region.id}: ${problem}`);
    const found = dominance(state, region);
    if (found.kind === "newer") news = true;
    if (found.kind !== "stale") continue;
    const by = found.by === null ? "the region was taken out" : `known is ${describeRegion(found.by)}`;
    return superseded(`${describeRegion(region)} comes late: ${by}`);
  }
  return news ? open : completed;
}

/** A plan is made for one epoch of a region, and only one is open there at a time. */
function assessPlan(state: CoordinatorState, plan: PeerPlan | RangePlan): Assessment {
  const region = regionById(state, plan.regionId);
  if (region === null) return superseded(`region ${plan.regionId} is unknown here`);
  if (!epochEquals(region.epoch, plan.base)) {
    return superseded(`the plan is for v${plan.base.version} c${plan.base.confVer} of ${describeRegion(region)}`);
  }
  const other = openChange(state, plan.regionId);
  if (other !== null) return conflict(`${other.transitionId} is under way in region ${plan.regionId}`);
  return open;
}

function assessPeerPlan(state: CoordinatorState, plan: PendingPeerChange): Assessment {
  const known = assessKnown(state, plan.transitionId);
  if (known !== null) return known;
  const assessment = assessPlan(state, plan);
  if (assessment.decision === "SKIP") return assessment;
  const region = regionById(state, plan.regionId);
  const there = region?.peers.some(({ peerId }) => peerId === plan.peer.peerId) ?? false;
  if (plan.change === "removal") return there ? open : aborted(`peer ${plan.peer.peerId} is not there`);
  const holds = region?.peers.some(({ storeId }) => storeId === plan.peer.storeId) ?? false;
  return there || holds ? aborted(`store ${plan.peer.storeId} holds a peer already`) : open;
}

function assessRangePlan(state: CoordinatorState, plan: RangePlan): Assessment {
  const known = assessKnown(state, plan.transitionId);
  if (known !== null) return known;
  const other = plan.otherIds.map((id) => openChange(state, id)).find((change) => change !== null);
  if (other !== undefined && other !== null) return conflict(`${other.transitionId} is under way`);
  return assessPlan(state, plan);
}

/** Said before: by a plan that is open, or by one that has ended. */
function assessKnown(state: CoordinatorState, transitionId: string): Assessment | null {
  if (pendingOf(state, transitionId) !== null) return pending;
  const settled = state.settled.find((transition) => transition.transitionId === transitionId);
  if (settled === undefined) return null;
  return settled.outcome === "cancelled" ? { ...cancelled, accepted: false } : completed;
}

/**
 * What was applied is so, whatever was planned: it is refused only when the map is newer. What it said is also done
 * when the map has moved on from it, and then its plan must not stay open.
 */
function assessTerminal(
  state: CoordinatorState,
  { transitionId }: Cancelled | PeerResult,
  regions: readonly RegionMeta[],
): Assessment {
  const assessment = assessDescriptors(state, regions);
  if (assessment.decision === "APPLY" || assessment.reason === "ABORTED_APPLY") return assessment;
  const decision = pendingOf(state, transitionId) === null ? "SKIP" : "APPLY";
  return { ...assessment, decision, accepted: true, retryClass: "NONE" };
}

function pendingOf(
  state: CoordinatorState,
  transitionId: string,
): PendingPeerChange | PendingRangeChange | null {
  const matches = (change: { readonly transitionId: string }): boolean => change.transitionId === transitionId;
  return state.pendingPeerChanges.find(matches) ?? state.pendingRangeChanges.find(matches) ?? null;
}

/** What is under way in region `id`, as the region that changes or as one that is concerned. */
export function openChange(state: CoordinatorState, id: number): PendingPeerChange | PendingRangeChange | null {
  return (
    state.pendingPeerChanges.find(({ regionId }) => regionId === id) ??
    state.pendingRangeChanges.find(({ regionId, otherIds }) => regionId === id || otherIds.includes(id)) ??
    null
  );
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
