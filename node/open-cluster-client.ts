import type { Env } from "../core/env/env.ts";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import { Transport } from "../net/rpc/transport.ts";
import type { TxnClientOptions } from "../txn/remote/client-options.ts";
import { TxnClient } from "../txn/remote/txn-client.ts";
import { AddressBook, coordinatorIds } from "./address-book.ts";
import { ClusterClient } from "./cluster-client.ts";
import type { Topology } from "./topology.ts";

export interface ClusterClientConfig {
  readonly topology: Topology;
  readonly client?: Partial<TxnClientOptions>;
  readonly network?: Partial<NetOptions>;
}

/** A client of the cluster in this process. Connects when it is asked something. */
export function openClusterClient(env: Env, config: ClusterClientConfig): ClusterClient {
  const { topology, client = {}, network = {} } = config;
  const book = new AddressBook(topology);
  const transport = new Transport(env, {
    identity: { clusterId: topology.clusterId, storeId: 0, incarnation: 1, role: "gateway", features: 0 },
    options: network,
    resolve: (storeId, done) => book.resolve(storeId, done),
    hooks: { onMessage: () => {}, onUnreachable: () => {} },
    streams: null,
  });
  const coordinator = new CoordinatorClient(env.clock, transport, coordinatorIds(topology));
  book.askWith(coordinator);
  const { clock, random } = env;
  const txnClient = new TxnClient({ clock, random, caller: transport, coordinator, options: client });
  return new ClusterClient(txnClient, () => {
    coordinator.close();
    transport.close();
  });
}
