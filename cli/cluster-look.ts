import { openHostEnv } from "../host/env.ts";
import type { ClusterView } from "../node/cluster-view.ts";
import { ClusterWatch, storesOf } from "../node/cluster-watch.ts";
import { reachCluster } from "../node/reach-cluster.ts";
import type { Topology } from "../node/topology.ts";

/** What the stores and the Coordinator of a running cluster say, once. Who is silent is named in it. */
export async function lookAtCluster(topology: Topology): Promise<ClusterView> {
  const env = openHostEnv({ failpoints: null });
  const { transport, coordinator, close } = reachCluster(env, topology, "tool");
  const watch = new ClusterWatch({ clock: env.clock, coordinator, caller: transport, stores: storesOf(topology) });
  const view = await new Promise<ClusterView>((resolve) => watch.ask(resolve));
  close();
  return view;
}
