// Goal: a group of three decides as one does, goes on without any one of them, and never gives a number twice.
// Method: whole nodes in a simulated world, crashed and started again by hand, asked over the network.
import { expect, test } from "vitest";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import {
  TestGroup,
  ended,
  firstKey as none,
  firstRegion as region,
  memberIds as ids,
  numbers,
  simulated,
} from "./coordinator-group.test-support.ts";
import type { CoordinatorNode } from "./coordinator-node.ts";

function join(client: CoordinatorClient, storeId: number): Promise<unknown> {
  const event = { kind: "StoreJoined", storeId, address: `s${storeId}:1`, labels: [] } as const;
  return ended((done) => client.publish(event, 0, done));
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

/** What each row of the degraded table says of one member alone that is asked for everything. */
async function askAll(group: TestGroup): Promise<Record<string, unknown>> {
  const weak = { key: none, maxRootLag: 5, timeoutMs: 3_000 };
  return await group.ask(async (client) => ({
    timestamps: await ended((done) => client.timestamps(1, 3_000, done)),
    ids: await ended((done) => client.allocateIds(1, 3_000, done)),
    strong: await ended((done) => client.route({ key: none, timeoutMs: 3_000 }, done)),
    bounded: await ended((done) => client.route({ ...weak, freshness: "BOUNDED" }, done)),
    bestEffort: await ended((done) => client.route({ ...weak, freshness: "BEST_EFFORT" }, done)),
    planned: await join(client, 77),
    stores: await ended((done) => client.stores(done)),
  }));
}

test("degraded mode, no majority: no number, no event; best effort is served and tagged", async () => {
  await simulated(2, async (world) => {
    const group = new TestGroup(world);
    await group.start();
    await group.until("one leads and all follow", () => {
      return group.leader > 0 && group.seats.every(({ node }) => node.journal.state.config.length > 0);
    });
    const { leader } = group;
    const [follower, other] = ids.filter((id) => id !== leader);
    group.seat(leader).crash("process");
    // The one that is left knows of a leader that is gone for a while: it is a follower, and says so.
    group.seat(other ?? 0).crash("process");
    const left = group.seat(follower ?? 0);
    await group.until("it knows of no leader", () => left.node.journal.status.role === "none");
    expect(await askAll(group)).toMatchObject({
      timestamps: "TSO_UNAVAILABLE", ids: "ID_UNAVAILABLE", strong: "ROUTE_UNAVAILABLE", bounded: "ROUTE_UNAVAILABLE",
      bestEffort: {
        region, servedFreshness: "BEST_EFFORT", servedByLeader: false, degradedMode: "ROOT_UNAVAILABLE",
        catchUpState: "UNAVAILABLE",
      },
      planned: "ROOT_UNAVAILABLE", stores: "ROOT_UNAVAILABLE",
    });
    await group.seat(leader).start();
    expect(await askAll(group)).toMatchObject({
      timestamps: { count: 1 },
      strong: { region, servedByLeader: true, degradedMode: "HEALTHY", catchUpState: "FRESH" },
      planned: { accepted: true },
    });
  });
});

test("degraded mode, only followers within reach: weak routes are served and tagged, nothing else", async () => {
  await simulated(3, async (world) => {
    const group = new TestGroup(world);
    await group.start();
    await group.until("all follow", () => {
      return group.leader > 0 && group.seats.every(({ node }) => node.journal.state.config.length > 0);
    });
    const leader = `coordinator-${group.leader}`;
    world.network.link("caller", leader).block();
    const answers = await askAll(group);
    expect(answers).toMatchObject({
      timestamps: "TSO_UNAVAILABLE", ids: "ID_UNAVAILABLE", strong: "ROUTE_UNAVAILABLE",
      bounded: { region, servedFreshness: "BOUNDED", servedByLeader: false, rootLag: 0 },
      bestEffort: { region, servedFreshness: "BEST_EFFORT", servedByLeader: false },
    });
    expect(["ROOT_UNAVAILABLE", "ROOT_UNDETERMINED"]).toContain(answers["planned"]);
    world.network.link("caller", leader).unblock();
  });
});

test("degraded mode, bootstrap required: a group without its first map serves nobody", async () => {
  await simulated(4, async (world) => {
    const group = new TestGroup(world);
    // A new group begins when every member has said that it is new.
    await group.seat(1).start();
    await group.seat(2).start();
    await world.sleep(5_000);
    expect(group.leader).toBe(0);
    expect(group.seat(1).node.waitingFor()).toEqual(["a word of members 3"]);
    expect(await askAll(group)).toMatchObject({
      timestamps: "TSO_UNAVAILABLE", strong: "ROUTE_UNAVAILABLE", bounded: "ROUTE_UNAVAILABLE",
      planned: "ROOT_UNAVAILABLE",
    });
    await group.seat(3).start();
    await group.until("one leads", () => group.leader > 0);
    expect(await askAll(group)).toMatchObject({ timestamps: { count: 1 }, strong: { region } });
  });
});

test("a member that lost its directory is refused, and the others go on", async () => {
  await simulated(5, async (world) => {
    const group = new TestGroup(world);
    await group.start();
    await group.until("one leads", () => group.leader > 0);
    group.seat(2).crash("process");
    await group.seat(2).machine.run((env) => {
      env.disk.rename("/data", "/lost");
      return Promise.resolve();
    });
    group.seat(2).machine.crash("process");
    await group.seat(2).start();
    await group.until("it is told", () => group.fatal.length > 0);
    expect(group.fatal[0]).toMatchObject({ code: "NOKV_FOREIGN_DIRECTORY" });
    expect(group.fatal[0]?.message).toMatch(/^member 2 of the .* took part before, as member \d knows/);
    await group.until("the cluster has its name", () => {
      return group.leader > 0 && group.seat(group.leader).node.journal.state.config.length > 0;
    });
    expect(await askAll(group)).toMatchObject({ timestamps: { count: 1 }, planned: { accepted: true } });
  });
});

test("a member that was away while the log was cut gets the state in parts", async () => {
  await simulated(6, async (world) => {
    const group = new TestGroup(world, { checkpointEntries: 5, keepEntries: 2, logEntriesMax: 4, partBytesMax: 50 });
    await group.start();
    await group.until("one leads", () => group.leader > 0);
    const away = group.leader === 3 ? 2 : 3;
    group.seat(away).crash("power");
    await group.ask(async (client) => {
      for (let storeId = 1; storeId <= 30; storeId++) {
        expect(await join(client, storeId)).toMatchObject({ accepted: true });
      }
    });
    await group.seat(away).start();
    const ahead = (): CoordinatorNode => group.seat(group.leader).node;
    await group.until("it has all of it", () => {
      return group.leader > 0 && group.seat(away).node.journal.token.index === ahead().journal.token.index;
    });
    expect(group.seat(away).node.journal.state).toEqual(ahead().journal.state);
    // From its own log alone, too.
    group.seat(away).crash("power");
    await group.seat(away).start();
    expect(group.seat(away).node.journal.state.stores.length).toBeGreaterThan(20);
  });
});
