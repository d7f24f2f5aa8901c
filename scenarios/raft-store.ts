import type { RegionMeta } from "../raft/region.ts";
import { bootstrapIndex } from "../raft/store/tombstone.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { StoreClient, StoreHistory } from "./raft-store-clients.ts";
import { StoreJudge } from "./raft-store-judge.ts";
import { Moments } from "./raft-store-moments.ts";
import { StoreNemesis } from "./raft-store-nemesis.ts";
import { leaderOf } from "./region-seat.ts";
import { type StorePlan, drawStorePlan } from "./raft-store-plan.ts";
import { StoreSeat, type StoreStage } from "./raft-store-seat.ts";
import { regionPrefix } from "./raft-store-toy.ts";
import { StoreObservers } from "./raft-store-watch.ts";
import { StoreWitness } from "./raft-store-witness.ts";

/** Elections within which healed stores lead, answer, and bring every replica up to date. */
const recoveryElections = 60;
const recoveryMsMin = 60_000;

export const raftStore: Scenario = {
  name: "raft-store",
  why: "What a store acknowledged is on a majority of disks, in one order, and found again by whoever leads next.",
  weight: 2,
  run: (world) => new RaftStoreRun(world, drawStorePlan(world)).run(),
};

export const raftStoreMembers: Scenario = {
  name: "raft-store-members",
  why: "A replica that comes or goes takes nothing with it, whenever its store or its leader ends.",
  weight: 1,
  run: (world) => new RaftStoreRun(world, drawStorePlan(world, "members")).run(),
};

export const raftStoreSnapshots: Scenario = {
  name: "raft-store-snapshots",
  why: "What is cut from a log is nowhere missed, and what comes in its place is there whole.",
  weight: 1,
  run: (world) => new RaftStoreRun(world, drawStorePlan(world, "snapshots")).run(),
};

export const raftStoreRoom: Scenario = {
  name: "raft-store-room",
  why: "A store that can not apply what is committed is late, and nothing worse.",
  weight: 1,
  run: (world) => new RaftStoreRun(world, drawStorePlan(world, "room")).run(),
};

export const raftStoreStranded: Scenario = {
  name: "raft-store-stranded",
  why: "Who waits at a leader that is cut off without room is answered once, although a snapshot takes everything.",
  weight: 1,
  run: (world) => new RaftStoreRun(world, drawStorePlan(world, "stranded")).run(),
};

export const raftStoreForsaken: Scenario = {
  name: "raft-store-forsaken",
  why: "A replica that its region goes on without, while nobody hears of its store, finds out and leaves.",
  weight: 1,
  run: (world) => new RaftStoreRun(world, drawStorePlan(world, "forsaken")).run(),
};

class RaftStoreRun {
  readonly #world: World;
  readonly #plan: StorePlan;
  readonly #stage: StoreStage;
  readonly #seats: readonly StoreSeat[];
  readonly #history: StoreHistory;
  readonly #clients: readonly StoreClient[];
  readonly #nemesis: StoreNemesis;
  readonly #judge: StoreJudge;

