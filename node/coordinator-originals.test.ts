// Goal: what the original's coordinator/integration asks of several Coordinators, by its names; docs/ORIGINAL-TESTS.md
// has them all.
// Method: a group of three in a simulated world. Its root is its own Raft log, so what the original calls a follower
// that reloads from the root is a member that follows the log; and its separated Coordinators are the members.
import { describe, expect, test } from "vitest";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { Published } from "../coordinator/coordinator.ts";
import type { Freshness, RouteAnswer } from "../coordinator/route.ts";
import { noToken } from "../coordinator/journal.ts";
import type { RootEvent } from "../coordinator/root-event.ts";
import type { CoordinatorState } from "../coordinator/state.ts";
import type { RegionMeta } from "../raft/region.ts";
import { TestGroup, ended, firstRegion, memberIds, numbers, simulated } from "./coordinator-group.test-support.ts";

const encoder = new TextEncoder();
const x = encoder.encode("x");
const [m, end] = [encoder.encode("m"), firstRegion.end];
/** The first region, divided: what lies from "m" on is a region that nobody knows at first. */
const left: RegionMeta = { ...firstRegion, end: m, epoch: { version: 2, confVer: 1 } };
const right: RegionMeta = { ...left, id: 191, start: m, end, peers: [{ peerId: 12, storeId: 1, role: "voter" }] };
const divided: RootEvent = { kind: "RegionSplitCommitted", transitionId: "split", regions: [left, right] };
const askMs = 3_000;

async function founded(seed: number, run: (group: TestGroup) => Promise<void>): Promise<void> {
  await simulated(seed, async (world) => {
    const group = new TestGroup(world);
    await group.start();
    await group.until("one leads and all follow", () => {
      return group.leader > 0 && group.seats.every(({ node }) => node.journal.state.config.length > 0);
    });
    await run(group);
    expect(group.fatal).toEqual([]);
  });
}

function stateOf(group: TestGroup, memberId: number): CoordinatorState {
  return group.seat(memberId).node.coordinator.state;
}

function followersOf({ leader }: TestGroup): readonly number[] {
  return memberIds.filter((memberId) => memberId !== leader);
}

/** From the leader, with its answer. */
async function publish(group: TestGroup, event: RootEvent): Promise<Published> {
  const told = await group.ask((client) => ended<Published>((done) => client.publish(event, 0, done)));
  if (typeof told === "string") throw new Error(`it was refused: ${told}`);
  expect(told.accepted).toBe(true);
  return told;
}

interface Question {
  readonly freshness: Freshness;
  readonly requiredToken?: RouteAnswer["servedToken"];
}

/** Where `x` is, as one member has it; a string: the code of its refusal. */
async function routeBy(group: TestGroup, memberId: number, question: Question): Promise<RouteAnswer | string> {
  const { freshness, requiredToken = noToken } = question;
  const asked = { key: x, freshness, requiredToken, maxRootLag: 5, timeoutMs: askMs };
  return await group.ask((client) => ended<RouteAnswer>((done) => client.route(asked, done)), [memberId]);
}

async function regionBy(group: TestGroup, memberId: number): Promise<number | null | string> {
  const answer = await routeBy(group, memberId, { freshness: "BEST_EFFORT" });
  return typeof answer === "string" ? answer : (answer.region?.id ?? null);
}

function cutOff({ world }: TestGroup, memberId: number): { heal(): void } {
  const others = memberIds.filter((other) => other !== memberId).map((other) => `coordinator-${other}`);
  const own = `coordinator-${memberId}`;
  const links = others.flatMap((other) => [world.network.link(own, other), world.network.link(other, own)]);
  for (const way of links) way.block();
  return { heal: () => links.forEach((way) => way.unblock()) };
}

function ids(client: CoordinatorClient, count: number): Promise<number | string> {
  return numbers((done) => client.allocateIds(count, askMs, done));
}

