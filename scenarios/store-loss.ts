import type { ClusterClient } from "../node/cluster-client.ts";
import { type CoordinatorNode, openCoordinatorNode } from "../node/coordinator-node.ts";
import { openClusterClient } from "../node/open-cluster-client.ts";
import { type StoreNode, openStoreNode } from "../node/store-node.ts";
import { networkFaultsNone } from "../sim/network/network-faults.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { NodeSeat, type SeatStage } from "./cluster-seat.ts";
import { hearsayProblem } from "./hearsay.ts";
import { leaderOf } from "./region-seat.ts";
import {
  downAfterMs, drawLossPlan, lossPlace, lossPort, type LossPlan, movesReplicas, wantedReplicas,
} from "./store-loss-plan.ts";
import { LossUser } from "./store-loss-user.ts";
import { LossWatch } from "./store-loss-watch.ts";

/** Within this, after a store counts as down or was told to leave, every region has its replicas again. */
export const repairMsMax = 60_000;
/** Nothing moves for so long once it is done: then nothing moves any more. */
const restMs = 12_000;
/** What leaders told, and what was lost of it, is told again until then. */
const hearsayMsMax = 10_000;
/** A seat's process, and a new one that is to join. */
const beginMsMax = 60_000;

export const storeLoss: Scenario = {
  name: "store-loss",
  why: "A region gets its replicas back by itself when a store is lost or leaves, and nothing is lost on the way.",
  weight: 2,
  run: (world) => new LossRun(world, drawLossPlan(world)).run(),
};

interface ClientNode {
  readonly client: ClusterClient;
  close(): Promise<void>;
}

class LossRun {
  readonly #world: World;
  readonly #plan: LossPlan;
  readonly #stage: SeatStage;
  readonly #coordinator: NodeSeat<CoordinatorNode>;
  readonly #stores: NodeSeat<StoreNode>[];
  readonly #clients: NodeSeat<ClientNode>;
  readonly #users: readonly LossUser[];
  readonly #watch: LossWatch;
  readonly #newcomerId: number;
  #restartsLeft: number;
  #crashesLeft: number;
  #began = false;
  #over = false;

