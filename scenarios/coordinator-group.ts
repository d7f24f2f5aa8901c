import { syncDirectory } from "../core/engine/directory.ts";
import type { Env } from "../core/env/env.ts";
import type { NokvError } from "../core/errors.ts";
import { RaftJournal } from "../coordinator/raft-journal.ts";
import { type CoordinatorNode, openCoordinatorNode } from "../node/coordinator-node.ts";
import { SequenceLedger } from "../sim/checkers/sequence.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { NodeSeat, type SeatStage } from "./cluster-seat.ts";
import { CoordinatorCaller, coordinatorPort, firstRegions, type ServiceStage } from "./coordinator-callers.ts";
import { GroupNemesis } from "./coordinator-group-nemesis.ts";
import { drawGroupPlan, type GroupPlan } from "./coordinator-group-plan.ts";
import { GroupTruth } from "./coordinator-group-truth.ts";
import { StoreObservers, type StoreWatch } from "./raft-store-watch.ts";

export const coordinatorGroup: Scenario = {
  name: "coordinator-group",
  why: "Three Coordinators decide as one, whatever becomes of any: no number comes twice, no promise is lost.",
  weight: 1,
  run: (world) => new GroupRun(world, drawGroupPlan(world)).run(),
};

const memberIds = [1, 2, 3];
/** Elections within which a group serves: at first, and when nothing is wrong any more. */
const recoveryElections = 60;
const recoveryMsMin = 60_000;

class GroupRun {
  readonly #world: World;
  readonly #plan: GroupPlan;
  readonly #seatStage: SeatStage;
  readonly #stage: ServiceStage;
  readonly #truth: GroupTruth;
  readonly #observers: StoreObservers;
  readonly #seats: readonly NodeSeat<CoordinatorNode>[];
  readonly #callers: readonly Machine[];
  readonly #live = new Map<Machine, CoordinatorCaller>();
  readonly #nemesis: GroupNemesis;
  /** The directory of the member that is to lose it is to go with its next start; then it is gone. */
  #loss: "none" | "due" | "done" = "none";

  constructor(world: World, plan: GroupPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#seatStage = { world, closing: false, calm: false };
    this.#truth = new GroupTruth(world);
    this.#observers = new StoreObservers(world, 0);
    const timestamps = new SequenceLedger("timestamp");
    this.#stage = {
      world, timestamps, ids: new SequenceLedger("id"), ticks: 0, probing: false, quiet: false,
      group: { memberIds, truth: this.#truth }, idleUsMax: plan.idleUsMax,
    };
    this.#seats = memberIds.map((memberId) => this.#seat(memberId));
    this.#callers = Array.from({ length: plan.callers }, (_, at) => world.machine(`caller-${at + 1}`));
    this.#nemesis = new GroupNemesis(world, plan, this.#seats, this.#callers);
    for (const [at, seat] of this.#seats.entries()) seat.machine.clock.jumpWall(plan.clockOffsetsMs[at] ?? 0);
    world.story(JSON.stringify(plan));
  }

  async run(): Promise<void> {
    const world = this.#world;
    this.#makeLinks();
    const members = this.#seats.map((seat) => seat.keepRunning());
    const callers = this.#callers.map((machine) => this.#call(machine));
    if (this.#plan.begunFirst) await this.#until("a member leads", () => this.#hasLeader());
    await world.sleep(world.dice("start").skewed(1, 2_000));
    await this.#harm();
    this.#seatStage.calm = true;
    this.#stage.probing = true;
    await this.#until("every caller is served", () => {
      return this.#callers.every((machine) => this.#live.get(machine)?.served === true);
    });
    this.#stage.quiet = true;
    await this.#until("everything is answered", () => [...this.#live.values()].every((caller) => caller.idle));
    await this.#until("every member has all of it", () => this.#inStep());
    for (const { node, machine } of this.#members()) {
      if (node !== null) this.#truth.judgeEnd(machine.name, node.journal.state);
    }
    this.#seatStage.closing = true;
    for (const caller of this.#live.values()) caller.stop();
    for (const seat of this.#seats) seat.stop();
    await Promise.all([...members, ...callers]);
    this.#judge();
  }

  async #harm(): Promise<void> {
    const world = this.#world;
    const { swarm, swarmOnCallers, faultsMs, electionMs } = this.#plan;
    const exposed = this.#seats.slice(0, swarm).map(({ machine }) => machine);
    if (swarmOnCallers) exposed.push(...this.#callers);
    if (exposed.length > 0) world.startFaults(...exposed);
    this.#makeLinks();
    world.network.faults.corrupt = this.#plan.corrupt;
    this.#nemesis.start();
    for (let leftMs = faultsMs; leftMs > 0; leftMs -= electionMs / 4) {
      await world.sleep(Math.ceil(electionMs / 4));
      this.#look();
      if (leftMs < faultsMs / 2) this.#loseDisk();
    }
    this.#nemesis.stop();
    world.stopFaults();
    world.network.faults.corrupt = 0;
    this.#makeLinks();
  }

  /** Once it has promised something. */
  #loseDisk(): void {
    const { loser } = this.#plan;
    const seat = this.#seats[loser - 1];
    const promised = seat?.node?.journal.token.index ?? 0;
    if (this.#loss !== "none" || seat === undefined || promised === 0) return;
    this.#world.story(`${seat.machine.name} loses its disk`);
    this.#loss = "due";
    seat.machine.crash("process");
  }

  /** Those that did not lose their disks. */
  #members(): readonly NodeSeat<CoordinatorNode>[] {
    return this.#seats.filter((_, at) => this.#loss === "none" || at !== this.#plan.loser - 1);
  }

  #hasLeader(): boolean {
    return this.#seats.some(({ node }) => node?.journal.status.role === "leader");
  }

