import type { GatewayNode } from "../node/gateway-node.ts";
import { openGatewayNode } from "../node/gateway-node.ts";
import { type CoordinatorNode, openCoordinatorNode } from "../node/coordinator-node.ts";
import { type StoreNode, openStoreNode } from "../node/store-node.ts";
import type { CoordinatorPlace } from "../node/topology.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { describeOperator } from "../coordinator/operator.ts";
import { SequenceLedger } from "../sim/checkers/sequence.ts";
import { TimestampModel, type TxnLog } from "../sim/checkers/timestamp-model.ts";
import { describeRegion } from "../raft/region.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { ClusterJudge } from "./cluster-judge.ts";
import { RottingStore, StoreRemoval } from "./cluster-rot.ts";
import { hearsayProblem } from "./hearsay.ts";
import { type ClusterPlan, clusterPort, drawClusterPlan, redisPort } from "./cluster-plan.ts";
import { ClusterRedisUser, type RedisStage } from "./cluster-redis.ts";
import { raftLimitsDefault } from "../raft/raft-options.ts";
import { NodeSeat, type SeatStage } from "./cluster-seat.ts";
import { ClusterUser } from "./cluster-user.ts";
import { GatewayHistory } from "./gateway-history.ts";
import { GatewayCommands, type GatewayKeys } from "./gateway-requests.ts";
import { MergesDeeds } from "./region-merges-deeds.ts";
import { MergesWatch } from "./region-merges-watch.ts";
import { ListUser, Lists } from "./list-users.ts";
import { StoreNemesis } from "./raft-store-nemesis.ts";
import { TxnWorkload, drawKinds } from "./txn-workload.ts";

/** Elections within which a cluster serves: at first, and when nothing is wrong any more. */
const recoveryElections = 80;
const recoveryMsMin = 90_000;
/** The judge wants every version: no wall clock jumps so far ahead that a collection, once a minute, takes one. */
const versionLifeMs = 100 * 24 * 3_600_000;
const redisKeys: GatewayKeys = {
  plain: ["plain:1", "plain:2"],
  mixed: ["mixed:1", "mixed:2"],
  counters: ["counter:1", "counter:2"],
};

export const cluster: Scenario = {
  name: "cluster",
  why: "What a cluster told its clients is true, in one order, whatever becomes of stores, Coordinator and gateways.",
  weight: 1,
  run: (world) => new ClusterRun(world, drawClusterPlan(world)).run(),
};

/** A cluster of whole processes under everything that may befall it, and its clients. */
export class ClusterRun {
  readonly #world: World;
  readonly #plan: ClusterPlan;
  readonly #stage: SeatStage;
  readonly #coordinators: readonly NodeSeat<CoordinatorNode>[];
  readonly #stores: NodeSeat<StoreNode>[];
  readonly #gateways: readonly NodeSeat<GatewayNode>[];
  readonly #users: readonly ClusterUser[];
  readonly #redis: RedisStage;
  readonly #redisUsers: readonly ClusterRedisUser[];
  readonly #workload: TxnWorkload;
  readonly #lists: Lists;
  readonly #listUsers: readonly ListUser[];
  readonly #judge: ClusterJudge;
  readonly #nemesis: StoreNemesis;
  readonly #merges: { readonly deeds: MergesDeeds; readonly watch: MergesWatch } | null;
  readonly #rotting: RottingStore | null;
  /** Everybody who is there or was. */
  readonly #seats: NodeSeat<{ close(): Promise<void> }>[];
  readonly #running: Promise<void>[] = [];
  readonly #txns: TxnLog[] = [];
  readonly #timestamps = new SequenceLedger("timestamp");
  #over = false;
  #setUp = false;

