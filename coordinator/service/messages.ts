import {
  blob,
  bool,
  type Layout,
  list,
  nullable,
  oneOf,
  struct,
  text,
  u32,
  u53,
  variants,
} from "../../core/bytes/layout.ts";
import { epochLayout, regionLayout, type RegionMeta } from "../../raft/region.ts";
import type { NumberRange } from "../allocators.ts";
import type { Assessment } from "../assess.ts";
import type { Published, Transitions } from "../coordinator.ts";
import type { RootToken } from "../journal.ts";
import type { RegionLeader } from "../leader-view.ts";
import type { Operator, PeerPlace } from "../operator.ts";
import type { RegionHeartbeat, RegionReport } from "../region-report.ts";
import { type RootEvent, rootEventLayout } from "../root-event.ts";
import type { RouteAnswer, RouteRequest } from "../route.ts";
import { pendingPeerChangeLayout, pendingRangeChangeLayout, settledLayout, storeMemberships } from "../state.ts";
import type { StoreHeartbeat, StoreStatus } from "../store-view.ts";

/** Timestamps and ids: how many. */
export const countLayout: Layout<{ readonly count: number }> = struct({ count: u32 });
/** No timestamp up to `through` is given out any more. */
export const fenceLayout: Layout<{ readonly through: number }> = struct({ through: u53 });
export const rangeLayout: Layout<NumberRange> = struct({ first: u53, count: u32 });

const freshness = oneOf(["STRONG", "BOUNDED", "BEST_EFFORT"]);
const token: Layout<RootToken> = struct({ term: u53, index: u53 });
const leader: Layout<RegionLeader> = struct({ peerId: u53, storeId: u53, term: u53 });

export const routeRequestLayout: Layout<RouteRequest> = struct({
  key: blob,
  freshness,
  requiredToken: token,
  maxRootLag: u53,
});

export const routeAnswerLayout: Layout<RouteAnswer> = struct({
  region: nullable(regionLayout),
  leader: nullable(leader),
  servedFreshness: freshness,
  servedToken: token,
  currentToken: token,
  rootLag: u53,
  servedByLeader: bool,
  degradedMode: oneOf(["HEALTHY", "ROOT_LAGGING", "ROOT_UNAVAILABLE"]),
  catchUpState: oneOf(["FRESH", "LAGGING", "BOOTSTRAP_REQUIRED", "UNAVAILABLE"]),
});

export interface PublishRequest {
  readonly event: RootEvent;
  /** 0: whatever it is. */
  readonly expectedClusterEpoch: number;
}

export const publishRequestLayout: Layout<PublishRequest> = struct({
  event: rootEventLayout,
  expectedClusterEpoch: u53,
});

const assessment: Layout<Assessment> = struct({
  status: oneOf(["OPEN", "PENDING", "COMPLETED", "CONFLICT", "SUPERSEDED", "CANCELLED", "ABORTED"]),
  reason: oneOf([
    "OPEN_APPLY", "MATCHING_PENDING", "ALREADY_COMPLETED", "CONFLICTING_PENDING", "SUPERSEDED_TARGET",
    "CANCELLED_TARGET", "ABORTED_APPLY",
  ]),
  decision: oneOf(["APPLY", "SKIP"]),
  accepted: bool,
  retryClass: oneOf(["NONE", "CONFLICT"]),
  detail: text,
});

export const publishedLayout: Layout<Published> = struct({ accepted: bool, assessment, token });

export const regionHeartbeatLayout: Layout<Required<RegionHeartbeat>> = struct({
  region: regionLayout,
  leaderPeerId: u53,
  term: u53,
  seq: u53,
  report: nullable(
    struct<RegionReport>({
      sizeBytes: u53,
      entriesPerSecond: u53,
      commandsPerSecond: u53,
      peers: list(struct({ peerId: u53, silentMs: u53, caughtUp: bool })),
    }),
  ),
});

/** Which Coordinator has heard it (`Coordinator.office`). */
export const officeLayout: Layout<{ readonly office: number }> = struct({ office: u53 });
/** Of an answer that says nothing but that it is one. */
export const nothingLayout: Layout<object> = struct({});
/** Behind STALE_HEARTBEAT: the descriptor that is newer, when there is one. */
export const knownRegionLayout: Layout<{ readonly known: RegionMeta | null }> = struct({
  known: nullable(regionLayout),
});

export const storeHeartbeatLayout: Layout<StoreHeartbeat> = struct({
  storeId: u53,
  incarnation: u53,
  writes: u53,
  capacityBytes: u53,
  availableBytes: u53,
  regionCount: u53,
  leaderCount: u53,
  readBytesPerSecond: u53,
  writtenBytesPerSecond: u53,
  snapshotsSending: u53,
  snapshotsReceiving: u53,
  slowScore: u53,
});

const place = struct<PeerPlace>({ storeId: u53, peerId: u53 });
const forLeader = { regionId: u53, term: u53, source: place };
const operatorLayout: Layout<Operator> = variants<Operator>({
  "transfer-leader": [1, struct({ ...forLeader, target: place })],
  "add-learner": [2, struct({ ...forLeader, epoch: epochLayout, target: place })],
  promote: [3, struct({ ...forLeader, epoch: epochLayout, promoted: list(u53), demoted: list(u53) })],
  "remove-peer": [4, struct({ ...forLeader, epoch: epochLayout, target: place })],
  merge: [5, struct({ ...forLeader, epoch: epochLayout, targetId: u53, targetEpoch: epochLayout })],
});
export interface StoreAnswer {
  readonly office: number;
  readonly operators: readonly Operator[];
}
export const operatorsLayout: Layout<StoreAnswer> = struct({ office: u53, operators: list(operatorLayout) });

export const regionIdLayout: Layout<{ readonly regionId: number }> = struct({ regionId: u53 });
/** Null: no such region is known. */
export const descriptorLayout: Layout<{ readonly region: RegionMeta | null }> = struct({
  region: nullable(regionLayout),
});

export const storesLayout: Layout<{ readonly stores: readonly StoreStatus[] }> = struct({
  stores: list(
    struct<StoreStatus>({
      storeId: u53,
      address: text,
      liveness: oneOf(["up", "disconnected", "down", "left"]),
      membership: oneOf(storeMemberships),
      heartbeat: nullable(storeHeartbeatLayout),
    }),
  ),
});

export const transitionsLayout: Layout<Transitions> = struct({
  peerChanges: list(pendingPeerChangeLayout),
  rangeChanges: list(pendingRangeChangeLayout),
  settled: list(settledLayout),
});

/** Which cluster it is. In a request, 0: only ask. In a response, 0: it has no name yet. */
export interface ClusterIdentity {
  readonly clusterId: number;
  readonly clusterVersion: number;
}

export const clusterLayout: Layout<ClusterIdentity> = struct({ clusterId: u53, clusterVersion: u53 });
