import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { type CoordinatorNode, openCoordinatorNode } from "../node/coordinator-node.ts";
import { SequenceLedger } from "../sim/checkers/sequence.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { CoordinatorCaller, coordinatorPort, firstRegions, type ServiceStage } from "./coordinator-callers.ts";
import { pause } from "./recording-clock.ts";

export const coordinatorService: Scenario = {
  name: "coordinator-service",
  why: "Whoever asks the Coordinator over the network is answered once, in time, and gets no number that another has.",
  weight: 1,
  run: (world) => new ServiceRun(world).run(),
};

const faultsMsMax = 20_000;
const retryMs = 300;
/** Then every caller has been served again. */
const patienceMs = 180_000;
const checkMs = 100;

class ServiceRun {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #stage: ServiceStage;
  readonly #coordinator: Machine;
  readonly #callers: readonly Machine[];
  #node: CoordinatorNode | null = null;
  #closing = false;
  #lives = 0;

  constructor(world: World) {
    this.#world = world;
    this.#dice = world.dice("coordinator-service");
    const timestamps = new SequenceLedger("timestamp");
    this.#stage = { world, timestamps, ids: new SequenceLedger("id"), ticks: 0, probing: false, quiet: false };
    this.#coordinator = world.machine("coordinator");
    const count = this.#dice.between(1, 4);
    this.#callers = Array.from({ length: count }, (_, i) => world.machine(`caller-${i + 1}`));
    world.story(`${count} processes that ask`);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const live = new Map<Machine, CoordinatorCaller>();
    const running = [this.#serve(), ...this.#callers.map((machine) => this.#call(machine, live))];
    await world.sleep(this.#dice.skewed(1, 1_000));
    world.startFaults();
    await world.sleep(this.#dice.skewed(500, faultsMsMax));
    world.stopFaults();
    this.#stage.probing = true;
    await this.#until("every caller is served", () => {
      return this.#callers.every((machine) => live.get(machine)?.served === true);
    });
    this.#stage.quiet = true;
    await this.#until("everything is answered", () => [...live.values()].every((caller) => caller.idle));
    this.#closing = true;
    for (const caller of live.values()) caller.stop();
    this.#stop();
    await Promise.all(running);
    const { timestamps, ids } = this.#stage;
    for (const [oracle, ledger] of [["timestamps", timestamps], ["ids", ids]] as const) {
      const wrong = ledger.judge();
      if (wrong !== null) world.fail(oracle, wrong);
    }
    world.story(`${timestamps.count} timestamps and ${ids.count} ids over ${this.#lives} lives of the Coordinator`);
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    for (let waitedMs = 0; !holds(); waitedMs += checkMs) {
      if (waitedMs > patienceMs) this.#world.fail("liveness", `nothing is wrong, and it never is that ${what}`);
      await this.#world.sleep(checkMs);
    }
  }

  #stop: () => void = () => {};

  /** The supervisor of the Coordinator: what dies or fails is started again. */
  async #serve(): Promise<void> {
    while (!this.#closing) {
      const outcome = await this.#coordinator.run((env) => this.#live(env));
      this.#node = null;
      if (outcome.kind === "failed") throw outcome.error;
      this.#coordinator.crash(this.#dice.pick(["process", "power"] as const));
      if (!this.#closing) await this.#world.sleep(this.#dice.skewed(1, 3_000));
    }
  }

  async #live(env: Env): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#stop = resolve;
    });
    try {
      this.#node = await openCoordinatorNode(env, {
        workDir: "/coordinator", listen: { host: "0.0.0.0", port: coordinatorPort }, clusterId: "sim", firstRegions,
        owner: "sim", diagnostics: null, onFatal: () => this.#stop(),
      });
      this.#lives++;
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      if (error.code !== "NOKV_IO" && error.code !== "NOKV_NO_SPACE") {
        this.#world.fail("recovery", `${error.code}: ${error.message}`);
      }
      return pause(env, retryMs * 1_000);
    }
    const known = this.#node.coordinator.state.regions;
    if (known.length !== firstRegions.length) {
      this.#world.fail("regions", `a Coordinator that serves knows ${known.length} regions of ${firstRegions.length}`);
    }
    if (!this.#closing) await ended;
    await this.#node.close();
    const { openFiles } = this.#coordinator.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after the Coordinator was closed`);
  }

  /** One process that asks after the other. */
  async #call(machine: Machine, live: Map<Machine, CoordinatorCaller>): Promise<void> {
    while (!this.#closing) {
      const outcome = await machine.run(async (env) => {
        const caller = new CoordinatorCaller(this.#stage, env, machine);
        live.set(machine, caller);
        await caller.run();
      });
      live.delete(machine);
      if (outcome.kind === "failed") throw outcome.error;
      machine.crash("process");
      if (!this.#closing) await this.#world.sleep(this.#dice.skewed(1, 2_000));
    }
  }
}
