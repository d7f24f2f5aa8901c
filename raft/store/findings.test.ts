// Goal: what was found wrong in the original about its stores, by its number, does not happen here.
// Method: stores of the simulated world that lose power, engines that are given only the first of their batches, and
// logs whose reads and bytes are counted. Findings about transactions are in ../../txn/percolator/findings.test.ts.
import { expect, test } from "vitest";
import { TestWorld, bytesOf } from "../../core/engine/test-world.test-support.ts";
import type { Clock } from "../../core/env/clock.ts";
import {
  snapshotAfterDone,
  snapshotAfterIntent,
  snapshotAfterReplace,
  snapshotBeforeIntent,
} from "../../failpoints/catalog.ts";
import { inSimulation } from "../../sim/in-simulation.test-support.ts";
import type { World } from "../../sim/world.ts";
import { encodeConfChange } from "../conf-change.ts";
import type { Entry } from "../entry.ts";
import type { RegionMeta } from "../region.ts";
import { Applier, type ApplierOwner } from "./applier.ts";
import { wrapData } from "./entry-envelope.ts";
import { readApplyStates, readRegionStates } from "./local-records.ts";
import type { LogChange } from "./log-change.ts";
import { MemoryDisk, MemoryEngine } from "./memory-engine.test-support.ts";
import { type PeerChange, confChangeOf } from "./peer-change.ts";
import { RaftLog, raftLogOptionsDefault } from "./raft-log.ts";
import type { CommittedEntry, RegionMachine } from "./region-machine.ts";
import type { ChangeOutcome } from "./requests.ts";
import { readEntries } from "./restored.ts";
import { StoreCluster, type StoreNode, regionOf } from "./store-cluster.test-support.ts";
import { bootstrapIndex } from "./tombstone.ts";
import { readToy } from "./toy-machine.test-support.ts";

const directory = "/raft";
/** So short that whoever was away needs a snapshot. */
const short = { logKeepEntries: 4, logEntriesMax: 8 };

function change(leader: StoreNode, changes: readonly PeerChange[]): Promise<ChangeOutcome> {
  return new Promise((resolve) => leader.live.admin.changePeers(1, changes, resolve));
}

function engineOf({ engine }: StoreNode): MemoryEngine {
  if (engine === null) throw new Error("the store is down");
  return engine;
}

function appliedOn(node: StoreNode): number {
  return node.live.region(1)?.applyState.index ?? 0;
}

/** How often the engine was given something; all of it is durable then. */
async function batchesOf(node: StoreNode): Promise<MemoryDisk["batches"]> {
  await new Promise<void>((resolve) => {
    engineOf(node).whenDurable(Number.MAX_SAFE_INTEGER, () => resolve());
  });
  return [...node.disk.batches];
}

function engineWith(batches: MemoryDisk["batches"], clock: Clock): MemoryEngine {
  const disk = new MemoryDisk();
  disk.batches = batches;
  return new MemoryEngine(disk, clock);
}

interface Held {
  readonly start: number;
  readonly last: number;
  readonly term: number;
}

/** What the log of a store that is down holds of region 1. */
async function heldBy({ machine }: StoreNode): Promise<Held> {
  const log = await RaftLog.open(machine.boot(), directory, raftLogOptionsDefault, () => {});
  const group = log.group(1);
  machine.crash("power");
  return { start: group?.start.index ?? 0, last: group?.last ?? 0, term: group?.hard.term ?? 0 };
}

/** A cluster of three, one of whose followers is down, and needs more than the others' logs hold. */
async function oneAway(world: World): Promise<{ cluster: StoreCluster; leader: StoreNode; away: StoreNode }> {
  const cluster = new StoreCluster(world, 3, short);
  await cluster.start([regionOf(1, [1, 2, 3])]);
  await cluster.say(1, "k=first");
  const leader = await cluster.leaderOf(1);
  const away = cluster.node((leader.storeId % 3) + 1);
  await cluster.until("it has the first word", () => away.words("k") === "first,");
  away.crash();
  for (let i = 0; i < 40; i++) await cluster.say(1, `k=${i}`);
  await cluster.until("the log is cut", () => (leader.log?.group(1)?.start.index ?? 0) > bootstrapIndex + 10);
  expect(cluster.leader(1)).toBe(leader);
  return { cluster, leader, away };
}

