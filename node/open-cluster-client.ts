import type { Env } from "../core/env/env.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import type { TxnClientOptions } from "../txn/remote/client-options.ts";
import { TxnClient } from "../txn/remote/txn-client.ts";
import { ClusterClient } from "./cluster-client.ts";
import { reachCluster } from "./reach-cluster.ts";
import type { Topology } from "./topology.ts";

export interface ClusterClientConfig {
  readonly topology: Topology;
  readonly client?: Partial<TxnClientOptions>;
  readonly network?: Partial<NetOptions>;
}

/** A client of the cluster in this process. Connects when it is asked something. */
export function openClusterClient(env: Env, config: ClusterClientConfig): ClusterClient {
  const { topology, client = {}, network = {} } = config;
  const { transport, coordinator, close } = reachCluster(env, topology, "gateway", network);
  const { clock, random } = env;
  return new ClusterClient(new TxnClient({ clock, random, caller: transport, coordinator, options: client }), close);
}
