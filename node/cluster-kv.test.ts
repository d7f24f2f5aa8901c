// Goal: a whole cluster is a `Kv`. Method: the conformance of `Kv`, asked of three stores and a Coordinator in a
// simulated world without faults, through the client that gateways use.
import { conformance } from "../core/kv/conformance.test-support.ts";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { Transport } from "../net/rpc/transport.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import { ClusterKv } from "../txn/remote/cluster-kv.ts";
import { TxnClient } from "../txn/remote/txn-client.ts";
import { AddressBook } from "./address-book.ts";
import { TestCluster } from "./cluster.test-support.ts";

let seed = 0;

conformance("three stores", (tell) => inSimulation({ seed: ++seed, startJob, run: async (world) => {
  const cluster = new TestCluster(world, 3, ["", "b", "m"]);
  await cluster.start();
  await cluster.untilReady();
  const { clock, random, network, trace } = world.machine("client").boot();
  const book = new AddressBook(cluster.topology);
  const transport = new Transport({ clock, random, network, trace }, {
    identity: { clusterId: cluster.topology.clusterId, storeId: 0, incarnation: 1, role: "gateway", features: 0 },
    options: {},
    resolve: (storeId, done) => book.resolve(storeId, done),
    hooks: { onMessage: () => {}, onUnreachable: () => {} },
    streams: null,
  });
  const coordinator = new CoordinatorClient(clock, transport);
  book.askWith(coordinator);
  const client = new TxnClient({ clock, random, caller: transport, coordinator, options: { pageEntriesMax: 3 } });
  await tell({
    kv: new ClusterKv(client, clock),
    settle: (isDone) => cluster.until("it is answered", isDone),
    pass: (ms) => world.sleep(ms),
    nowMs: () => clock.wallMs(),
  });
  client.close();
  transport.close();
} }), 3);
