import { ambientMutants } from "./ambient.ts";
import { checkpointMutants } from "./checkpoint.ts";
import { backpressureMutants } from "./backpressure.ts";
import { compactionMutants } from "./compaction.ts";
import { clusterNodeMutants } from "./cluster-nodes.ts";
import { coordinatorMutants } from "./coordinator.ts";
import { coordinatorGroupMutants } from "./coordinator-group.ts";
import { coordinatorServiceMutants } from "./coordinator-service.ts";
import { engineVersionsMutants } from "./engine-versions.ts";
import { facadeMutants } from "./facade.ts";
import { gatewayTransactionMutants } from "./gateway-transactions.ts";
import { gatewayMutants } from "./gateway.ts";
import { hibernationMutants } from "./hibernation.ts";
import { isolationMutants } from "./isolation.ts";
import { kvMutants } from "./kv.ts";
import { manifestMutants } from "./manifest.ts";
import { metamorphicMutants } from "./metamorphic.ts";
import { migrateExpandMutants } from "./migrate-expand.ts";
import { migrateInitMutants } from "./migrate-init.ts";
import type { Mutant } from "./mutant.ts";
import { raftElectionMutants, raftReplicationMutants } from "./raft.ts";
import { raftLogMutants } from "./raft-log.ts";
import { raftPeerMutants } from "./raft-peers.ts";
import { raftRuntimeMutants } from "./raft-runtime.ts";
import { splitMutants } from "./splits.ts";
import { mergePlanMutants } from "./merge-plans.ts";
import { mergeMutants } from "./merges.ts";
import { storeApplyMutants, storeLogMutants } from "./raft-store.ts";
import { netMutants } from "./net.ts";
import { netStreamMutants } from "./net-streams.ts";
import { readCacheMutants } from "./read-caches.ts";
import { originalMutants } from "./originals.ts";
import { hearsayMutants, plannerMutants } from "./planner.ts";
import { pressureMutants } from "./pressure.ts";
import { rangeDeleteMutants } from "./range-deletes.ts";
import { readMutants } from "./reads.ts";
import { recoveryMutants } from "./recovery.ts";
import { recyclingMutants } from "./recycling.ts";
import { rotMutants } from "./rot.ts";
import { scanMutants } from "./scans.ts";
import { scrubMutants } from "./scrub.ts";
import { tableMutants } from "./tables.ts";
import { toolMutants } from "./tools.ts";
import { txnMutants } from "./txn.ts";
import { txnMachineMutants } from "./txn-machines.ts";
import { txnServerMutants } from "./txn-server.ts";
import { txnRemoteMutants } from "./txn-remote.ts";
import { valueLogMutants } from "./value-log.ts";
import { walMutants } from "./wal.ts";
import { writeLimitMutants } from "./write-limits.ts";

/** Planted bugs of one part of the product. */
export interface MutantTopic {
  readonly topic: string;
  readonly mutants: readonly Mutant[];
}

/** Every planted bug, by what it is about. `nokv mutants` measures how fast each is found. */
export const mutantTopics: readonly MutantTopic[] = [
  { topic: "the log", mutants: walMutants },
  { topic: "recycled memory and files, synchronous writes", mutants: recyclingMutants },
  { topic: "backpressure", mutants: backpressureMutants },
  { topic: "limits of writes per key", mutants: writeLimitMutants },
  { topic: "recovery", mutants: recoveryMutants },
  { topic: "the manifest", mutants: manifestMutants },
  { topic: "tables", mutants: tableMutants },
  { topic: "flush and compaction", mutants: compactionMutants },
  { topic: "dead records and hidden tables", mutants: pressureMutants },
  { topic: "checkpoints, export and ingestion", mutants: checkpointMutants },
  { topic: "versions that are given", mutants: engineVersionsMutants },
  { topic: "reads", mutants: readMutants },
  { topic: "range deletes", mutants: rangeDeleteMutants },
  { topic: "answers that depend on options", mutants: metamorphicMutants },
  { topic: "scans and the block cache", mutants: scanMutants },
  { topic: "caches of point reads", mutants: readCacheMutants },
  { topic: "large values", mutants: valueLogMutants },
  { topic: "commands of the gateway", mutants: kvMutants },
  { topic: "the facade", mutants: facadeMutants },
  { topic: "the protocol of the gateway", mutants: gatewayMutants },
  { topic: "transactions of the gateway", mutants: gatewayTransactionMutants },
  { topic: "raft: elections and members", mutants: raftElectionMutants },
  { topic: "raft: replication and reads", mutants: raftReplicationMutants },
  { topic: "stores: apply and answers", mutants: storeApplyMutants },
  { topic: "stores: logs, snapshots and removals", mutants: storeLogMutants },
  { topic: "calls and messages between nodes", mutants: netMutants },
  { topic: "streams between nodes", mutants: netStreamMutants },
  { topic: "codecs, looking and verifying", mutants: toolMutants },
  { topic: "the log of a store", mutants: raftLogMutants },
  { topic: "the runtime of a store", mutants: raftRuntimeMutants },
  { topic: "the replicas of a store", mutants: raftPeerMutants },
  { topic: "regions that are divided", mutants: splitMutants },
  { topic: "regions that are merged", mutants: mergeMutants },
  { topic: "merges that are planned, and told of", mutants: mergePlanMutants },
  { topic: "groups that sleep", mutants: hibernationMutants },
  { topic: "transactions in a region", mutants: txnMutants },
  { topic: "transactions between clients and leaders", mutants: txnMachineMutants },
  { topic: "transactions on a store", mutants: txnServerMutants },
  { topic: "the client of a cluster", mutants: txnRemoteMutants },
  { topic: "isolation of transactions", mutants: isolationMutants },
  { topic: "processes of a cluster", mutants: clusterNodeMutants },
  { topic: "bytes that rot under a cluster", mutants: rotMutants },
  { topic: "a store that reads what lies cold", mutants: scrubMutants },
  { topic: "the original's own, elsewhere not planted", mutants: originalMutants },
  { topic: "the Coordinator", mutants: coordinatorMutants },
  { topic: "the Coordinator over the network", mutants: coordinatorServiceMutants },
  { topic: "a Coordinator of three", mutants: coordinatorGroupMutants },
  { topic: "a store that becomes three", mutants: migrateExpandMutants },
  { topic: "a directory that becomes a seed", mutants: migrateInitMutants },
  { topic: "replicas that come and go by plan", mutants: plannerMutants },
  { topic: "what the Coordinator is told once", mutants: hearsayMutants },
  { topic: "determinism", mutants: ambientMutants },
];

export const mutants: readonly Mutant[] = mutantTopics.flatMap((topic) => topic.mutants);
