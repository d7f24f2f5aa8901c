import type { Coordinator } from "../coordinator/coordinator.ts";
import { describeOperator } from "../coordinator/operator.ts";
import type { RootJournal } from "../coordinator/journal.ts";
import { RaftJournal } from "../coordinator/raft-journal.ts";
import { memberIdOf } from "../coordinator/service/methods.ts";
import type { Transport } from "../net/rpc/transport.ts";
import type { VarTree } from "./metrics-text.ts";
import { transportVars } from "./transport-vars.ts";

/** What `nokv_coordinator` is in the original's variables, and beyond it the stores as they are seen. */
export function coordinatorVars(coordinator: Coordinator, journal: RootJournal, transport: Transport): VarTree {
  const { state } = coordinator;
  const { token, status } = journal;
  const { peerChanges, rangeChanges } = coordinator.transitions();
  const stores = coordinator.stores().map(({ storeId, address, liveness, membership, heartbeat }) => ({
    store_id: storeId,
    address,
    liveness,
    membership,
    up: liveness === "up",
    regions: heartbeat?.regionCount ?? 0,
    leaders: heartbeat?.leaderCount ?? 0,
    capacity_bytes: heartbeat?.capacityBytes ?? 0,
    available_bytes: heartbeat?.availableBytes ?? 0,
  }));
  const { planned, replicas } = coordinator.operations;
  const alive = new Set(stores.filter(({ up }) => up).map(({ store_id: storeId }) => storeId));
  const short = state.regions.filter(({ peers }) => {
    const voters = peers.filter(({ role }) => role !== "learner");
    const live = voters.filter(({ storeId }) => alive.has(storeId)).length;
    return live < (replicas > 0 ? replicas : voters.length);
  });
  return {
    role: "coordinator",
    coordinator: {
      regions: state.regions.length,
      cluster_epoch: state.clusterEpoch,
      membership_epoch: state.membershipEpoch,
      planner: {
        replicas,
        regions_under_replicated: short.length,
        peer_changes_pending: peerChanges.length,
        operators_planned: planned.length,
        operators: planned.map((operator) => ({ region: operator.regionId, text: describeOperator(operator) })),
      },
      transitions_pending: peerChanges.length + rangeChanges.length,
      allocator: { id_window_high: state.idFence, tso_window_high: state.tsoFence },
      root: {
        served_token: { term: token.term, index: token.index },
        root_lag: status.lag,
        bootstrap_required: status.bootstrapRequired,
        current_token: { term: status.newest.term, index: status.newest.index },
        served_by_leader: status.role === "leader",
        storage_is_leader: status.role === "leader",
        storage_leader_id: memberIdOf(status.leader),
      },
      ...(journal instanceof RaftJournal ? { group: groupVars(journal) } : {}),
      stores,
    },
    transport: transportVars(transport),
  };
}

/** How a member of a group stands, and, where it leads, how far the others are. */
function groupVars(journal: RaftJournal): VarTree {
  const { status, raft, memberId } = journal;
  return {
    member_id: memberId,
    role: status.role,
    is_leader: status.role === "leader",
    leader: memberIdOf(status.leader),
    term: raft.term,
    lag: status.lag,
    committed: raft.committed,
    applied: raft.applied,
    log_begins_behind: raft.base,
    log_ends_at: raft.last,
    members: raft.peers.map(({ id, match, state, recentlyActive }) => ({
      member_id: id, state, active: recentlyActive, lag: raft.last - match,
    })),
  };
}