  constructor(world: World, plan: LossPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#stage = { world, closing: false, calm: true };
    Object.assign(world.network.faults, networkFaultsNone);
    this.#coordinator = this.#seatCoordinator();
    this.#stores = plan.topology.stores.map(({ storeId }) => this.#seatStore(storeId));
    this.#newcomerId = plan.topology.stores.length + 1;
    this.#clients = new NodeSeat(this.#stage, "client", 0, (env) => {
      const client = openClusterClient(env, {
        topology: plan.topology,
        client: { attemptMs: plan.electionMs / 2, operationMs: plan.electionMs * 4 },
      });
      return Promise.resolve({ client, close: () => Promise.resolve(client.close()) });
    });
    this.#users = Array.from({ length: plan.users }, (_, at) => new LossUser(world, at, plan.electionMs * 4));
    this.#watch = new LossWatch(world, this.#stores, plan.topology.regions.map(({ region }) => region));
    this.#restartsLeft = plan.restarts;
    this.#crashesLeft = plan.leaderCrashes;
    const { chapter, victim, awayMs, restarts, leaderCrashes } = plan;
    world.story(JSON.stringify({ chapter, victim, awayMs, restarts, leaderCrashes }));
  }

  async run(): Promise<void> {
    const running = [this.#coordinator, ...this.#stores, this.#clients].map((seat) => seat.keepRunning());
    await this.#until("the cluster begins", beginMsMax, () => this.#wanting() === null);
    const users = this.#users.map((user) => this.#work(user));
    await this.#rest(2_000);
    if (this.#plan.restsFirst) {
      await this.#until("replicas are where they stay", repairMsMax, () => this.#watch.moving() === null);
    }
    // What was moving for balance, and is given up since its store is silent, is begun again afterwards.
    const atRest = this.#watch.moving() === null;
    const additions = this.#watch.additions;
    await this.#happen(running);
    await this.#until("every region has its replicas", repairMsMax, () => this.#wanting() === null);
    await this.#until("nothing moves any more", repairMsMax, () => this.#rests());
    await this.#until("the Coordinator knows who leads", hearsayMsMax, () => this.#hearsay() === null);
    const added = this.#watch.additions - additions;
    const untouched = atRest && !movesReplicas(this.#plan.chapter);
    if (untouched && added > 0) this.#world.fail("restraint", `${added} replicas were added, and no store is lost`);
    this.#over = true;
    await Promise.all(users);
    if (this.#plan.restarts > 0) await this.#forget();
    await this.#judge();
    const served = this.#users.map(({ done, failed }) => `${done} done, ${failed} failed`);
    this.#world.story(`${added} replicas added; ${served.join("; ")}`);
    this.#stage.closing = true;
    for (const seat of [this.#coordinator, ...this.#stores, this.#clients]) seat.stop();
    await Promise.all(running);
  }

  async #happen(running: Promise<void>[]): Promise<void> {
    const { chapter, victim, awayMs } = this.#plan;
    this.#began = true;
    switch (chapter) {
      case "lost":
        this.#lose(victim);
        await this.#rest(downAfterMs);
        return;
      case "newcomer":
        await this.#loseNewcomer(victim);
        return;
      case "forced":
        this.#lose(victim);
        await this.#tellToLeave(victim);
        return;
      case "leaves":
        await this.#tellToLeave(victim);
        return;
      case "returns":
      case "short":
        this.#lose(victim);
        await this.#rest(awayMs);
        this.#return(victim);
        return;
      case "joins": {
        const seat = this.#seatStore(this.#newcomerId);
        this.#stores.push(seat);
        running.push(seat.keepRunning());
        return;
      }
      case "unheard":
        this.#blockCoordinator(victim, true);
        await this.#rest(downAfterMs + awayMs);
        this.#blockCoordinator(victim, false);
    }
  }

  #lose(victim: number): void {
    this.#world.story(`store ${victim} is lost`);
    const seat = this.#seat(victim);
    this.#watch.away.add(victim);
    seat.held = true;
    seat.machine.crash(this.#plan.crashKind);
  }

  #return(storeId: number): void {
    this.#world.story(`store ${storeId} returns`);
    this.#watch.away.delete(storeId);
    this.#seat(storeId).held = false;
  }

  /** Its learner is removed while it is away: nobody tells it, and a learner asks nobody for votes. */
  async #loseNewcomer(victim: number): Promise<void> {
    this.#lose(victim);
    await this.#until("a learner comes", repairMsMax, () => this.#watch.learnerStore() !== 0);
    const storeId = this.#watch.learnerStore();
    if (storeId === victim) return;
    this.#lose(storeId);
    await this.#rest(downAfterMs + this.#plan.awayMs / 2);
    this.#return(storeId);
  }

  async #tellToLeave(victim: number): Promise<void> {
    await this.#until("the Coordinator knows that a store leaves", repairMsMax, () => {
      const { node } = this.#coordinator;
      const known = node?.coordinator.state.stores.find(({ storeId }) => storeId === victim);
      if (known !== undefined && known.membership !== "member") return true;
      void this.#coordinator.enter(({ coordinator }) => {
        coordinator.publish({ kind: "StoreLeaving", storeId: victim, leaving: true }, 0, () => {});
      });
      return false;
    });
  }

  #blockCoordinator(victim: number, blocked: boolean): void {
    const names = [this.#seat(victim).machine.name, this.#coordinator.machine.name] as const;
    this.#world.story(`${names[0]} and the Coordinator ${blocked ? "cannot" : "can"} hear each other`);
    for (const [from, to] of [names, names.toReversed()]) {
      const link = this.#world.network.link(from ?? "", to ?? "");
      if (blocked) link.block();
      else link.unblock();
    }
  }

  async #work(user: LossUser): Promise<void> {
    const dice = this.#world.dice("pace");
    while (!this.#over) {
      await this.#clients.work(({ client }) => user.work(client));
      await this.#world.sleep(dice.skewed(1, this.#plan.gapMsMax) + 1);
    }
  }

  async #rest(ms: number): Promise<void> {
    const untilUs = this.#world.nowUs + ms * 1_000;
    while (this.#world.nowUs < untilUs) {
      await this.#world.sleep(50);
      this.#look();
    }
  }

  // oxlint-disable-next-line max-params
  async #until(what: string, msMax: number, holds: () => boolean): Promise<void> {
    const world = this.#world;
    const untilUs = world.nowUs + msMax * 1_000;
    while (!holds()) {
      if (world.nowUs > untilUs) {
        const left = this.#wanting() ?? this.#watch.moving() ?? this.#hearsay() ?? "at rest";
        world.fail("repair", `it takes more than ${msMax} ms until ${what}: ${left}`);
      }
      await world.sleep(50);
      this.#look();
    }
  }

  /** Sees every step of every region, and is in the way of some. */
  #look(): void {
    const changedUs = this.#watch.changedUs;
    this.#watch.look();
    if (this.#watch.changedUs === changedUs || this.#over) return;
    const dice = this.#world.dice("disturbances");
    if (this.#restartsLeft > 0 && dice.chance(1, 2)) {
      this.#restartsLeft--;
      this.#world.story("the Coordinator begins anew");
      this.#coordinator.machine.crash(this.#plan.crashKind);
    } else if (this.#crashesLeft > 0 && dice.chance(1, 2)) {
      this.#crashesLeft--;
      this.#crashLeader(dice.pick(this.#watch.regions()).id);
    }
  }

  /** Its process comes back at once, as the next one's of its supervisor. */
  #crashLeader(region: number): void {
    const storeId = leaderOf(this.#stores, region)?.seat.storeId;
    if (storeId === undefined) return;
    this.#world.story(`store ${storeId}, which leads region ${region}, dies`);
    this.#seat(storeId).machine.crash(this.#plan.crashKind);
  }

  #wanting(): string | null {
    const { chapter, victim } = this.#plan;
    const isLost = chapter === "lost" || chapter === "newcomer";
    const isGone = this.#began && (isLost || chapter === "forced" || chapter === "leaves");
    const wanting = this.#watch.wanting((storeId) => !isGone || storeId !== victim);
    if (wanting !== null || isLost || !isGone) return wanting;
    const stores = this.#coordinator.node?.coordinator.state.stores ?? [];
    const left = stores.find(({ storeId }) => storeId === victim)?.membership === "left";
    return left ? null : `store ${victim} has not left`;
  }

  #rests(): boolean {
    return this.#wanting() === null && this.#world.nowUs - this.#watch.changedUs > restMs * 1_000;
  }

  /** Nobody has anything new to say, and the Coordinator has forgotten all that was said. */
  async #forget(): Promise<void> {
    await this.#rest(2_000);
    this.#coordinator.machine.crash(this.#plan.crashKind);
    await this.#world.sleep(50);
    await this.#until("a Coordinator that began anew knows who leads", hearsayMsMax, () => this.#hearsay() === null);
  }

  #hearsay(): string | null {
    const coordinator = this.#coordinator.node?.coordinator;
    const ids = this.#watch.regions().map(({ id }) => id);
    if (coordinator === undefined) return "there is none";
    // A leader that the Coordinator could not hear has its last change still to tell.
    return hearsayProblem(coordinator, this.#stores, ids) ?? this.#watch.mapProblem(coordinator.state.regions);
  }

  async #judge(): Promise<void> {
    const state = this.#coordinator.node?.coordinator.state;
    if (state === undefined) this.#world.fail("repair", "there is no Coordinator in the end");
    const problem = this.#watch.mapProblem(state.regions);
    if (problem !== null) this.#world.fail("region-map", problem);
    if (state.pendingPeerChanges.length > 0) {
      this.#world.fail("transitions", `${state.pendingPeerChanges[0]?.transitionId} is still open`);
    }
    if (this.#plan.chapter === "joins") this.#judgeBalance();
    for (const user of this.#users) {
      for (let attempts = 0; ; attempts++) {
        let isDone = false;
        await this.#clients.work(async ({ client }) => {
          isDone = await user.readAll(client);
        });
        if (isDone) break;
        if (attempts > 20) this.#world.fail("liveness", "what was written cannot be read");
        await this.#world.sleep(500);
      }
    }
  }

  /** No store has two replicas more than another one that could take one of them. */
  #judgeBalance(): void {
    const regions = this.#watch.regions();
    const held = (id: number): number => regions.filter(({ peers }) => peers.some((p) => p.storeId === id)).length;
    for (const { id, peers } of regions) {
      for (const { storeId } of peers) {
        const gap = held(storeId) - held(this.#newcomerId);
        const has = peers.some((peer) => peer.storeId === this.#newcomerId);
        if (gap >= 2 && !has) this.#world.fail("balance", `region ${id} stays on store ${storeId}, ${gap} fuller`);
      }
    }
  }

  #seat(storeId: number): NodeSeat<StoreNode> {
    const seat = this.#stores.find((each) => each.storeId === storeId);
    if (seat === undefined) throw new Error(`there is no store ${storeId}`);
    return seat;
  }

  #seatCoordinator(): NodeSeat<CoordinatorNode> {
    const { topology, coordinator } = this.#plan;
    const { clusterId, regions } = topology;
    return new NodeSeat(this.#stage, "coordinator", 0, (env, onFatal) =>
      openCoordinatorNode(env, {
        workDir: "/data",
        listen: { host: "0.0.0.0", port: lossPort },
        clusterId,
        firstRegions: regions.map(({ region }) => region),
        replicas: wantedReplicas,
        owner: "sim",
        diagnostics: null,
        coordinator,
        onFatal,
      }),
    );
  }

  #seatStore(storeId: number): NodeSeat<StoreNode> {
    const { topology, store, heartbeatMs, forgottenMs } = this.#plan;
    const name = `store-${storeId}`;
    const { workDir, address } = lossPlace(name);
    return new NodeSeat(this.#stage, name, storeId, (env, onFatal) =>
      openStoreNode(env, {
        storeId, topology, workDir, listen: { host: "0.0.0.0", port: lossPort }, address, diagnostics: null,
        engine: {}, store, heartbeatMs, forgottenMs, onFatal,
      }),
    );
  }
}
