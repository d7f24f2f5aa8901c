import type { Env } from "../core/env/env.ts";
import type { PrefixModel } from "../sim/checkers/prefix-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { EngineDriver } from "./engine-driver.ts";
import type { EnginePlan } from "./engine-plan.ts";
import { EngineReads } from "./engine-reads.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

/** More calls than any opening of so small a database takes. */
const openingCallsMax = 400;
const powerImages = 3;

export const crashPairs: Scenario = {
  name: "crash-pairs",
  why: "A database whose opening is cut short, and cut short again, must still open, and hold what it promised.",
  weight: 1,
  run: (world) => new CrashPairsRun(world).run(),
};

/**
 * The process dies at one call of a short life, drawn from the seed; then its next opening dies at every call in
 * turn, and power fails on top. What only the page cache held after the first death is gone after the second.
 */
class CrashPairsRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #keyspace: Keyspace;
  readonly #plan: EnginePlan;
  #pairs = 0;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("node");
    this.#dice = world.dice("crash-pairs");
    const plan = world.dice("plan");
    this.#keyspace = new Keyspace(world.dice("keyspace"), plan.between(1, 3), 40);
    const options = { ...drawEngineOptions(world, plan), durability: "sync" as const };
    const { families } = this.#keyspace;
    this.#plan = { directory: "/db", options, acknowledgedIsDurable: true, cacheIsKept: true, families };
  }

  async run(): Promise<void> {
    const driver = new EngineDriver(this.#world, this.#plan);
    await this.#live(driver, 0);
    const calls = this.#machine.callCount;
    this.#machine.crash("process");
    this.#machine.disk.wipe();
    const first = 1 + this.#dice.below(calls);
    const crashed = new EngineDriver(this.#world, this.#plan);
    await this.#live(crashed, first);
    // How many calls a run makes depends on how long its syncs took: one that ended before dies at its end.
    if (this.#machine.up) this.#machine.crash("process");
    crashed.crashed();
    await this.#crashOpenings(crashed, first);
    this.#world.story(`first crash at call ${first} of ${calls}, ${this.#pairs} images after a second one`);
  }

  /** Opens, commits twice, and is still open, unless the process died at `call`. */
  async #live(driver: EngineDriver, call: number): Promise<void> {
    this.#machine.boot();
    if (call > 0) this.#machine.crashAtCall(call, "process");
    const outcome = await this.#machine.run(async (env) => {
      await this.#open(driver, env);
      for (let left = 2; left > 0; left--) await this.#commit(driver, env);
    });
    if (outcome.kind === "failed") throw outcome.error;
  }

  async #crashOpenings(before: EngineDriver, first: number): Promise<void> {
    const { disk } = this.#machine;
    const start = disk.snapshot();
    for (let call = 1; call <= openingCallsMax; call++) {
      disk.restore(start);
      const driver = this.#driverOf(before, before.model.clone());
      this.#machine.boot();
      this.#machine.crashAtCall(call, "process");
      const outcome = await this.#machine.run((env) => this.#open(driver, env));
      if (outcome.kind === "failed") throw outcome.error;
      const cutShort = outcome.kind === "crashed";
      if (!cutShort) this.#machine.crash("process");
      driver.crashed();
      const end = disk.snapshot();
      for (let variant = 0; variant <= powerImages; variant++) {
        disk.restore(end);
        const model = driver.model.clone();
        if (variant > 0) {
          disk.powerLoss(variant);
          model.crash("acknowledged");
        }
        await this.#judge(driver, model, `call ${first}, call ${call} of the next opening, image ${variant}`);
      }
      if (!cutShort) return;
    }
    this.#world.fail("recovery", `an opening takes more than ${openingCallsMax} calls`);
  }

  async #judge(origin: EngineDriver, model: PrefixModel, where: string): Promise<void> {
    this.#pairs++;
    const driver = this.#driverOf(origin, model);
    const reads = new EngineReads(driver, this.#keyspace, this.#dice);
    const outcome = await this.#machine.run(async (env) => {
      driver.context = where;
      await this.#open(driver, env);
      reads.everything();
      const error = await driver.close();
      if (error !== null) this.#world.fail("recovery", `close: ${error.message}`);
    });
    if (outcome.kind !== "done") this.#world.fail("recovery", `${where}: ${outcome.kind}`);
    this.#machine.crash("process");
  }

  async #open(driver: EngineDriver, env: Env): Promise<void> {
    const error = await driver.open(env);
    if (error !== null) this.#world.fail("recovery", `${driver.context}: open: ${error.message}`);
  }

  async #commit(driver: EngineDriver, env: Env): Promise<void> {
    const batch = [{ key: this.#keyspace.key(), value: this.#keyspace.value(), expiresAtMs: 0 }];
    for (;;) {
      let told: () => void = () => {};
      const settled = new Promise<void>((resolve) => {
        told = resolve;
      });
      const error = driver.commit(batch, () => told());
      if (error === null) return settled;
      if (error.code !== "NOKV_BUSY") this.#world.fail("recovery", `commit: ${error.message}`);
      await pause(env, 200);
    }
  }

  #driverOf(driver: EngineDriver, model: PrefixModel): EngineDriver {
    const other = new EngineDriver(this.#world, this.#plan, driver.readings);
    other.model = model;
    return other;
  }
}
