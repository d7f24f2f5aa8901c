import type { Trace } from "../core/env/trace.ts";
import { describeOperator, type Operator } from "../coordinator/operator.ts";
import { epochEquals } from "../raft/epoch.ts";
import { peerById, peerOnStore } from "../raft/region.ts";
import type { RaftAdmin, TransferOutcome } from "../raft/store/admin.ts";
import type { PeerChange } from "../raft/store/peer-change.ts";
import type { PeerView } from "../raft/store/peer-view.ts";
import type { ChangeDone, ChangeOutcome } from "../raft/store/requests.ts";

/** The part of a store that does what the Coordinator asks for. */
export interface OperatedStore {
  readonly storeId: number;
  readonly admin: Pick<RaftAdmin, "transferLeader" | "changePeers">;
  region(regionId: number): Pick<PeerView, "peerId" | "region" | "leadingTerm"> | null;
}

/** Merges a region that this store leads into its right neighbour; `done` once. */
export type MergeRegions = (regionId: number, targetId: number, done: ChangeDone) => void;

/** Of the trace: `operator`, its kind, came to `outcome`. */
export const operatorEvent = "node/operator";

/**
 * Carries out what the Coordinator asks for, where it still fits: the plan was for that term and these peers, and
 * whatever has changed since, has changed for a reason. What is asked for twice is done once: the first has changed the
 * epoch.
 */
export class OperatorRunner {
  readonly #store: OperatedStore;
  readonly #merge: MergeRegions;
  readonly #trace: Trace;

  constructor(store: OperatedStore, merge: MergeRegions, trace: Trace) {
    this.#store = store;
    this.#merge = merge;
    this.#trace = trace;
  }

  run(operator: Operator): void {
    const { regionId, term, source } = operator;
    const store = this.#store;
    const peer = store.region(regionId);
    if (peer === null || peer.leadingTerm !== term || peer.peerId !== source.peerId) return;
    if (operator.kind === "transfer-leader") {
      const { storeId, peerId } = operator.target;
      if (peerOnStore(peer.region, storeId)?.peerId !== peerId) return;
      store.admin.transferLeader(regionId, storeId, (outcome) => this.#tell(operator, outcome));
      return;
    }
    if (!epochEquals(peer.region.epoch, operator.epoch)) return;
    const done = (outcome: ChangeOutcome): void => this.#tell(operator, outcome);
    if (operator.kind === "merge") {
      const { targetId, targetEpoch } = operator;
      const target = store.region(targetId)?.region ?? null;
      if (target !== null && epochEquals(target.epoch, targetEpoch)) this.#merge(regionId, targetId, done);
      return;
    }
    const changes = changesOf(operator, (peerId) => peerById(peer.region, peerId)?.storeId ?? 0);
    store.admin.changePeers(regionId, changes, done);
  }

  #tell(operator: Operator, outcome: ChangeOutcome | TransferOutcome): void {
    const reason = "reason" in outcome ? `: ${outcome.reason}` : "";
    const detail = `${describeOperator(operator)}: ${outcome.kind}${reason}`;
    const { storeId } = this.#store;
    this.#trace.emit(operatorEvent, { storeId, operator: operator.kind, outcome: outcome.kind, detail });
  }
}

type ChangeOfPeers = Exclude<Operator, { readonly kind: "transfer-leader" | "merge" }>;

function changesOf(operator: ChangeOfPeers, storeOf: (peerId: number) => number): PeerChange[] {
  switch (operator.kind) {
    case "add-learner":
      return [{ op: "addLearner", ...operator.target }];
    case "remove-peer":
      return [{ op: "remove", ...operator.target }];
    case "promote":
      return [
        ...operator.promoted.map((peerId) => ({ op: "promote" as const, peerId, storeId: storeOf(peerId) })),
        ...operator.demoted.map((peerId) => ({ op: "demote" as const, peerId, storeId: storeOf(peerId) })),
      ];
  }
}
