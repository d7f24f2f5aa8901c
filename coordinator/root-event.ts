import { bool, type Layout, list, struct, text, u53, variants } from "../core/bytes/layout.ts";
import { regionLayout, type RegionMeta } from "../raft/region.ts";
import {
  peerChangeLayout,
  type PendingPeerChange,
  type PendingRangeChange,
  rangeChangeLayout,
  type ServiceSafePoint,
  serviceSafePointLayout,
} from "./state.ts";

/**
 * Everything that can happen to `CoordinatorState`. *Planned* events say what a region's leader is about to propose
 * and change no route; *terminal* ones carry the descriptors as applied, and say so as often as needed: what is known
 * already changes nothing.
 */
export type RootEvent =
  | { readonly kind: "ClusterBootstrapped"; readonly clusterId: number; readonly clusterVersion: number }
  | { readonly kind: "ClusterVersionRaised"; readonly clusterVersion: number }
  | {
      readonly kind: "StoreJoined";
      readonly storeId: number;
      readonly address: string;
      readonly labels: readonly string[];
    }
  | { readonly kind: "StoreLeft"; readonly storeId: number }
  | { readonly kind: "StoreLeaving"; readonly storeId: number; readonly leaving: boolean }
  | { readonly kind: "IDAllocatorFenced"; readonly fence: number }
  | { readonly kind: "TSOAllocatorFenced"; readonly fence: number }
  | { readonly kind: "RegionBootstrap"; readonly region: RegionMeta }
  | { readonly kind: "RegionDescriptorPublished"; readonly region: RegionMeta }
  | { readonly kind: "RegionTombstoned"; readonly regionId: number }
  | ({ readonly kind: "PeerAdditionPlanned" } & PeerPlan)
  | ({ readonly kind: "PeerRemovalPlanned" } & PeerPlan)
  | ({ readonly kind: "PeerAdded" } & PeerResult)
  | ({ readonly kind: "PeerRemoved" } & PeerResult)
  | ({ readonly kind: "PeerAdditionCancelled" } & Cancelled)
  | ({ readonly kind: "PeerRemovalCancelled" } & Cancelled)
  | ({ readonly kind: "RegionSplitPlanned" } & RangePlan)
  | ({ readonly kind: "RegionSplitCommitted" } & SplitResult)
  | ({ readonly kind: "RegionSplitCancelled" } & Cancelled)
  | ({ readonly kind: "RegionMergePlanned" } & RangePlan)
  | ({ readonly kind: "RegionMerged" } & MergeResult)
  | ({ readonly kind: "RegionMergeCancelled" } & Cancelled)
  | { readonly kind: "GcSafePointAdvanced"; readonly safePoint: number; readonly now: number }
  | ({ readonly kind: "ServiceSafePointSet" } & ServiceSafePoint)
  | { readonly kind: "ServiceSafePointRemoved"; readonly service: string }
  | { readonly kind: "ConfigSet"; readonly name: string; readonly value: string };

export type PeerPlan = Omit<PendingPeerChange, "change">;
export type RangePlan = Omit<PendingRangeChange, "change">;

/** `region` as it is after the change, learners and joint steps included. */
export interface PeerResult {
  readonly transitionId: string;
  readonly region: RegionMeta;
}

export interface SplitResult {
  readonly transitionId: string;
  /** The parent and the children, in key order. */
  readonly regions: readonly RegionMeta[];
}

export interface MergeResult {
  readonly transitionId: string;
  /** The target as it is after the merge. */
  readonly region: RegionMeta;
  readonly sourceId: number;
}

export interface Cancelled {
  readonly transitionId: string;
}

const cancelled: Layout<Cancelled> = struct({ transitionId: text });
const peerResult: Layout<PeerResult> = struct({ transitionId: text, region: regionLayout });

/**
 * The highest id that `event` shows to be taken: stores and first regions bring theirs along, and a Coordinator that
 * starts anew learns of those that another one gave out. 0: none.
 */
export function takenId(event: RootEvent): number {
  if (event.kind === "StoreJoined") return event.storeId;
  if (event.kind !== "RegionBootstrap" && event.kind !== "RegionDescriptorPublished") return 0;
  return Math.max(event.region.id, ...event.region.peers.map(({ peerId }) => peerId));
}

/** Codes are part of the format: a new kind gets a new one. */
export const rootEventLayout: Layout<RootEvent> = variants<RootEvent>({
  ClusterBootstrapped: [1, struct({ clusterId: u53, clusterVersion: u53 })],
  ClusterVersionRaised: [2, struct({ clusterVersion: u53 })],
  StoreJoined: [3, struct({ storeId: u53, address: text, labels: list(text) })],
  StoreLeft: [4, struct({ storeId: u53 })],
  IDAllocatorFenced: [5, struct({ fence: u53 })],
  TSOAllocatorFenced: [6, struct({ fence: u53 })],
  RegionBootstrap: [7, struct({ region: regionLayout })],
  RegionDescriptorPublished: [8, struct({ region: regionLayout })],
  RegionTombstoned: [9, struct({ regionId: u53 })],
  PeerAdditionPlanned: [10, peerChangeLayout],
  PeerRemovalPlanned: [11, peerChangeLayout],
  PeerAdded: [12, peerResult],
  PeerRemoved: [13, peerResult],
  PeerAdditionCancelled: [14, cancelled],
  PeerRemovalCancelled: [15, cancelled],
  RegionSplitPlanned: [16, rangeChangeLayout],
  RegionSplitCommitted: [17, struct({ transitionId: text, regions: list(regionLayout) })],
  RegionSplitCancelled: [18, cancelled],
  RegionMergePlanned: [19, rangeChangeLayout],
  RegionMerged: [20, struct({ transitionId: text, region: regionLayout, sourceId: u53 })],
  RegionMergeCancelled: [21, cancelled],
  GcSafePointAdvanced: [22, struct({ safePoint: u53, now: u53 })],
  ServiceSafePointSet: [23, serviceSafePointLayout],
  ServiceSafePointRemoved: [24, struct({ service: text })],
  StoreLeaving: [30, struct({ storeId: u53, leaving: bool })],
  ConfigSet: [25, struct({ name: text, value: text })],
});