  constructor(world: World, plan: StorePlan) {
    this.#world = world;
    this.#plan = plan;
    this.#stage = {
      world,
      plan,
      witness: new StoreWitness(world),
      observers: new StoreObservers(world, bootstrapIndex),
      moments: new Moments(),
      firstRegions: Array.from({ length: plan.regions }, (_, at) => firstRegion(plan, at + 1)),
      closing: false,
      calm: false,
    };
    this.#seats = Array.from({ length: plan.stores }, (_, at) => new StoreSeat(this.#stage, at + 1));
    this.#history = new StoreHistory(this.#stage);
    this.#clients = Array.from(
      { length: plan.clients },
      (_, at) => new StoreClient(this.#stage, this.#seats, this.#history, at + 1),
    );
    this.#nemesis = new StoreNemesis(world, plan, this.#seats, this.#stage.moments);
    this.#judge = new StoreJudge(this.#stage, this.#seats, () => this.#stage.firstRegions.map(({ id }) => id));
    world.story(JSON.stringify(plan));
  }

  async run(): Promise<void> {
    const world = this.#world;
    const plan = this.#plan;
    this.#makeLinks();
    for (const seat of this.#seats) await seat.prepare();
    const running = Promise.all(this.#seats.map((seat) => seat.keepRunning()));
    const exposed = this.#seats.slice(0, plan.swarm);
    if (exposed.length > 0) world.startFaults(...exposed.map(({ machine }) => machine));
    this.#makeLinks();
    this.#nemesis.start();
    const untilUs = world.nowUs + plan.faultsMs * 1_000;
    const isOver = (): boolean => world.nowUs >= untilUs;
    const working = Promise.all(this.#clients.map((client) => client.work(isOver)));
    while (!isOver()) {
      await world.sleep(Math.ceil(plan.electionMs / 4));
      this.#judge.look();
    }
    await working;
    this.#nemesis.stop();
    world.stopFaults();
    this.#makeLinks();
    this.#stage.calm = true;
    await this.#recover();
    await this.#judge.compare();
    this.#stage.closing = true;
    for (const { node } of this.#seats) node?.stop();
    await running;
    this.#history.judge();
    this.#tell();
  }

  #tell(): void {
    const { observers, witness } = this.#stage;
    const { answered, unknown } = this.#history;
    const { changes, transfers } = this.#nemesis;
    this.#world.story(
      `${observers.elections} elections, ${observers.committed} committed, ` +
        `${witness.appliedCount} operations applied, ${answered} answers, ${unknown} without, ` +
        `${changes} changes of peers, ${transfers} transfers`,
    );
  }

  #makeLinks(): void {
    Object.assign(this.#world.network.faults, this.#plan.links);
  }

  /** No more faults: every region has a leader that answers, and all replicas are up to date. */
  async #recover(): Promise<void> {
    const { electionMs, regions } = this.#plan;
    const world = this.#world;
    const untilUs = world.nowUs + Math.max(recoveryMsMin, recoveryElections * electionMs) * 1_000;
    const probe = new StoreClient(this.#stage, this.#seats, this.#history, 0);
    const answered = new Set<string>();
    for (;;) {
      let isDone = true;
      for (let region = 1; region <= regions; region++) {
        isDone = (await this.#answers(probe, region, answered)) && isDone;
        isDone = this.#isSettled(region) && isDone;
      }
      if (isDone && this.#judge.isSettled()) return;
      if (world.nowUs > untilUs) world.fail("liveness", this.#judge.standing());
      await world.sleep(Math.ceil(electionMs / 4));
      this.#judge.look();
    }
  }

  /** Each kind of request of each kind of key was answered once; `answered` keeps which were. */
  async #answers(probe: StoreClient, region: number, answered: Set<string>): Promise<boolean> {
    const kinds = ["r0", "c1"].flatMap((key) => [
      { key, isRead: false },
      { key, isRead: true },
    ]);
    for (const { key, isRead } of kinds) {
      const name = `${regionPrefix(region)}${key}`;
      const what = `${name} ${isRead}`;
      if (answered.has(what)) continue;
      if (!(await probe.ask(region, name, isRead))) return false;
      answered.add(what);
    }
    return true;
  }

  /** A joint configuration is left by whoever leads. */
  #isSettled(region: number): boolean {
    const office = leaderOf(this.#seats, region);
    return office !== null && office.region.peers.every(({ role }) => role === "voter" || role === "learner");
  }
}

function firstRegion({ stores, voters }: StorePlan, id: number): RegionMeta {
  const encoder = new TextEncoder();
  const peers = Array.from({ length: Math.min(stores, voters) }, (_, at) => {
    const storeId = ((id - 1 + at) % stores) + 1;
    return { peerId: id * 10 + storeId, storeId, role: "voter" as const };
  });
  return {
    id,
    start: encoder.encode(regionPrefix(id)),
    end: encoder.encode(regionPrefix(id + 1)),
    epoch: { version: 1, confVer: 1 },
    peers: peers.toSorted((a, b) => a.peerId - b.peerId),
  };
}