  constructor(world: World, plan: ClusterPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#stage = { world, closing: false, calm: false };
    this.#coordinators = plan.topology.coordinators.map((place) => this.#seatCoordinator(place));
    this.#stores = plan.topology.stores.map(({ storeId }) => this.#seatStore(storeId));
    this.#gateways = Array.from({ length: plan.gateways }, (_, at) => this.#seatGateway(at + 1));
    const stage = { world, txns: this.#txns, timestamps: this.#timestamps };
    this.#users = Array.from({ length: plan.txnUsers + 1 }, (_, at) => {
      return new ClusterUser(stage, at, this.#gateways[at % plan.gateways] as NodeSeat<GatewayNode>);
    });
    const { gapMsMax, gateways, electionMs } = plan;
    const history = new GatewayHistory(world, redisKeys);
    this.#redis = { world, history, gateways, gapMsMax, replyMs: electionMs * 12, over: false };
    this.#redisUsers = this.#hireRedisUsers();
    this.#lists = new Lists(world, world.dice("list-workload"));
    this.#listUsers = this.#hireListUsers();
    const dice = world.dice("workload");
    // Single decisions are what the gateways' clients do.
    const kinds = drawKinds(dice).filter((kind) => kind !== "atomic");
    this.#workload = new TxnWorkload(dice, {
      kinds: kinds.length > 0 ? kinds : ["transfer"],
      registers: dice.between(1, 6),
      serializable: dice.pick(["never", "always", "some"]),
      large: dice.chance(1, 3),
      fail: (message) => world.fail("bank", message),
    });
    this.#judge = new ClusterJudge(world, this.#stores);
    const deeds = { ...plan, regionIds: () => this.#judge.regions().map(({ id }) => id) };
    this.#nemesis = new StoreNemesis(world, deeds, this.#stores);
    this.#merges = plan.merges === null ? null : {
      deeds: new MergesDeeds(world, plan.merges, this.#stores, () => this.#judge.regions()),
      watch: new MergesWatch(this.#stage, this.#coordinators, this.#judge.map),
    };
    const rotting = this.#stores.find(({ storeId }) => storeId === plan.rot?.storeId);
    const isCalm = (plan.rot?.storeId ?? 0) > plan.swarm;
    const { rot } = plan;
    this.#rotting = rot === null || rotting === undefined ? null : new RottingStore(world, rot, rotting, isCalm);
    this.#seats = [...this.#coordinators, ...this.#stores, ...this.#gateways];
    world.story(JSON.stringify({ ...plan, topology: plan.topology.regions.length }));
  }

  async run(): Promise<void> {
    this.#makeLinks();
    for (const seat of this.#seats) this.#running.push(seat.keepRunning());
    await this.#until("the cluster begins", () => Promise.resolve(this.#judge.upToDate()));
    await this.#until("the accounts are opened", async () => {
      this.#setUp ||= await this.#workload.setUp(this.#users[0] as ClusterUser);
      return this.#setUp;
    });
    let harmed = false;
    const decay = this.#rotting?.decay(() => harmed);
    for (let storm = 1; storm < this.#plan.storms; storm++) {
      await this.#harm();
      await this.#lull();
    }
    await this.#harm();
    harmed = true;
    this.#stage.calm = true;
    await decay;
    await this.#replaceRotten();
    await this.#recover();
    await this.#judgeAll();
    await this.#until("the collector has the rest", async () => {
      await this.#users[0]?.collect(this.#walkMs);
      return (await this.#judge.locksLeft(true)) === 0;
    });
    this.#stage.closing = true;
    for (const seat of this.#seats) seat.stop();
    await Promise.all(this.#running);
    this.#tell();
  }

  /** Everybody works while the world is hostile. */
  async #harm(): Promise<void> {
    const world = this.#world;
    const plan = this.#plan;
    const exposed = this.#stores.slice(0, plan.swarm).map(({ machine }) => machine);
    if (plan.swarmOnOthers) {
      const others = [...this.#coordinators.slice(0, 1), ...this.#gateways.slice(0, 1)];
      exposed.push(...others.map(({ machine }) => machine));
    }
    if (exposed.length > 0) world.startFaults(...exposed);
    this.#makeLinks();
    world.network.faults.corrupt = plan.corrupt;
    this.#nemesis.start();
    this.#merges?.deeds.start();
    this.#over = false;
    this.#redis.over = false;
    const outages = this.#outages();
    const untilUs = world.nowUs + Math.ceil(plan.faultsMs / plan.storms) * 1_000;
    const isOver = (): boolean => world.nowUs >= untilUs;
    const users = this.#users.slice(1).map((user) => this.#work(user, isOver));
    const redis = this.#redisUsers.slice(1).map((user) => user.run());
    const lists = this.#listUsers.map((user) => this.#append(user, isOver));
    while (!isOver()) {
      await world.sleep(Math.ceil(plan.electionMs / 4));
      this.#look();
    }
    this.#over = true;
    this.#redis.over = true;
    this.#nemesis.stop();
    this.#merges?.deeds.stop();
    world.stopFaults();
    world.network.faults.corrupt = 0;
    for (const seat of this.#coordinators) seat.held = false;
    this.#makeLinks();
    await Promise.all([...users, ...redis, ...lists, outages]);
  }

  #look(): void {
    this.#judge.look();
    this.#merges?.watch.look();
  }

  #lookAtMap(): void {
    this.#judge.map.look();
    this.#merges?.watch.look();
  }

  /** Nobody works, so groups sleep; whom they lose meanwhile they have to miss by themselves. */
  async #lull(): Promise<void> {
    const { lullMs, electionMs, deeds } = this.#plan;
    const world = this.#world;
    const dice = world.dice("lulls");
    const untilUs = world.nowUs + lullMs * 1_000;
    await world.sleep(dice.between(0, lullMs));
    if (deeds.length > 0 && dice.chance(2, 3)) this.#nemesis.once(dice.pick(["crash-leader", "lag", "isolate-leader"]));
    while (world.nowUs < untilUs) {
      await world.sleep(Math.min(electionMs, Math.ceil((untilUs - world.nowUs) / 1_000)));
      this.#look();
    }
    this.#nemesis.stop();
    await this.#until("regions that slept have leaders", () => Promise.resolve(this.#judge.upToDate()));
  }

  async #work(user: ClusterUser, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      if (user.dice.chance(1, 8)) await user.timestamp();
      await this.#workload.operate(user);
      await this.#world.sleep(user.dice.skewed(1, Math.ceil(this.#plan.gapMsMax) + 1));
    }
  }

  async #append(user: ListUser, isOver: () => boolean): Promise<void> {
    while (!isOver() && !this.#lists.isFull) {
      await user.operate();
      await this.#world.sleep(user.dice.skewed(1, Math.ceil(this.#plan.gapMsMax) + 1));
    }
  }

  /** The Coordinator goes, or a member of its group, or all of them, and comes back with what its journal has. */
  async #outages(): Promise<void> {
    const { outageMsMax, electionMs } = this.#plan;
    const dice = this.#world.dice("outages");
    while (outageMsMax > 0 && !this.#over) {
      await this.#world.sleep(dice.between(electionMs, electionMs * 10));
      if (this.#over) return;
      const lengthMs = dice.skewed(1, Math.ceil(outageMsMax));
      const gone = dice.chance(1, 3) ? this.#coordinators : [dice.pick(this.#coordinators)];
      this.#world.story(`without ${gone.map(({ machine }) => machine.name).join(", ")} for ${lengthMs} ms`);
      for (const seat of gone) seat.held = true;
      for (const seat of gone) seat.machine.crash(dice.pick(["process", "power"]));
      await this.#world.sleep(lengthMs);
      for (const seat of gone) seat.held = false;
    }
  }

  /** What an operator does about a store whose disk is not to be trusted, whether or not it still serves. */
  async #replaceRotten(): Promise<void> {
    const rotten = this.#rotting?.seat;
    if (rotten === undefined || !rotten.rots) return;
    const { storeId, condemned, machine } = rotten;
    this.#world.story(`${machine.name} is taken out, ${condemned ? "which ended for damage" : "which still serves"}`);
    rotten.held = condemned;
    const newcomer = this.#seatStore(this.#plan.topology.stores.length + 1);
    this.#stores.push(newcomer);
    this.#seats.push(newcomer);
    this.#running.push(newcomer.keepRunning());
    const replicas = this.#plan.topology.regions[0]?.region.peers.length ?? 0;
    const removal = new StoreRemoval(this.#coordinators, storeId, replicas);
    await this.#until("the damaged store is replaced", () => Promise.resolve(removal.isDone()), () => removal.left());
    rotten.held = true;
    machine.crash("process");
    this.#stores.splice(this.#stores.indexOf(rotten), 1);
  }

  /** Nothing is wrong any more: everybody is served, nothing is left behind. */
  async #recover(): Promise<void> {
    if (this.#merges !== null) await this.#rest();
    await this.#until("every replica is up to date", () => Promise.resolve(this.#judge.upToDate()));
    for (const user of this.#users) {
      await this.#until(`${user.name} commits`, async () => {
        return (await this.#workload.last(user)).outcome === "committed";
      });
      await user.timestamp();
    }
    const [reader] = this.#listUsers;
    if (reader !== undefined) await this.#until("the lists are read", () => reader.readAll());
    const [probe] = this.#redisUsers;
    await this.#until("a gateway serves", async () => (await probe?.probe(["SET", "probe:1", "there"])) ?? false);
    // Whoever reads meets what is left of transactions whose clients died, and ends them.
    await this.#until("no lock is left", async () => {
      const [user] = this.#users;
      await user?.transact(false, async (txn) => (await txn.scan("", null, 1_000)) !== undefined, this.#walkMs);
      return (await this.#judge.locksLeft(false)) === 0;
    });
    await this.#until("every replica has all of it", () => Promise.resolve(this.#judge.upToDate()));
    await this.#until("the Coordinator knows the regions", () => Promise.resolve(this.#isToldOfRegions()));
    const isTold = (): Promise<boolean> => Promise.resolve(this.#hearsayProblem() === null);
    await this.#until("the Coordinator knows who leads them", isTold, () => this.#hearsayProblem() ?? "");
  }

  /** What is planned comes to an end, and nothing is planned any more. From then on nobody moves anything. */
  async #rest(): Promise<void> {
    const { electionMs, merges } = this.#plan;
    const restUs = 1_000 * (4 * electionMs + 2 * (merges?.coordinator.scheduler.mergeQuietMs ?? 0));
    let sinceUs = this.#world.nowUs;
    let known = "";
    await this.#until("regions are merged and moved no more", () => {
      const coordinator = this.#leading();
      const busy = coordinator === null || coordinator.operations.planned.length > 0 || !this.#isToldOfRegions();
      const now = busy ? "" : this.#judge.regions().map(describeRegion).join();
      if (busy || now !== known) sinceUs = this.#world.nowUs;
      known = now;
      return Promise.resolve(this.#world.nowUs - sinceUs >= restUs);
    }, () => {
      const coordinator = this.#leading();
      const planned = coordinator?.operations.planned.map(describeOperator) ?? ["there is no Coordinator"];
      return [...planned, ...(coordinator?.state.pendingRangeChanges ?? []).map((plan) => plan.transitionId)].join();
    });
  }

  #leading(): Coordinator | null {
    const leading = this.#coordinators.find(({ node }) => node?.journal.status.role === "leader");
    return leading?.node?.coordinator ?? null;
  }

  /** What the Coordinator knows of regions is what they are, and nothing is under way there that nobody ends. */
  #isToldOfRegions(): boolean {
    const state = this.#leading()?.state;
    if (state === undefined || state.pendingRangeChanges.length > 0) return false;
    const told = state.regions.map(describeRegion).join();
    return told === this.#judge.regions().map(describeRegion).join();
  }

  #hearsayProblem(): string | null {
    const coordinator = this.#leading();
    if (coordinator === null) return "no Coordinator leads";
    return hearsayProblem(coordinator, this.#stores, this.#judge.regionIds());
  }

  async #judgeAll(): Promise<void> {
    const world = this.#world;
    await this.#judge.compare();
    const model = await this.#observed();
    const wrong = model.judge(this.#txns, []) ?? this.#timestamps.judge();
    if (wrong !== null) world.fail("timestamps", wrong);
    this.#redis.history.judge();
    this.#lists.judge();
  }

  /** A region that is divided while they are read leaves out what its child took: then they are read again. */
  async #observed(): Promise<TimestampModel> {
    for (;;) {
      const before = this.#judge.regions().map(describeRegion).join();
      const model = new TimestampModel();
      await this.#judge.observe(model);
      this.#judge.look();
      if (this.#judge.regions().map(describeRegion).join() === before) return model;
    }
  }

  get #recoveryMs(): number {
    return Math.max(recoveryMsMin, recoveryElections * this.#plan.electionMs);
  }

  /**
   * For a walk over all keys: some attempts are over before nobody waits any more. A page of one key takes two round
   * trips, to the leader and from there to a majority, and the time of an operation may be over after ten of them.
   */
  get #walkMs(): number {
    return Math.ceil(this.#recoveryMs / 3);
  }

  async #until(what: string, holds: () => Promise<boolean>, why = (): string => ""): Promise<void> {
    const { electionMs } = this.#plan;
    const world = this.#world;
    const untilUs = world.nowUs + this.#recoveryMs * 1_000;
    while (!(await holds())) {
      if (world.nowUs > untilUs) {
        world.fail("liveness", `it takes too long until ${what} ${why()}\n${this.#judge.standing()}`);
      }
      await world.sleep(Math.ceil(electionMs / 4));
      this.#look();
    }
  }

  #tell(): void {
    const ended = (outcome: string): number => this.#txns.filter((txn) => txn.outcome === outcome).length;
    this.#world.story(
      `${ended("committed")} committed, ${ended("aborted")} aborted, ${ended("unknown")} unknown; ` +
        `${this.#redis.history.summary()}; ${this.#judge.regions().length} regions, ` +
        `${this.#merges?.watch.summary() ?? "none merged"}, ` +
        `${this.#nemesis.changes} changes of peers, ${this.#nemesis.transfers} transfers, ` +
        `${this.#timestamps.count} timestamps`,
    );
  }

  #makeLinks(): void {
    Object.assign(this.#world.network.faults, this.#plan.links);
  }

  #seatCoordinator({ memberId, address }: CoordinatorPlace): NodeSeat<CoordinatorNode> {
    const { topology, net } = this.#plan;
    const { clusterId, regions } = topology;
    const { store, merges } = this.#plan;
    const members = topology.coordinators;
    const limits = { tickUs: store.tickUs, raft: { ...raftLimitsDefault, electionTicks: store.raft.electionTicks } };
    return new NodeSeat(this.#stage, address.host, 0, (env, onFatal) =>
      openCoordinatorNode(env, {
        group: memberId === 0 ? null : { memberId, members, limits },
        workDir: "/data",
        listen: { host: "0.0.0.0", port: clusterPort },
        clusterId,
        firstRegions: regions.map(({ region }) => region),
        owner: "sim",
        diagnostics: null,
        network: net,
        ...(merges === null ? {} : { replicas: merges.replicas, coordinator: merges.coordinator }),
        onFatal,
      }),
    );
  }

  #seatStore(storeId: number): NodeSeat<StoreNode> {
    const { topology, net, engine, store, electionMs, splits, scrub } = this.#plan;
    let incarnation = 0;
    return new NodeSeat(this.#stage, `store-${storeId}`, storeId, async (env, onFatal) => {
      const node = await openStoreNode(this.#merges?.watch.listen(env) ?? env, {
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
        splits,
        scrub,
        onFatal,
      });
      const text = `store ${storeId} is ${node.incarnation} after ${incarnation}`;
      if (node.incarnation <= incarnation) this.#world.fail("incarnation", text);
      incarnation = node.incarnation;
      // Where regions are merged, every change of one is looked at when it happens.
      if (this.#merges !== null) node.store.onRegionChange(() => this.#lookAtMap());
      return node;
    });
  }

  #seatGateway(index: number): NodeSeat<GatewayNode> {
    const { topology, net, client } = this.#plan;
    return new NodeSeat(this.#stage, `gateway-${index}`, 0, (env) =>
      openGatewayNode(env, {
        topology,
        listen: { host: "0.0.0.0", port: redisPort },
        gateway: { protectedMode: false },
        diagnostics: null,
        client,
        garbage: { lifeMs: versionLifeMs },
        network: net,
      }),
    );
  }

  #hireListUsers(): ListUser[] {
    const { listUsers, gateways } = this.#plan;
    return Array.from({ length: listUsers }, (_, at) => {
      return new ListUser(this.#lists, at + 1, this.#gateways[at % gateways] as NodeSeat<GatewayNode>, redisPort);
    });
  }

  /** The first one only asks in the end. */
  #hireRedisUsers(): ClusterRedisUser[] {
    const { redisUsers, redisRequests } = this.#plan;
    let values = 0;
    const nextValue = (): string => `v${++values}.`;
    return Array.from({ length: redisUsers + 1 }, (_, at) => {
      const commands = new GatewayCommands(this.#world.dice("commands", at), redisKeys, nextValue);
      return new ClusterRedisUser(this.#redis, at, commands, redisRequests);
    });
  }
}
