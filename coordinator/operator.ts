import type { RegionEpoch } from "../raft/epoch.ts";

/** A replica, and where it lives. */
export interface PeerPlace {
  readonly storeId: number;
  readonly peerId: number;
}

/** Of every operator: what is asked of the leader's store. It may refuse: only it knows how its region is. */
interface ForLeader {
  readonly regionId: number;
  /** The plan is for this term: a region that elected somebody else meanwhile is left alone. */
  readonly term: number;
  /** Who leads in that term. */
  readonly source: PeerPlace;
}

/** Of those that change peers. */
interface ForEpoch extends ForLeader {
  /** The plan is for these peers and this range: what has changed since, has changed for a reason. */
  readonly epoch: RegionEpoch;
}

export interface TransferLeader extends ForLeader {
  readonly kind: "transfer-leader";
  readonly target: PeerPlace;
}

/** A replica that gets the log and decides nothing yet. Its id was reserved for it. */
export interface AddLearner extends ForEpoch {
  readonly kind: "add-learner";
  readonly target: PeerPlace;
}

/** In one change: learners that have caught up vote, and as many voters may become learners. */
export interface Promote extends ForEpoch {
  readonly kind: "promote";
  readonly promoted: readonly number[];
  readonly demoted: readonly number[];
}

export interface RemovePeer extends ForEpoch {
  readonly kind: "remove-peer";
  readonly target: PeerPlace;
}

/** The region goes into its right neighbour, as that one is known too. */
export interface MergeRegion extends ForEpoch {
  readonly kind: "merge";
  readonly targetId: number;
  readonly targetEpoch: RegionEpoch;
}

/** One step, carried out by the store whose heartbeat it answers. The next one follows from what came of it. */
export type Operator = TransferLeader | AddLearner | Promote | RemovePeer | MergeRegion;

/** For people. */
export function describeOperator(operator: Operator): string {
  const { kind, regionId } = operator;
  if (kind === "merge") return `region ${regionId} goes into region ${operator.targetId}`;
  if (kind === "promote") {
    const demoted = operator.demoted.length > 0 ? ` for ${operator.demoted.join(", ")}` : "";
    return `region ${regionId}: peer ${operator.promoted.join(", ")} votes${demoted}`;
  }
  const { peerId, storeId } = operator.target;
  const what = { "transfer-leader": "leads", "add-learner": "is added", "remove-peer": "is removed" }[kind];
  return `region ${regionId}: peer ${peerId} on store ${storeId} ${what}`;
}
