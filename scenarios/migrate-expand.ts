import { columnFamily } from "../core/bytes/record.ts";
import { VersionedBatch } from "../core/engine/versioned-batch.ts";
import { openDb } from "../core/engine/db.ts";
import { NokvError } from "../core/errors.ts";
import { type CoordinatorNode, openCoordinatorNode } from "../node/coordinator-node.ts";
import { ClusterAdmin } from "../node/migrate/cluster-admin.ts";
import { contentOfRegion, differing } from "../node/migrate/content-check.ts";
import { expand } from "../node/migrate/expand.ts";
import type { ExpandWorld } from "../node/migrate/region-expansion.ts";
import { ExpandJournal } from "../node/migrate/expand-journal.ts";
import { initSeed } from "../node/migrate/init.ts";
import { abortExpansion } from "../node/migrate/members.ts";
import { describeRpcError } from "../net/rpc/rpc-error.ts";
import { openStoreNode, type StoreNode } from "../node/store-node.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { ClusterJudge } from "./cluster-judge.ts";
import { clusterPort } from "./cluster-plan.ts";
import { NodeSeat, type SeatStage } from "./cluster-seat.ts";
import { ExpandJudge } from "./migrate-expand-judge.ts";
import { drawExpandPlan, type ExpandPlan, type OperatorLife } from "./migrate-expand-plan.ts";
import { ExpandWriter, rottingKey } from "./migrate-expand-writer.ts";
import { StoreNemesis } from "./raft-store-nemesis.ts";
import { leaderOf } from "./region-seat.ts";

const recoveryElections = 120;
/** So long the world is hostile at most. */
const hostileElections = 60;
const recoveryMsMin = 90_000;
const order = { regionId: null, stores: [2, 3], allowTwo: false };
const untroubled: OperatorLife = { does: "expand", crashAtCall: 0, crashAt: null, kind: "process" };

export const migrateExpand: Scenario = {
  name: "migrate-expand",
  why: "One store becomes three under load, wherever the operator, the stores or the Coordinator end meanwhile.",
  weight: 2,
  run: (world) => new MigrateExpandRun(world, drawExpandPlan(world)).run(),
};

/** How one process of the operator ended. */
type Ended = "done" | "crashed" | "busy" | "corrupt";

class MigrateExpandRun {
  readonly #world: World;
  readonly #plan: ExpandPlan;
  readonly #stage: SeatStage;
  readonly #coordinator: NodeSeat<CoordinatorNode>;
  readonly #stores: readonly NodeSeat<StoreNode>[];
  readonly #operator: Machine;
  readonly #writer: ExpandWriter;
  readonly #judge: ExpandJudge;
  readonly #cluster: ClusterJudge;
  readonly #nemesis: StoreNemesis;
  #lives = 0;

  constructor(world: World, plan: ExpandPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#stage = { world, closing: false, calm: plan.quiet };
    this.#coordinator = this.#seatCoordinator();
    this.#stores = plan.topology.stores.map(({ storeId }) => this.#seatStore(storeId));
    this.#operator = world.machine("operator");
    this.#writer = new ExpandWriter(world, plan);
    this.#judge = new ExpandJudge(world, this.#stores);
    this.#cluster = new ClusterJudge(world, this.#stores);
    this.#nemesis = new StoreNemesis(world, plan, this.#stores);
    world.story(JSON.stringify({ ...plan, topology: plan.topology.regions.length }));
  }