test("D2: an answer rests on logs that survive a loss of power everywhere at once", async () => {
  await inSimulation({
    seed: 31,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      let said = "";
      for (let round = 0; round < 8; round++) {
        await cluster.say(1, `k=${round}`);
        said += `${round},`;
        const leader = await cluster.leaderOf(1);
        const term = leader.live.region(1)?.leadingTerm ?? 0;
        const index = appliedOn(leader);
        for (const node of cluster.nodes) node.crash();
        const held: Held[] = [];
        for (const node of cluster.nodes) held.push(await heldBy(node));
        expect(held.filter((log) => log.term >= term && log.last >= index).length).toBeGreaterThanOrEqual(2);
        for (const node of cluster.nodes) await node.boot();
        await cluster.leaderOf(1);
      }
      await cluster.until("everybody has everything", () => cluster.nodes.every((node) => node.words("k") === said));
    },
  });
});

interface Cost {
  readonly logBytes: number;
  readonly logSyncs: number;
  readonly engineBytes: number;
  readonly files: readonly string[];
}

/** What ten words in one region cost, on a store that has `count` regions. */
async function costWith(count: number): Promise<Cost[]> {
  const costs: Cost[] = [];
  await inSimulation({
    seed: 32,
    run: async (world) => {
      const cluster = new StoreCluster(world, 1);
      const bound = (at: number): string => (at === 0 || at === count ? "" : `r${1_000 + at}`);
      await cluster.start(Array.from({ length: count }, (_, i) => regionOf(i + 1, [1], bound(i), bound(i + 1))));
      for (let id = 1; id <= count; id++) await cluster.leaderOf(id);
      await world.sleep(1_000);
      const node = cluster.node(1);
      const log = node.log?.stats();
      const batches = await batchesOf(node);
      for (let i = 0; i < 10; i++) {
        await cluster.say(1, `k${i}=word`);
        await world.sleep(100);
      }
      const after = node.log?.stats();
      const writes = (await batchesOf(node)).slice(batches.length).flat();
      costs.push({
        logBytes: (after?.writtenBytes ?? 0) - (log?.writtenBytes ?? 0),
        logSyncs: (after?.syncs ?? 0) - (log?.syncs ?? 0),
        engineBytes: writes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0),
        files: ["/", directory].flatMap((path) => node.machine.env.disk.list(path)),
      });
    },
  });
  return costs;
}

test("D3: what an append writes does not grow with the number of regions, and is in one file", async () => {
  const [one] = await costWith(1);
  const [many] = await costWith(60);
  expect(one?.logBytes).toBeGreaterThan(0);
  expect(one?.engineBytes).toBeGreaterThan(0);
  expect(one?.logSyncs).toBeLessThanOrEqual(10);
  expect(many).toEqual(one);
  expect(one?.files.filter((name) => name.startsWith("raft-")).length).toBe(1);
});

class Order implements ApplierOwner {
  readonly peerId = 101;
  readonly storeId = 1;
  region = regionOf(1, [1]);
  readonly calls: string[] = [];
  readonly machine = {
    apply: (entries: readonly CommittedEntry[]) => {
      for (const { index } of entries) this.calls.push(`word ${index} with peers ${this.region.epoch.confVer}`);
    },
  } as unknown as RegionMachine;

  readonly merge = null;

  sourceHere(): never {
    throw new Error("nothing is merged here");
  }

  childrenHere(): readonly RegionMeta[] {
    return [];
  }

  proposalAt(): number {
    return 0;
  }

  applied({ index, conf }: { readonly index: number; readonly conf: RegionMeta | null }): void {
    this.calls.push(`applied ${index}`);
    if (conf !== null) this.region = conf;
  }
}

test("D4: entries of all kinds are applied in the order of the log", async () => {
  await inSimulation({
    seed: 33,
    run: async (world) => {
      const engine = new MemoryEngine(new MemoryDisk(), world.machine("store-1").boot().clock);
      const order = new Order();
      const limits = { applyEntriesMax: 100, applyBytesMax: 100_000 };
      const applier = new Applier(engine, order, limits, { index: 5, term: 5, high: 0, low: 0 });
      const word = (index: number): Entry => ({ index, term: 6, kind: "normal", data: wrapData(1, bytesOf("k=a")) });
      const learner = confChangeOf(order.region, [{ op: "addLearner", peerId: 900, storeId: 2 }]);
      const conf: Entry = { index: 8, term: 6, kind: "conf", data: encodeConfChange(learner) };
      applier.push([word(6), word(7), conf, word(9)]);
      while (applier.pending) expect(applier.step()).toBe(true);
      expect(order.calls).toEqual([
        "word 6 with peers 1",
        "word 7 with peers 1",
        "applied 7",
        "applied 8",
        "word 9 with peers 2",
        "applied 9",
      ]);
      expect(readApplyStates(engine).get(1)?.index).toBe(9);
      await world.sleep(1);
    },
  });
});

