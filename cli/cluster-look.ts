import { CoordinatorClient } from "../coordinator/service/client.ts";
import { openHostEnv } from "../host/env.ts";
import { Transport } from "../net/rpc/transport.ts";
import { AddressBook, coordinatorIds } from "../node/address-book.ts";
import type { ClusterView } from "../node/cluster-view.ts";
import { ClusterWatch, storesOf } from "../node/cluster-watch.ts";
import type { Topology } from "../node/topology.ts";

/** What the stores and the Coordinator of a running cluster say, once. Who is silent is named in it. */
export async function lookAtCluster(topology: Topology): Promise<ClusterView> {
  const env = openHostEnv({ failpoints: null });
  const book = new AddressBook(topology);
  const transport = new Transport(env, {
    identity: { clusterId: topology.clusterId, storeId: 0, incarnation: 1, role: "gateway", features: 0 },
    options: {},
    resolve: (storeId, done) => book.resolve(storeId, done),
    hooks: { onMessage: () => {}, onUnreachable: () => {} },
    streams: null,
  });
  const coordinator = new CoordinatorClient(env.clock, transport, coordinatorIds(topology));
  book.askWith(coordinator);
  const watch = new ClusterWatch({ clock: env.clock, coordinator, caller: transport, stores: storesOf(topology) });
  const view = await new Promise<ClusterView>((resolve) => watch.ask(resolve));
  coordinator.close();
  transport.close();
  return view;
}
