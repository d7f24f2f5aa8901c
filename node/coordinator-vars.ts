import type { Coordinator } from "../coordinator/coordinator.ts";
import type { RootJournal } from "../coordinator/journal.ts";
import type { Transport } from "../net/rpc/transport.ts";
import type { VarTree } from "./metrics-text.ts";
import { transportVars } from "./transport-vars.ts";

/** What `nokv_coordinator` is in the original's variables, and beyond it the stores as they are seen. */
export function coordinatorVars(coordinator: Coordinator, journal: RootJournal, transport: Transport): VarTree {
  const { state } = coordinator;
  const { token, status } = journal;
  const { peerChanges, rangeChanges } = coordinator.transitions();
  const stores = coordinator.stores().map(({ storeId, address, liveness, heartbeat }) => ({
    store_id: storeId,
    address,
    liveness,
    up: liveness === "up",
    regions: heartbeat?.regionCount ?? 0,
    leaders: heartbeat?.leaderCount ?? 0,
    capacity_bytes: heartbeat?.capacityBytes ?? 0,
    available_bytes: heartbeat?.availableBytes ?? 0,
  }));
  return {
    role: "coordinator",
    coordinator: {
      regions: state.regions.length,
      cluster_epoch: state.clusterEpoch,
      membership_epoch: state.membershipEpoch,
      transitions_pending: peerChanges.length + rangeChanges.length,
      allocator: { id_window_high: state.idFence, tso_window_high: state.tsoFence },
      root: {
        served_token: { term: token.term, index: token.index },
        root_lag: status.lag,
        served_by_leader: status.role === "leader",
        storage_is_leader: status.role === "leader",
      },
      stores,
    },
    transport: transportVars(transport),
  };
}