test("D17: how far a region is applied stands in the batch of what was applied", async () => {
  await inSimulation({
    seed: 34,
    run: async (world) => {
      const cluster = new StoreCluster(world, 1);
      await cluster.start([regionOf(1, [1])]);
      const node = cluster.node(1);
      const wordsAt = new Map<number, string>();
      for (let i = 0; i < 12; i++) {
        await cluster.say(1, `k=${i}`);
        wordsAt.set(appliedOn(node), node.words("k"));
      }
      expect(wordsAt.size).toBe(12);
      const said = node.words("k");
      const batches = await batchesOf(node);
      const met = new Set<number>();
      for (let count = 1; count <= batches.length; count++) {
        const engine = engineWith(batches.slice(0, count), node.machine.env.clock);
        const index = readApplyStates(engine).get(1)?.index ?? 0;
        met.add(index);
        expect(readToy(engine, "k"), `after ${count} batches`).toBe(wordsAt.get(index) ?? "");
      }
      expect([...wordsAt.keys()].filter((index) => !met.has(index))).toEqual([]);
      for (const count of [1, 5, batches.length - 1]) {
        node.crash();
        node.disk.batches = batches.slice(0, count);
        await node.boot();
        await cluster.until("the log gave back what was lost, once", () => node.words("k").length >= said.length);
        expect(node.words("k")).toBe(said);
      }
    },
  });
});

test("D18: a snapshot is labelled with what was applied when it was taken, not with the end of the log", async () => {
  await inSimulation({
    seed: 35,
    run: async (world) => {
      const { cluster, leader, away } = await oneAway(world);
      const [index, words] = [appliedOn(leader), leader.words("k")];
      engineOf(leader).room = false;
      for (let i = 0; i < 5; i++) leader.toy(1)?.say(`k=late${i}`, () => {});
      await cluster.until("the log is ahead", () => (leader.log?.group(1)?.last ?? 0) >= index + 5);
      await away.boot();
      away.machine.failpoints.arm(snapshotAfterDone, { kind: "crash", percent: 100, count: 1 });
      await cluster.until("the snapshot is there", () => !away.machine.up);
      const engine = engineWith(away.disk.batches, leader.machine.env.clock);
      expect([readApplyStates(engine).get(1)?.index, readToy(engine, "k")]).toEqual([index, words]);
      expect(appliedOn(leader)).toBe(index);
      away.crash();
      expect((await heldBy(away)).start).toBe(index);
      engineOf(leader).makeRoom();
      await away.boot();
      await cluster.until("it has the rest, once", () => away.words("k") === `${words}late0,late1,late2,late3,late4,`);
    },
  });
});

const moments = [
  { point: snapshotBeforeIntent, records: "old", log: "old" },
  { point: snapshotAfterIntent, records: "old", log: "old" },
  { point: snapshotAfterReplace, records: "new", log: "old" },
  { point: snapshotAfterDone, records: "new", log: "new" },
] as const;

test.each(moments)("D19: a crash at $point.name leaves records $records and log $log", async (moment) => {
  await inSimulation({
    seed: 36,
    run: async (world) => {
      const { cluster, leader, away } = await oneAway(world);
      const [index, words] = [appliedOn(leader), leader.words("k")];
      await away.boot();
      away.machine.failpoints.crashKind = "power";
      away.machine.failpoints.arm(moment.point, { kind: "crash", percent: 100, count: 1 });
      await cluster.until("it crashes", () => !away.machine.up);
      away.crash();
      const engine = engineWith([...away.disk.batches], leader.machine.env.clock);
      const applied = readApplyStates(engine).get(1)?.index ?? 0;
      if (moment.records === "new") expect([applied, readToy(engine, "k")]).toEqual([index, words]);
      else expect(["", "first,"]).toContain(readToy(engine, "k"));
      expect(applied < index).toBe(moment.records === "old");
      const { start } = await heldBy(away);
      expect(start).toBe(moment.log === "new" ? index : bootstrapIndex);
      await away.boot();
      await cluster.until("it has everything", () => away.words("k") === words);
      await cluster.say(1, "k=end");
      await cluster.until("it goes on", () => away.words("k") === `${words}end,`);
    },
  });
});

