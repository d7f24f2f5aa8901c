// Goal: a store's administration from afar: who may change what, and what its caller is told.
// Method: calls over the transports of three stores of the simulated world.
import { expect, test } from "vitest";
import { type Layout, decode, encode } from "../../core/bytes/layout.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import { messageClass } from "../../net/rpc/wire.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import {
  changePeersLayout,
  changedLayout,
  raftAdminMethod,
  regionsLayout,
  regionsRequestLayout,
  transferLayout,
} from "./admin-messages.ts";
import { serveRaftAdmin } from "./admin-service.ts";
import { StoreCluster, type StoreNode, regionOf } from "./store-cluster.test-support.ts";

interface Asking<Q, A> {
  readonly method: number;
  readonly ask: Layout<Q>;
  readonly question: Q;
  readonly answer: Layout<A>;
  readonly confVer: number;
}

function call<Q, A>(from: StoreNode, to: StoreNode, asking: Asking<Q, A>): Promise<A | RpcError> {
  const { method, ask, question, answer, confVer } = asking;
  const region = { regionId: 1, confVer, version: 1, peerId: 0 };
  const payload = encode(ask, question);
  const order = { method, payload, timeoutMs: 5_000, cls: messageClass.client, traceId: 0, region };
  return new Promise((resolve, reject) => {
    from.transport?.call(to.storeId, order, (error, payload) => {
      if (error !== null) return resolve(error);
      const decoded = decode(answer, payload);
      if (typeof decoded === "string") reject(new Error(decoded));
      else resolve(decoded.value);
    });
  });
}

test("the leader changes its region, and others say who leads", async () => {
  await inSimulation({
    seed: 21,
    run: async (world) => {
      const cluster = new StoreCluster(world, 4);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      const ranges = { split: (): void => {}, merge: (): void => {} };
      for (const { transport, live } of cluster.nodes) {
        if (transport !== null) serveRaftAdmin(transport, live, ranges);
      }
      await cluster.say(1, "k=a");
      const leader = await cluster.leaderOf(1);
      const other = cluster.node((leader.storeId % 3) + 1);
      const caller = cluster.node(4);
      const question = { changes: [{ op: "addLearner", peerId: 900, storeId: 4 } as const] };
      const change = { method: raftAdminMethod.changePeers, ask: changePeersLayout, question, answer: changedLayout };

      expect(await call(caller, other, { ...change, confVer: 1 })).toMatchObject({
        kind: "not-leader", leaderStore: leader.storeId,
      });
      expect(await call(caller, leader, { ...change, confVer: 7 })).toMatchObject({ kind: "epoch-not-match" });
      expect(await call(caller, leader, { ...change, confVer: 1 })).toMatchObject({
        region: { epoch: { confVer: 2 } },
      });
      expect(await call(caller, leader, { ...change, confVer: 2 })).toMatchObject({ kind: "application", code: 1 });
      expect(await call(other, caller, { ...change, question: { changes: [] }, confVer: 1 })).toMatchObject({
        kind: "region-not-found",
      });

      const question4 = { storeId: 4 };
      const transfer = { method: raftAdminMethod.transferLeader, ask: transferLayout, answer: changedLayout };
      expect(await call(caller, leader, { ...transfer, question: question4, confVer: 2 })).toMatchObject({
        kind: "application",
      });

      await cluster.until("the learner serves", () => caller.toy(1) !== null);
      const regions = { method: raftAdminMethod.regions, ask: regionsRequestLayout, answer: regionsLayout, confVer: 2 };
      expect(await call(leader, caller, { ...regions, question: { from: 0 } })).toMatchObject({
        replicas: [{ peerId: 900, leadingTerm: 0, leaderStore: leader.storeId }],
      });
    },
  });
});
