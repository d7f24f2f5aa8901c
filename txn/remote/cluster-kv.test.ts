// Goal: the cluster is a `Kv`, wherever its regions end. Method: the conformance of `Kv`, over stores in memory.
import { conformance } from "../../core/kv/conformance.test-support.ts";
import { ClusterKv } from "./cluster-kv.ts";
import { MemoryCluster } from "./memory-cluster.test-support.ts";

for (const bounds of [[], ["b"], ["a\0", "k5", "m", "x"]]) {
  conformance(`a cluster of ${bounds.length + 1} regions`, (tell) => {
    const cluster = new MemoryCluster({ pageEntriesMax: 2 }, ...bounds);
    const { clock } = cluster;
    return tell({
      kv: new ClusterKv(cluster.client, clock),
      settle: () => clock.advance(2_000),
      pass: (ms) => clock.advance(ms),
      nowMs: () => clock.wallMs(),
    });
  });
}