test("D19: at whatever call the power goes, records and log are of one point or the log is behind", async () => {
  await inSimulation({
    seed: 42,
    run: async (world) => {
      const { cluster, leader, away } = await oneAway(world);
      // One word, one entry, behind those that began the log.
      const others = appliedOn(leader) - leader.words("k").split(",").length + 1;
      const seen = { old: 0, new: 0 };
      for (let call = 1; call < 300; call += 6) {
        for (let i = 0; i < 14; i++) await cluster.say(1, `k=${i}`);
        await away.boot();
        away.machine.crashAtCall(call, "power");
        await cluster.until("it crashes", () => !away.machine.up);
        away.crash();
        const engine = engineWith([...away.disk.batches], leader.machine.env.clock);
        const applied = readApplyStates(engine).get(1)?.index ?? 0;
        seen[applied === appliedOn(leader) ? "new" : "old"]++;
        const words = leader.words("k").split(",").slice(0, Math.max(0, applied - others));
        expect(readToy(engine, "k"), `after ${call} calls`).toBe(words.map((word) => `${word},`).join(""));
        expect((await heldBy(away)).start).toBeLessThanOrEqual(applied);
      }
      expect(Math.min(seen.old, seen.new)).toBeGreaterThan(3);
      const words = leader.words("k");
      await away.boot();
      await cluster.until("it has everything", () => away.words("k") === words);
    },
  });
});

test("D20: a learner that is not there yet is in nobody's way, and votes when it is promoted", async () => {
  await inSimulation({
    seed: 37,
    run: async (world) => {
      const cluster = new StoreCluster(world, 2);
      await cluster.start([regionOf(1, [1])]);
      const [leader, other] = [cluster.node(1), cluster.node(2)];
      await cluster.say(1, "k=a");
      other.crash();
      expect((await change(leader, [{ op: "addLearner", peerId: 900, storeId: 2 }])).kind).toBe("done");
      const term = leader.live.region(1)?.leadingTerm;
      await cluster.say(1, "k=b");
      await world.sleep(2_000);
      expect([leader.live.region(1)?.leadingTerm, leader.words("k")]).toEqual([term, "a,b,"]);
      await other.boot();
      await cluster.until("it has learnt", () => other.words("k") === "a,b,");
      expect((await cluster.change(leader, [{ op: "promote", peerId: 900, storeId: 2 }])).kind).toBe("done");
      await cluster.say(1, "k=c");
      expect(leader.words("k")).toBe("a,b,c,");
    },
  });
});

test("D20: nobody votes without data: no voter at once, no learner that has not caught up", async () => {
  await inSimulation({
    seed: 38,
    run: async (world) => {
      const cluster = new StoreCluster(world, 2);
      await cluster.start([regionOf(1, [1])]);
      const [leader, other] = [cluster.node(1), cluster.node(2)];
      await cluster.say(1, "k=a");
      other.crash();
      const voter = await change(leader, [{ op: "addVoter", peerId: 900, storeId: 2 }]);
      expect(voter).toMatchObject({ kind: "refused", reason: expect.stringContaining("comes as a learner") as string });
      expect((await change(leader, [{ op: "addLearner", peerId: 900, storeId: 2 }])).kind).toBe("done");
      const early = await change(leader, [{ op: "promote", peerId: 900, storeId: 2 }]);
      expect(early).toMatchObject({ kind: "refused", reason: "learner 900 has not caught up yet" });
      await cluster.say(1, "k=b");
      expect(leader.words("k")).toBe("a,b,");
    },
  });
});