describe("control plane", () => {
  test("TestControlPlaneFollowerRefreshesFromReplicatedRoot", async () => {
    await founded(41, async (group) => {
      const [follower = 0] = followersOf(group);
      const away = cutOff(group, follower);
      await publish(group, divided);
      expect(await regionBy(group, follower)).toBe(1);
      away.heal();
      await group.until("it follows", () => stateOf(group, follower).regions.length === 2);
      expect(await regionBy(group, follower)).toBe(191);
    });
  });

  test("TestControlPlaneWatchedFollowerReloadsFromTailSubscription: it is told, and asks for nothing", async () => {
    await founded(42, async (group) => {
      const [follower = 0] = followersOf(group);
      const { token } = await publish(group, divided);
      const beganUs = group.world.nowUs;
      await group.until("it follows", () => stateOf(group, follower).regions.length === 2);
      expect(group.world.nowUs - beganUs).toBeLessThan(1_000_000);
      expect(group.seat(follower).node.journal.token).toEqual(token);
      const answer = await routeBy(group, follower, { freshness: "BOUNDED", requiredToken: token });
      expect(answer).toMatchObject({ region: right, servedByLeader: false, rootLag: 0 });
    });
  });

  test("TestControlPlaneReplicatedRootPropagatesToBothFollowers", async () => {
    await founded(43, async (group) => {
      await publish(group, divided);
      const followers = followersOf(group);
      expect(followers.length).toBe(2);
      for (const follower of followers) {
        await group.until("it follows", () => stateOf(group, follower).regions.length === 2);
        expect(await regionBy(group, follower)).toBe(191);
        expect(stateOf(group, follower)).toEqual(stateOf(group, group.leader));
      }
    });
  });

  test("TestControlPlaneFollowerRejectsLeaderOnlyWrites", async () => {
    await founded(44, async (group) => {
      const { leader } = group;
      const [follower = 0] = followersOf(group);
      const before = stateOf(group, follower).clusterEpoch;
      const asked = group.ask((client) => ended((done) => client.publish(divided, 0, done)), [follower]);
      expect(await asked).toBe("ROOT_UNAVAILABLE");
      expect(stateOf(group, leader)).toMatchObject({ clusterEpoch: before, regions: [firstRegion] });
      // Whoever asks the group is shown to its leader.
      await publish(group, divided);
      expect(stateOf(group, leader).regions.length).toBe(2);
    });
  });

  test("TestControlPlaneLeaderOnlyAllocatorsRejectFollowerWrites", async () => {
    await founded(45, async (group) => {
      const [follower = 0] = followersOf(group);
      await group.ask(async (client) => {
        const first = Number(await ids(client, 3));
        expect(await ids(client, 1)).toBe(first + 3);
        const timestamp = await numbers((done) => client.timestamps(2, askMs, done));
        expect(await numbers((done) => client.timestamps(1, askMs, done))).toBeGreaterThan(Number(timestamp) + 1);
      }, [group.leader]);
      await group.ask(async (client) => {
        expect(await ids(client, 1)).toBe("ID_UNAVAILABLE");
        expect(await numbers((done) => client.timestamps(1, askMs, done))).toBe("TSO_UNAVAILABLE");
      }, [follower]);
    });
  });
});

describe("replicated root", () => {
  test("TestReplicatedRootAllocatorFencesPropagateToFollower", async () => {
    await founded(46, async (group) => {
      const [lastId, lastTimestamp] = await group.ask(async (client) => [
        Number(await ids(client, 4)) + 3,
        Number(await numbers((done) => client.timestamps(3, askMs, done))) + 2,
      ]);
      for (const follower of followersOf(group)) {
        await group.until("it has the fences", () => {
          const { idFence, tsoFence } = stateOf(group, follower);
          return idFence >= (lastId ?? 0) && tsoFence >= (lastTimestamp ?? 0);
        });
      }
      expect(lastId).toBeGreaterThan(3);
      expect(lastTimestamp).toBeGreaterThan(2);
    });
  });

  test("TestReplicatedRootRemoveRegionPropagatesToFollowers", async () => {
    await founded(47, async (group) => {
      await publish(group, divided);
      await publish(group, { kind: "RegionTombstoned", regionId: 191 });
      for (const follower of followersOf(group)) {
        await group.until("it follows", () => stateOf(group, follower).tombstones.length === 1);
        expect(await regionBy(group, follower)).toBe(null);
      }
    });
  });

  test("TestReplicatedRootFollowerReadCanBeStaleUntilReload: and whoever must not read that is refused", async () => {
    await founded(48, async (group) => {
      const [follower = 0] = followersOf(group);
      await publish(group, divided);
      await group.until("it follows", () => stateOf(group, follower).regions.length === 2);
      const away = cutOff(group, follower);
      const { token } = await publish(group, { kind: "RegionTombstoned", regionId: 191 });
      const stale = await routeBy(group, follower, { freshness: "BEST_EFFORT" });
      expect(stale).toMatchObject({ region: right, servedFreshness: "BEST_EFFORT", servedByLeader: false });
      for (const question of [{ freshness: "STRONG" }, { freshness: "BOUNDED", requiredToken: token }] as const) {
        expect(await routeBy(group, follower, question)).toBe("ROUTE_UNAVAILABLE");
      }
      await group.until("it knows that it is alone", () => {
        return group.seat(follower).node.journal.status.role === "none";
      });
      expect(await routeBy(group, follower, { freshness: "BEST_EFFORT" })).toMatchObject({
        region: right, degradedMode: "ROOT_UNAVAILABLE", catchUpState: "UNAVAILABLE",
      });
      away.heal();
      await group.until("it follows again", () => stateOf(group, follower).tombstones.length === 1);
      expect(await regionBy(group, follower)).toBe(null);
    });
  });
});