  async run(): Promise<void> {
    const world = this.#world;
    const seats = [this.#coordinator, ...this.#stores];
    Object.assign(world.network.faults, this.#plan.links);
    if (this.#plan.seeded) await this.#seed();
    const running = Promise.all(seats.map((seat) => seat.keepRunning()));
    await this.#until("the seed serves, and the others have joined", () => {
      return Promise.resolve(this.#stores.every(({ node }) => node !== null && node.waitingFor().length === 0));
    });
    await this.#until("the seed is filled", () => this.#writer.fill());
    await this.#harm();
    this.#stage.calm = true;
    await this.#until("the expansion is over", async () => (await this.#operate(untroubled)) === "done");
    await this.#until("every replica is up to date", () => Promise.resolve(this.#cluster.upToDate()));
    await this.#until("three voters are everywhere", () => {
      return Promise.resolve(this.#judge.finally(this.#cluster.regionIds()) === null);
    });
    await this.#until("what was acknowledged is read", () => this.#writer.judge());
    await this.#cluster.compare();
    await this.#compareContent();
    this.#stage.closing = true;
    for (const seat of seats) seat.stop();
    await running;
    const told = `${this.#lives} processes of the operator, ${this.#writer.acknowledged} writes acknowledged`;
    world.story(`${told}, ${this.#cluster.regionIds().length} regions`);
  }

  /** As an application fills a directory, and its operator makes it a store's: before anything fails. */
  async #seed(): Promise<void> {
    const [seat] = this.#stores;
    const { engine, topology } = this.#plan;
    const outcome = await seat?.machine.run(async (env) => {
      const db = await openDb(env, "/data", { ...engine, durability: "sync" });
      for (const key of this.#writer.given()) await db.set(key, "value-1");
      await db.close();
      const order = { directory: "/data", storeId: 1, regions: 1, checkpoint: null, engine };
      await initSeed(env, { ...order, clusterId: topology.clusterId }, { step: () => {}, progress: () => {} });
    });
    if (outcome?.kind === "failed") throw outcome.error;
    seat?.machine.crash("process");
  }

  /** The operator's processes, one after the other, while the world is hostile. */
  async #harm(): Promise<void> {
    const world = this.#world;
    const { exposed, lives, storeCrashes, rots } = this.#plan;
    const machines = [this.#coordinator.machine, ...this.#stores.map(({ machine }) => machine)];
    const hostile = machines.filter(({ name }) => exposed.includes(name));
    if (hostile.length > 0) world.startFaults(...hostile);
    Object.assign(world.network.faults, this.#plan.links);
    for (const { storeId, call, kind } of storeCrashes) {
      const machine = this.#stores[storeId - 1]?.machine;
      if (machine?.up === true) machine.crashAtCall(call, kind);
    }
    this.#nemesis.start();
    world.after(this.#plan.electionMs * hostileElections * 1_000, () => this.#relent());
    const outage = this.#outage();
    const writing = this.#writer.work();
    const dividing = this.#divide();
    for (const life of lives) await this.#operate(life);
    if (rots) await this.#rot();
    if (lives.length === 0) await this.#operate(untroubled);
    this.#writer.over = true;
    this.#relent();
    await Promise.all([outage, writing, dividing]);
  }

  /** May come again: an operator is patient for as long as anything moves, and what fails for ever moves too. */
  #relent(): void {
    this.#nemesis.stop();
    this.#world.stopFaults();
    Object.assign(this.#world.network.faults, this.#plan.links);
    this.#coordinator.held = false;
  }

  async #outage(): Promise<void> {
    const { outageMs, electionMs } = this.#plan;
    if (outageMs === 0) return;
    const dice = this.#world.dice("outage");
    await this.#world.sleep(dice.between(1, electionMs * 6));
    this.#world.story(`no Coordinator for ${outageMs} ms`);
    this.#coordinator.held = true;
    this.#coordinator.machine.crash(dice.pick(["process", "power"]));
    await this.#world.sleep(outageMs);
    this.#coordinator.held = false;
  }

  /** Regions become more while they are expanded. */
  async #divide(): Promise<void> {
    const { splits, electionMs, topology, net } = this.#plan;
    const dice = this.#world.dice("splits");
    const machine = this.#world.machine("divider");
    for (let i = 0; i < splits && !this.#writer.over; i++) {
      await this.#world.sleep(dice.skewed(1, electionMs * 4));
      const office = leaderOf(this.#stores, dice.pick(this.#cluster.regionIds()));
      if (office === null) continue;
      const key = new TextEncoder().encode(`key-${dice.between(1, 59)}`);
      await machine.run(async (env) => {
        const admin = new ClusterAdmin(env, topology, net);
        const { error } = await admin.split(office.seat.storeId, office.region, [key]);
        const how = error === null ? "divided" : `not divided: ${describeRpcError(error)}`;
        this.#world.story(`region ${office.region.id} is ${how}`);
        admin.close();
      });
      machine.crash("process");
    }
  }

  /** One record of a learner becomes another one behind everybody's back: nobody may give it a vote. */
  async #rot(): Promise<void> {
    const seat = this.#stores[1];
    const region = leaderOf(this.#stores, 1)?.region;
    const learner = region?.peers.find(({ storeId, role }) => storeId === 2 && role === "learner");
    if (seat === undefined || region === undefined || learner === undefined) return;
    const rotted = await seat.enter(({ engine }) => {
      const batch = new VersionedBatch();
      const key = new TextEncoder().encode(rottingKey);
      const found = engine.newest(columnFamily.data, key, Number.MAX_SAFE_INTEGER);
      if (found === null) return;
      const value = found.value ?? key;
      batch.set(columnFamily.data, key, found.version + 1, value.map((byte) => byte ^ 1));
      engine.apply(batch);
      this.#judge.rotten.add(learner.peerId);
    });
    if (!rotted || this.#judge.rotten.size === 0) return;
    this.#world.story("a record of store 2 is another one");
    await this.#until("the operator finds the rotten record", async () => {
      return (await this.#operate(untroubled)) === "corrupt";
    });
    await this.#until("the operator takes it back", async () => {
      return (await this.#operate({ ...untroubled, does: "abort" })) === "done";
    });
  }

  /** One process of the operator, from its beginning to its end. */
  async #operate(life: OperatorLife): Promise<Ended> {
    const { topology, net, pace } = this.#plan;
    const machine = this.#operator;
    this.#lives++;
    const outcome = await machine.run(async (env) => {
      machine.failpoints.crashKind = life.kind;
      if (life.crashAtCall > 0) machine.crashAtCall(life.crashAtCall, life.kind);
      if (life.crashAt !== null) machine.failpoints.arm(life.crashAt, { kind: "crash", percent: 100, count: 1 });
      const admin = new ClusterAdmin(env, topology, net);
      const journal = await ExpandJournal.open(env, "/journal", topology.clusterId, "operator");
      const world: ExpandWorld = { env, admin, journal, pace, report: () => {} };
      try {
        await (life.does === "abort" ? abortExpansion(world, order) : expand(world, order));
      } finally {
        journal.close();
        admin.close();
      }
    });
    const { callCount } = machine;
    machine.crash("process");
    const ended = outcome.kind === "failed" ? this.#reasonOf(outcome.error) : outcome.kind;
    this.#world.story(`operator: ${life.does} is ${ended} after ${callCount} calls`);
    if (ended === "done" && life.does === "expand" && this.#plan.quiet) this.#wasDone();
    return ended;
  }

  /** Where nothing was in the way, everybody knows by then. */
  #wasDone(): void {
    const ids = this.#cluster.regionIds();
    for (const id of ids) {
      const peers = leaderOf(this.#stores, id)?.region.peers ?? [];
      if (peers.length === 0 || peers.filter(({ role }) => role === "voter").length === 3) continue;
      this.#world.fail("done-early", `the operator says that it is over; region ${id} has not three voters`);
    }
    // What has just been divided is not known everywhere yet.
    if (this.#plan.splits > 0) return;
    const problem = this.#judge.finally(ids);
    if (problem !== null) this.#world.fail("done-early", `the operator says that it is over; ${problem}`);
    for (const id of ids) {
      const known = this.#coordinator.node?.coordinator.state.regions.find((region) => region.id === id);
      if (known?.peers.filter(({ role }) => role === "voter").length === 3) continue;
      this.#world.fail("done-early", `it is over, says the operator; the Coordinator has not heard of region ${id}`);
    }
  }

  #reasonOf(error: unknown): Ended {
    if (!(error instanceof NokvError)) throw error;
    if (error.code === "NOKV_BUSY") {
      this.#world.story(`operator: ${error.message}`);
      return "busy";
    }
    if (error.code === "NOKV_CORRUPTION" && this.#judge.rotten.size > 0) return "corrupt";
    // It was promoted already: there is nothing to take back.
    if (error.code === "NOKV_INVALID_ARGUMENT" && error.message.includes("remove-peer")) return "busy";
    return this.#world.fail("operator", error.message);
  }

  /** By four paths: a transaction's scan, and the records of each store. */
  async #compareContent(): Promise<void> {
    const { topology, net, pace } = this.#plan;
    await this.#until("the content is compared", async () => {
      const ids = this.#cluster.regionIds();
      const outcome = await this.#operator.run(async (env) => {
        const admin = new ClusterAdmin(env, topology, net);
        const content = { admin, clock: env.clock, pollMs: pace.pollMs, waitMs: pace.stallMs };
        let compared = 0;
        for (const id of ids) {
          const region = leaderOf(this.#stores, id)?.region;
          const found = region === undefined ? "no leader" : await contentOfRegion(content, region, [1, 2, 3]);
          if (typeof found === "string") continue;
          const other = differing(found);
          if (other !== null) this.#world.fail("content", `store ${other.by} has another content of region ${id}`);
          compared++;
        }
        admin.close();
        return compared === ids.length;
      });
      this.#operator.crash("process");
      if (outcome.kind === "failed") throw outcome.error;
      return outcome.kind === "done" && outcome.value;
    });
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const { electionMs } = this.#plan;
    const world = this.#world;
    const untilUs = world.nowUs + Math.max(recoveryMsMin, recoveryElections * electionMs) * 1_000;
    while (!(await holds())) {
      if (world.nowUs > untilUs) {
        const standing = `${this.#judge.finally(this.#cluster.regionIds())}\n${this.#cluster.standing()}`;
        world.fail("liveness", `it takes too long until ${what}\n${standing}`);
      }
      await world.sleep(Math.ceil(electionMs / 4));
      this.#cluster.look();
    }
  }

  #seatCoordinator(): NodeSeat<CoordinatorNode> {
    const { topology, net } = this.#plan;
    const { clusterId, regions } = topology;
    return new NodeSeat(this.#stage, "coordinator", 0, (env, onFatal) =>
      openCoordinatorNode(env, {
        workDir: "/data",
        listen: { host: "0.0.0.0", port: clusterPort },
        clusterId,
        firstRegions: regions.map(({ region }) => region),
        owner: "sim",
        diagnostics: null,
        network: net,
        onFatal,
      }),
    );
  }

  #seatStore(storeId: number): NodeSeat<StoreNode> {
    const { topology, net, engine, store, electionMs } = this.#plan;
    return new NodeSeat(this.#stage, `store-${storeId}`, storeId, async (env, onFatal) => {
      const node = await openStoreNode(env, {
        storeId,
        topology,
        workDir: "/data",
        listen: { host: "0.0.0.0", port: clusterPort },
        address: { host: `store-${storeId}`, port: clusterPort },
        diagnostics: null,
        engine,
        store,
        network: net,
        heartbeatMs: Math.max(200, Math.ceil(electionMs / 2)),
        onFatal,
      });
      for (const { region } of node.store.regions()) this.#judge.saw(region);
      node.store.onRegionChange((_, peer) => {
        if (peer !== null) this.#judge.saw(peer.region);
      });
      return node;
    });
  }
}
