import type { Env } from "../core/env/env.ts";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import type { Hello } from "../net/rpc/hello.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import { Transport } from "../net/rpc/transport.ts";
import { AddressBook, coordinatorIds } from "./address-book.ts";
import type { Topology } from "./topology.ts";

/** How a process that is no member of a cluster speaks with those who are. */
export interface ClusterReach {
  readonly transport: Transport;
  readonly coordinator: CoordinatorClient;
  /** Whoever waits is told. */
  readonly close: () => void;
}

/** Nothing is connected before somebody is asked something. `role`: as what it greets. */
// oxlint-disable-next-line max-params
export function reachCluster(
  env: Env,
  topology: Topology,
  role: Hello["role"],
  network: Partial<NetOptions> = {},
): ClusterReach {
  const book = new AddressBook(topology);
  const transport = new Transport(env, {
    identity: { clusterId: topology.clusterId, storeId: 0, incarnation: 1, role, features: 0 },
    options: network,
    resolve: (storeId, done) => book.resolve(storeId, done),
    hooks: { onMessage: () => {}, onUnreachable: () => {} },
    streams: null,
  });
  const coordinator = new CoordinatorClient(env.clock, transport, coordinatorIds(topology));
  book.askWith(coordinator);
  return {
    transport,
    coordinator,
    close: () => {
      coordinator.close();
      transport.close();
    },
  };
}