describe("separated mode", () => {
  test("TestSeparatedModeCoordinatorCrashAndRecoveryPreservesAllocatorFence", async () => {
    await founded(51, async (group) => {
      const { leader } = group;
      const last = Number(await group.ask((client) => ids(client, 4))) + 3;
      group.seat(leader).crash("power");
      await group.until("another one leads", () => group.leader > 0 && group.leader !== leader);
      expect(await group.ask((client) => ids(client, 1))).toBeGreaterThan(last);
      expect(stateOf(group, group.leader).idFence).toBeGreaterThanOrEqual(last);
      await group.seat(leader).start();
      await group.until("it follows", () => stateOf(group, leader).idFence >= last);
    });
  });

  test("TestSeparatedModeCoordinatorRecoveryLatency: eight crashes, each over within five seconds", async () => {
    await founded(52, async (group) => {
      let last = 0;
      const tookMs: number[] = [];
      for (let round = 0; round < 8; round++) {
        const { leader } = group;
        group.seat(leader).crash(round % 2 === 0 ? "process" : "power");
        const beganUs = group.world.nowUs;
        const first = await group.ask((client) => numbers((done) => client.allocateIds(1, 30_000, done)));
        tookMs.push(Math.floor((group.world.nowUs - beganUs) / 1_000));
        expect(group.leader).not.toBe(leader);
        expect(first).toBeGreaterThan(last);
        last = Number(first);
        await group.seat(leader).start();
        await group.until("all take part", () => group.leader > 0 && group.seats.every(({ node }) => {
          return node.journal.status.role !== "none";
        }));
      }
      expect(Math.max(...tookMs)).toBeLessThan(5_000);
    });
  });

  test("TestSeparatedModeRoutingServesAcrossMultipleCoordinatorsWhileAllocatorStaysSingleton", async () => {
    await founded(53, async (group) => {
      await publish(group, divided);
      await group.until("all follow", () => memberIds.every((id) => stateOf(group, id).regions.length === 2));
      const answers = [];
      for (const memberId of memberIds) {
        expect(await routeBy(group, memberId, { freshness: "BOUNDED" })).toMatchObject({ region: right });
        answers.push(await group.ask((client) => ids(client, 1), [memberId]));
      }
      expect(answers.filter((answer) => typeof answer === "number").length).toBe(1);
      expect(answers[group.leader - 1]).toBeTypeOf("number");
      expect(answers.filter((answer) => answer === "ID_UNAVAILABLE").length).toBe(2);
    });
  });

  test("TestSeparatedModeCoordinatorContestedFailoverPreservesAllocatorFence: the old one lives, cut off", async () => {
    // Of this seed a member's answer takes milliseconds, not as long as an attempt may take.
    await founded(57, async (group) => {
      const old = group.leader;
      const given = new Set<number>();
      const take = async (members: readonly number[]): Promise<number | string> => {
        const first = await group.ask((client) => ids(client, 8), [...members]);
        for (let id = Number(first); id < Number(first) + 8; id++) {
          expect(given.has(id)).toBe(false);
          given.add(id);
        }
        return first;
      };
      await take([old]);
      const away = cutOff(group, old);
      const { idFence } = stateOf(group, old);
      // It has durable numbers left, which are nobody else's; asked while it does not know yet, it may give them.
      await take([old]);
      const others = memberIds.filter((memberId) => memberId !== old);
      await group.until("another one leads", () => {
        return others.some((memberId) => group.seat(memberId).node.journal.status.role === "leader");
      });
      for (let round = 0; round < 5; round++) expect(await take(others)).toBeGreaterThan(idFence);
      await group.until("the old one steps down", () => group.seat(old).node.journal.status.role !== "leader");
      expect(await group.ask((client) => ids(client, 1), [old])).toBe("ID_UNAVAILABLE");
      away.heal();
      await group.until("it follows", () => stateOf(group, old).idFence > idFence);
      expect(await take(memberIds)).toBeGreaterThan(idFence);
    });
  });

  test("TestSeparatedModeCoordinatorChaosMonotonicAllocID: 24 crashes of whoever leads, or of all", async () => {
    await founded(55, async (group) => {
      let last = 0;
      for (let round = 0; round < 24; round++) {
        const first = await group.ask((client) => numbers((done) => client.allocateIds(256, 30_000, done)));
        expect(first).toBeGreaterThan(last);
        last = Number(first) + 255;
        const gone = round % 6 === 5 ? memberIds : [group.leader];
        for (const memberId of gone) group.seat(memberId).crash(round % 2 === 0 ? "process" : "power");
        for (const memberId of gone) await group.seat(memberId).start();
        await group.until("one leads", () => group.leader > 0);
        expect(stateOf(group, group.leader).idFence).toBeGreaterThanOrEqual(last);
      }
      // Windows of ten thousand are burnt at most once for each office.
      expect(last).toBeLessThan(24 * 2 * 10_000);
    });
  });
});
