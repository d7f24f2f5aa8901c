// Goal: a group of three decides as one does, goes on without any one of them, and never gives a number twice.
// Method: whole nodes in a simulated world, crashed and started again by hand, asked over the network.
import { expect, test } from "vitest";
import type { Env } from "../core/env/env.ts";
import type { RangeReply } from "../coordinator/allocators.ts";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import { coordinatorIdOf, memberIdOf } from "../coordinator/service/methods.ts";
import { startJob } from "../core/lsm/job-starter.ts";
import { Transport } from "../net/rpc/transport.ts";
import type { RaftJournalLimits } from "../coordinator/raft-journal-options.ts";
import type { RegionMeta } from "../raft/region.ts";
import { inSimulation } from "../sim/in-simulation.test-support.ts";
import type { World } from "../sim/world.ts";
import { Seat } from "./cluster.test-support.ts";
import { type CoordinatorNode, openCoordinatorNode } from "./coordinator-node.ts";

const ids = [1, 2, 3];
const none = new Uint8Array(0);
const region: RegionMeta = {
  id: 1, start: none, end: none, epoch: { version: 1, confVer: 1 },
  peers: [{ peerId: 11, storeId: 1, role: "voter" }],
};

class TestGroup {
  readonly world: World;
  readonly seats: readonly Seat<CoordinatorNode>[];
  client: CoordinatorClient | null = null;

  constructor(world: World, limits: Partial<RaftJournalLimits> = {}) {
    this.world = world;
    const members = ids.map((memberId) => ({ memberId, address: { host: `coordinator-${memberId}`, port: 2379 } }));
    this.seats = members.map(({ memberId, address }) => {
      return new Seat(world.machine(`coordinator-${memberId}`), (env) =>
        openCoordinatorNode(env, {
          workDir: "/data", listen: address, clusterId: "test", firstRegions: [region], owner: "test",
          diagnostics: null, group: { memberId, members, limits },
        }),
      );
    });
  }

  seat(memberId: number): Seat<CoordinatorNode> {
    const seat = this.seats[memberId - 1];
    if (seat === undefined) throw new Error(`there is no member ${memberId}`);
    return seat;
  }

  async start(): Promise<void> {
    await Promise.all(this.seats.map((seat) => seat.start()));
  }

  /** The member that leads, as far as it knows. */
  get leader(): number {
    const at = this.seats.findIndex((seat) => seat.up && seat.node.journal.status.role === "leader");
    return at + 1;
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (let waitedMs = 0; !holds(); waitedMs += 20) {
      if (waitedMs > 30_000) throw new Error(`it takes too long until ${what}`);
      await this.world.sleep(20);
    }
  }

  /** Asks from a machine of its own. */
  async ask<T>(run: (client: CoordinatorClient, env: Env) => Promise<T>): Promise<T> {
    const machine = this.world.machine("caller");
    let result: T | null = null;
    const outcome = await machine.run(async (env) => {
      const transport = new Transport(env, {
        identity: { clusterId: "test", storeId: 0, incarnation: machine.incarnation, role: "gateway", features: 0 },
        options: {},
        resolve: (id, done) => done({ host: `coordinator-${memberIdOf(id)}`, port: 2379 }),
        hooks: { onMessage: () => {}, onUnreachable: () => {} },
        streams: null,
      });
      const client = new CoordinatorClient(env.clock, transport, ids.map(coordinatorIdOf));
      result = await run(client, env);
      client.close();
      transport.close();
    });
    machine.crash("process");
    if (outcome.kind === "failed") throw outcome.error;
    return result as T;
  }
}

function simulated(seed: number, run: (world: World) => Promise<void>): Promise<unknown> {
  return inSimulation({ seed, run, startJob });
}

function numbers(ask: (done: RangeReply) => void): Promise<number | string> {
  return new Promise((resolve) => {
    ask((error, range) => resolve(range?.first ?? error?.code ?? "nothing"));
  });
}

test("three members elect one, found the cluster, and give timestamps that outlive every leader", async () => {
  await simulated(1, async (world) => {
    const group = new TestGroup(world);
    await group.start();
    await group.until("one leads", () => group.leader > 0);
    let last = 0;
    for (let round = 0; round < 4; round++) {
      await group.ask(async (client) => {
        for (let i = 0; i < 3; i++) {
          const timestamp = await numbers((done) => client.timestamps(10, 20_000, done));
          expect(timestamp).toBeGreaterThan(last);
          last = Number(timestamp) + 9;
        }
      });
      const { leader } = group;
      group.seat(leader).crash(round % 2 === 0 ? "process" : "power");
      await group.until("another one leads", () => group.leader > 0 && group.leader !== leader);
      await group.seat(leader).start();
    }
  });
});
