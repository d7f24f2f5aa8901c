import { bootstrapIndex } from "../raft/store/tombstone.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { StoreClient, StoreHistory } from "./raft-store-clients.ts";
import { StoreJudge } from "./raft-store-judge.ts";
import { Moments } from "./raft-store-moments.ts";
import { StoreNemesis } from "./raft-store-nemesis.ts";
import { leaderOf } from "./region-seat.ts";
import { StoreSeat, type StoreStage } from "./raft-store-seat.ts";
import { StoreObservers } from "./raft-store-watch.ts";
import { StoreWitness } from "./raft-store-witness.ts";
import { StormDeeds } from "./region-storm-deeds.ts";
import { StormMap } from "./region-storm-map.ts";
import { type StormPlan, drawMergeStormPlan, drawStormPlan } from "./region-storm-plan.ts";

/** Elections within which healed stores lead, answer, and bring every replica up to date. */
const recoveryElections = 60;
const recoveryMsMin = 60_000;

export const regionStorm: Scenario = {
  name: "region-storm",
  why: "Regions are divided and merged at any moment, whatever else happens: a key has one owner, nothing is lost.",
  weight: 2,
  run: (world) => new RegionStormRun(world, drawStormPlan(world)).run(),
};

export const mergeStorm: Scenario = {
  name: "merge-storm",
  why: "Merges that are cut short at every step, and taken back: a key has one owner, and nothing is lost.",
  weight: 1,
  run: (world) => new RegionStormRun(world, drawMergeStormPlan(world)).run(),
};

class RegionStormRun {
  readonly #world: World;
  readonly #plan: StormPlan;
  readonly #stage: StoreStage;
  readonly #seats: readonly StoreSeat[];
  readonly #map: StormMap;
  readonly #history: StoreHistory;
  readonly #clients: readonly StoreClient[];
  readonly #nemesis: StoreNemesis;
  readonly #deeds: StormDeeds;
  readonly #judge: StoreJudge;

  constructor(world: World, plan: StormPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#stage = {
      world,
      plan,
      witness: new StoreWitness(world),
      observers: new StoreObservers(world, bootstrapIndex),
      firstRegions: firstRegions(plan),
      moments: new Moments(),
      closing: false,
      calm: false,
    };
    this.#seats = Array.from({ length: plan.stores }, (_, at) => new StoreSeat(this.#stage, at + 1));
    this.#map = new StormMap(world, this.#seats, this.#stage.firstRegions);
    this.#history = new StoreHistory(this.#stage);
    this.#clients = Array.from({ length: plan.clients }, (_, at) => this.#client(at + 1));
    const deeds = { ...plan, regionIds: () => this.#map.ids() };
    this.#nemesis = new StoreNemesis(world, deeds, this.#seats, this.#stage.moments);
    this.#deeds = new StormDeeds(world, plan, this.#seats, this.#map, this.#nemesis);
    this.#judge = new StoreJudge(this.#stage, this.#seats, () => this.#map.ids());
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
    this.#deeds.start();
    const untilUs = world.nowUs + plan.faultsMs * 1_000;
    const isOver = (): boolean => world.nowUs >= untilUs;
    const working = Promise.all(this.#clients.map((client) => client.work(isOver)));
    while (!isOver()) {
      await world.sleep(Math.ceil(plan.electionMs / 8));
      this.#look();
    }
    await working;
    this.#nemesis.stop();
    this.#deeds.stop();
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

  #client(index: number): StoreClient {
    return new StoreClient(this.#stage, this.#seats, this.#history, index, (dice) => {
      const key = dice.pick(this.#plan.keys);
      return { region: this.#map.regionOf(key), key };
    });
  }

  #look(): void {
    this.#map.look();
    this.#judge.look();
  }

  #tell(): void {
    const { observers, witness } = this.#stage;
    const { answered, unknown } = this.#history;
    const { changes, transfers } = this.#nemesis;
    const { asked, done, merges, merged, takenBack } = this.#deeds;
    this.#world.story(
      `${this.#map.ids().length} regions, ${done} of ${asked} splits, ${merged} of ${merges} merges, ${takenBack} ` +
        `taken back, ${observers.elections} elections, ` +
        `${observers.committed} committed, ${witness.appliedCount} operations applied, ${answered} answers, ` +
        `${unknown} without, ${changes} changes of peers, ${transfers} transfers`,
    );
  }

  #makeLinks(): void {
    Object.assign(this.#world.network.faults, this.#plan.links);
  }

  /** No more faults: every key has a region, which has a leader that answers, and all replicas are up to date. */
  async #recover(): Promise<void> {
    const { electionMs } = this.#plan;
    const world = this.#world;
    const untilUs = world.nowUs + Math.max(recoveryMsMin, recoveryElections * electionMs) * 1_000;
    const probe = this.#client(0);
    const answered = new Set<string>();
    for (;;) {
      this.#look();
      const gap = this.#map.gap();
      let isDone = gap === null && this.#map.ids().every((region) => this.#isSettled(region));
      for (const key of this.#plan.keys) isDone = (await this.#answers(probe, key, answered)) && isDone;
      if (isDone && this.#judge.upToDate() && this.#judge.logsAreCut()) return;
      if (world.nowUs > untilUs) world.fail("liveness", `${gap ?? "no gap"}; ${this.#judge.standing()}`);
      await world.sleep(Math.ceil(electionMs / 4));
    }
  }

  /** Each kind of request was answered once; `answered` keeps which were. */
  async #answers(probe: StoreClient, key: string, answered: Set<string>): Promise<boolean> {
    for (const isRead of [false, true]) {
      const what = `${key} ${isRead}`;
      if (answered.has(what)) continue;
      if (!(await probe.ask(this.#map.regionOf(key), key, isRead))) return false;
      answered.add(what);
    }
    return true;
  }

  /** A joint configuration is left by whoever leads. */
  #isSettled(region: number): boolean {
    const office = leaderOf(this.#seats, region);
    if (office === null || office.store.region(region)?.isMerging === true) return false;
    return office.region.peers.every(({ role }) => role === "voter" || role === "learner");
  }
}

function firstRegions({ stores, voters, bounds }: StormPlan): RegionMeta[] {
  const encoder = new TextEncoder();
  const starts = ["", ...bounds];
  return starts.map((start, i) => {
    const peers = Array.from({ length: Math.min(stores, voters) }, (_, at) => ({
      peerId: 100 * i + 11 + at, storeId: at + 1, role: "voter" as const,
    }));
    const range = { start: encoder.encode(start), end: encoder.encode(starts[i + 1] ?? "") };
    return { id: i + 1, ...range, epoch: { version: 1, confVer: 1 }, peers };
  });
}
