import type { Scenario } from "../sim/scenario.ts";
import { atRestCorruption } from "./at-rest-corruption.ts";
import { coordinator } from "./coordinator.ts";
import { coordinatorGroup } from "./coordinator-group.ts";
import { coordinatorService } from "./coordinator-service.ts";
import { crashPairs } from "./crash-pairs.ts";
import { crashPoints } from "./crash-points.ts";
import { diskPressure } from "./disk-pressure.ts";
import { engineMetamorphic } from "./engine-metamorphic.ts";
import { engineModel } from "./engine-model.ts";
import { engineVersions } from "./engine-versions.ts";
import { facadeModel } from "./facade-model.ts";
import { gatewayCluster } from "./gateway-cluster.ts";
import { gatewayClients } from "./gateway-clients.ts";
import { raftActs, raftCore, raftElections, raftMembers } from "./raft-core.ts";
import { rpc } from "./rpc.ts";
import { txnModel, txnSplits } from "./txn-model.ts";
import { isolation } from "./isolation.ts";
import { raftLog } from "./raft-log.ts";
import {
  raftStore, raftStoreForsaken, raftStoreMembers, raftStoreRoom, raftStoreSnapshots, raftStoreStranded,
} from "./raft-store.ts";
import { mergeStorm, regionStorm } from "./region-storm.ts";
import { cluster } from "./cluster.ts";
import { coldRot } from "./cold-rot.ts";
import { migrateExpand } from "./migrate-expand.ts";
import { regionMerges } from "./region-merges.ts";
import { storeLoss } from "./store-loss.ts";
import { migrateInit } from "./migrate-init.ts";

/** What we promise to survive. A mixed batch of seeds draws from these by weight. */
export const scenarios: readonly Scenario[] = [
  gatewayClients,
  gatewayCluster,
  engineModel,
  engineMetamorphic,
  engineVersions,
  crashPoints,
  coordinator,
  coordinatorService,
  coordinatorGroup,
  crashPairs,
  atRestCorruption,
  diskPressure,
  facadeModel,
  raftCore,
  raftActs,
  raftElections,
  raftMembers,
  rpc,
  txnModel,
  txnSplits,
  isolation,
  raftLog,
  raftStore,
  raftStoreMembers,
  raftStoreSnapshots,
  raftStoreRoom,
  raftStoreForsaken,
  raftStoreStranded,
  regionStorm,
  mergeStorm,
  cluster,
  coldRot,
  migrateInit,
  migrateExpand,
  storeLoss,
  regionMerges,
];