test("D23: a leader that hears of no majority leads no more, while it is still cut off", async () => {
  await inSimulation({
    seed: 39,
    run: async (world) => {
      const cluster = new StoreCluster(world, 3);
      await cluster.start([regionOf(1, [1, 2, 3])]);
      await cluster.say(1, "k=a");
      const leader = await cluster.leaderOf(1);
      const own = leader.machine.name;
      for (const { machine } of cluster.nodes) {
        if (machine.name === own) continue;
        world.network.link(own, machine.name).block();
        world.network.link(machine.name, own).block();
      }
      // Twice the ten ticks of 20 ms after which it looks around, and one round to spare.
      await cluster.until("it steps down", () => leader.live.region(1)?.leadingTerm === 0, 600);
      expect(leader.toy(1)?.calls.at(-1)).toBe("stepDown");
      await cluster.until("another leads", () => cluster.leader(1) !== null);
      await cluster.say(1, "k=b");
      expect(leader.words("k")).toBe("a,");
      world.network.heal();
      await cluster.until("it follows", () => leader.words("k") === "a,b,");
    },
  });
});

/** How often the disk is read until a log of 240 entries is open, of so many groups. */
async function readsWith(groups: number): Promise<number> {
  const world = new TestWorld();
  world.boot().disk.mkdir(directory);
  const options = { ...raftLogOptionsDefault, segmentBytes: 2_000, livePercentMin: 1 };
  const open = (): Promise<RaftLog> => world.run(RaftLog.open(world.live, directory, options, () => {}));
  const log = await open();
  for (let i = 0; i < 240; i++) {
    const entry = { index: 1 + Math.floor(i / groups), term: 1, kind: 0, data: bytesOf("word") };
    const changes: LogChange[] = [{ op: "entries", group: 1 + (i % groups), entries: [entry] }];
    await world.run(new Promise<void>((resolve) => log.submit(changes, true, resolve)));
  }
  expect(log.stats().segments).toBeGreaterThan(5);
  await world.run(log.close());
  const env = world.boot();
  let reads = 0;
  env.refuse = (operation) => {
    if (operation === "read") reads++;
    return null;
  };
  expect((await open()).groups().length).toBe(groups);
  return reads;
}

test("D31: a log is read as often for a hundred and twenty groups as for one", async () => {
  const one = await readsWith(1);
  expect(one).toBeGreaterThan(5);
  expect(await readsWith(120)).toBe(one);
});

test("D32: a snapshot that takes many ticks to arrive is sent once", async () => {
  await inSimulation({
    seed: 40,
    run: async (world) => {
      const { cluster, leader, away } = await oneAway(world);
      world.network.link(leader.machine.name, away.machine.name).slow(400_000);
      await away.boot();
      await cluster.until("it is on its way", () => leader.live.stats.snapshotsOut > 0);
      const { ticks } = leader.live.stats;
      await cluster.until("it is there", () => away.words("k") === leader.words("k"));
      expect(leader.live.stats.ticks - ticks).toBeGreaterThan(15);
      await world.sleep(2_000);
      expect([leader.live.stats.snapshotsOut, away.live.stats.snapshotsIn]).toEqual([1, 1]);
    },
  });
});

test("D36: a region's peers and how far it is applied change together, once the engine has both", async () => {
  await inSimulation({
    seed: 41,
    run: async (world) => {
      const cluster = new StoreCluster(world, 2);
      await cluster.start([regionOf(1, [1])]);
      const node = cluster.node(1);
      await cluster.say(1, "k=a");
      engineOf(node).room = false;
      const added = change(node, [{ op: "addLearner", peerId: 900, storeId: 2 }]);
      await world.sleep(500);
      expect(node.live.region(1)?.region.epoch.confVer).toBe(1);
      engineOf(node).makeRoom();
      expect((await added).kind).toBe("done");
      await cluster.say(1, "k=b");
      for (const op of ["promote", "demote", "remove"] as const) {
        expect((await cluster.change(node, [{ op, peerId: 900, storeId: 2 }])).kind).toBe("done");
        await cluster.say(1, `k=${op}`);
      }
      const { log } = node;
      const last = log?.group(1)?.last ?? 0;
      const entries = log === null ? [] : readEntries(log, 1, bootstrapIndex + 1, last + 1, 1_000_000);
      const changes = entries.filter(({ kind }) => kind === "conf").map(({ index }) => index);
      expect(changes.length).toBe(4);
      const batches = await batchesOf(node);
      for (let count = 1; count <= batches.length; count++) {
        const engine = engineWith(batches.slice(0, count), node.machine.env.clock);
        const applied = readApplyStates(engine).get(1)?.index ?? 0;
        const confVer = 1 + changes.filter((index) => index <= applied).length;
        expect(readRegionStates(engine).get(1)?.region.epoch.confVer, `after ${count} batches`).toBe(confVer);
      }
    },
  });
});