  /**
   * Members that are at the same place have the same state. Who has forgotten what it promised promises nothing more.
   */
  #look(): void {
    for (const { node, machine } of this.#members()) {
      if (node !== null && machine.up) this.#truth.look(machine.name, node.journal.token, node.journal.state);
    }
    const forgetful = this.#loss === "done" ? (this.#seats[this.#plan.loser - 1]?.node?.journal ?? null) : null;
    if (forgetful instanceof RaftJournal && forgetful.raft.term > 0) {
      this.#world.fail("founding", "a member that lost its disk takes part again");
    }
  }

  #inStep(): boolean {
    this.#look();
    const tokens = this.#members().map(({ node }) => node?.journal.token ?? null);
    const [first] = tokens;
    return tokens.every((token) => token !== null && token.index === first?.index && token.term === first.term);
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const { electionMs } = this.#plan;
    const world = this.#world;
    const untilUs = world.nowUs + Math.max(recoveryMsMin, recoveryElections * electionMs) * 1_000;
    while (!holds()) {
      if (world.nowUs > untilUs) {
        world.fail("liveness", `nothing is wrong, and it never is that ${what}${this.#standing()}`);
      }
      await world.sleep(Math.ceil(electionMs / 4));
      this.#look();
    }
  }

  #standing(): string {
    return this.#seats
      .map(({ node, machine }) => `\n${machine.name}: ${node === null ? "down" : JSON.stringify(node.journal.status)}`)
      .join("");
  }

  #judge(): void {
    const { timestamps, ids } = this.#stage;
    for (const [oracle, ledger] of [["timestamps", timestamps], ["ids", ids]] as const) {
      const wrong = ledger.judge();
      if (wrong !== null) this.#world.fail(oracle, wrong);
    }
    this.#world.story(
      `${timestamps.count} timestamps, ${ids.count} ids, ${this.#truth.acknowledged} events, ` +
        `${this.#observers.elections} elections`,
    );
  }

  #makeLinks(): void {
    Object.assign(this.#world.network.faults, this.#plan.links);
  }

  #seat(memberId: number): NodeSeat<CoordinatorNode> {
    const members = memberIds.map((id) => ({
      memberId: id, address: { host: `coordinator-${id}`, port: coordinatorPort },
    }));
    let watch: StoreWatch | null = null;
    return new NodeSeat(this.#seatStage, `coordinator-${memberId}`, 0, async (env, failed) => {
      watch?.over();
      const forgetful = memberId === this.#plan.loser && this.#loss !== "none";
      if (forgetful) await this.#lose(env);
      const onFatal = (error: NokvError): void => {
        // It has to say so; and somebody has to look.
        if (!forgetful || error.code !== "NOKV_FOREIGN_DIRECTORY") failed(error);
      };
      return await openCoordinatorNode(env, {
        workDir: "/coordinator", listen: { host: "0.0.0.0", port: coordinatorPort }, clusterId: "sim", firstRegions,
        owner: "sim", diagnostics: null, network: this.#plan.net, onFatal,
        group: {
          memberId, members, limits: this.#plan.limits,
          watch: (log) => {
            watch = this.#observers.watch(log, (moment) => this.#endAt(moment, memberId));
            return watch;
          },
        },
      });
    });
  }

  /** What the disk refuses is tried again with the next start. */
  async #lose(env: Env): Promise<void> {
    if (this.#loss === "done") return;
    if (env.disk.kind("/coordinator") !== null) env.disk.rename("/coordinator", "/lost");
    await syncDirectory(env, "/");
    this.#loss = "done";
  }

  /** Right after it, on some seeds. */
  #endAt(moment: string, memberId: number): void {
    const { moments } = this.#plan;
    const dice = this.#world.dice("moments", memberId);
    if (this.#seatStage.calm || moments === 0 || !dice.chance(1, moments)) return;
    const { machine } = this.#seats[memberId - 1] as NodeSeat<CoordinatorNode>;
    const kind = dice.pick(["process", "power"] as const);
    this.#world.after(dice.skewed(1, 1_000), () => {
      if (!machine.up || this.#seatStage.calm) return;
      this.#world.story(`${kind} of ${machine.name} after ${moment}`);
      machine.crash(kind);
    });
  }

  /** One process that asks after the other. */
  async #call(machine: Machine): Promise<void> {
    while (!this.#seatStage.closing) {
      const outcome = await machine.run(async (env) => {
        const caller = new CoordinatorCaller(this.#stage, env, machine);
        this.#live.set(machine, caller);
        await caller.run();
      });
      this.#live.delete(machine);
      if (outcome.kind === "failed") throw outcome.error;
      machine.crash("process");
      if (!this.#seatStage.closing) await this.#world.sleep(this.#world.dice("restart").skewed(1, 2_000));
    }
  }
}
