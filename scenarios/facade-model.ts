import type { Engine } from "../core/engine/engine.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { type Db, openDb } from "../core/engine/db.ts";
import { assert } from "../core/assert.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { EngineDriver } from "./engine-driver.ts";
import type { EngineDoor } from "./engine-plan.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { diskErrors, noErrors, withCorruption } from "./engine-workload.ts";
import { FacadeReads } from "./facade-reads.ts";
import { FacadeWrites } from "./facade-writes.ts";
import { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

const directory = "/db";
const stepsMin = 40;
const stepsMax = 200;
const openingsMax = 40;

export const facadeModel: Scenario = {
  name: "facade-model",
  why: "What a program calls must do what its documents say: aborts, seeks, loops, lifetimes, across close and crash.",
  weight: 2,
  run: (world) => new FacadeModelRun(world).run(),
};

/** The front door: what the driver opens and closes is a `Db`. */
class FacadeDoor implements EngineDoor {
  #db: Db | null = null;

  get db(): Db {
    assert(this.#db !== null, "the database was opened through this door");
    return this.#db;
  }

  async open(env: Env, path: string, options: Partial<EngineOptions>): Promise<Engine> {
    this.#db = await openDb(env, path, options);
    return this.#db.engine;
  }

  async close(): Promise<void> {
    await this.db.close();
  }
}

class FacadeModelRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #door = new FacadeDoor();
  readonly #driver: EngineDriver;
  readonly #writes: FacadeWrites;
  readonly #reads: FacadeReads;
  #stepsLeft: number;
  #openings = 0;
  #refused = false;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("node");
    const plan = world.dice("plan");
    this.#dice = world.dice("sessions");
    const keyspace = new Keyspace(world.dice("keyspace"), plan.between(2, 16), plan.pick([12, 100, 700]));
    const options = drawEngineOptions(world, plan);
    const sync = options.durability === "sync";
    const { faultFree, disk } = world.options;
    this.#driver = new EngineDriver(world, {
      directory,
      options,
      acknowledgedIsDurable: sync,
      cacheIsKept: sync || faultFree || disk.faults.syncFailed === 0,
      families: [0],
      door: this.#door,
    });
    const db = (): Db => this.#door.db;
    this.#writes = new FacadeWrites(this.#driver, db, keyspace, world.dice("writes"));
    this.#reads = new FacadeReads(this.#driver, db, keyspace, world.dice("reads"));
    this.#stepsLeft = plan.between(stepsMin, stepsMax);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const { faultFree, atRestCorruption } = world.options;
    const tolerance = faultFree ? noErrors : diskErrors;
    this.#tolerate(atRestCorruption ? withCorruption(tolerance) : tolerance);
    world.startFaults(this.#machine);
    while (this.#stepsLeft > 0 && this.#openings < openingsMax && !this.#refused) {
      this.#openings++;
      const outcome = await this.#machine.run((env) => this.#session(env));
      if (outcome.kind === "failed") throw outcome.error;
      if (outcome.kind === "crashed") await this.#crashed();
    }
    world.stopFaults();
    if (this.#refused) return;
    this.#tolerate(atRestCorruption ? withCorruption(noErrors) : noErrors);
    const outcome = await this.#machine.run((env) => this.#finish(env));
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed") world.fail("liveness", "the node died without faults");
  }

  #tolerate(tolerance: typeof noErrors): void {
    this.#writes.tolerate(tolerance);
    this.#reads.tolerate(tolerance.reads);
  }

  async #crashed(): Promise<void> {
    this.#driver.crashed();
    this.#reads.reset();
    await this.#world.sleep(this.#dice.skewed(1, 2_000));
  }

  async #session(env: Env): Promise<void> {
    if (this.#dice.chance(1, 4)) await this.#openAndAbort(env);
    if (!(await this.#open(env))) {
      await pause(env, this.#dice.skewed(1_000, 1_000_000));
      return;
    }
    while (this.#stepsLeft > 0 && !this.#driver.poisoned) {
      this.#stepsLeft--;
      await this.#step(env);
      if (this.#dice.chance(1, 30)) break;
    }
    // A loop that has just ended may not have said so yet.
    await pause(env, 1);
    await this.#close(diskErrors.writes);
  }

  async #step(env: Env): Promise<void> {
    if (this.#dice.chance(2, 5)) await this.#writes.step(env);
    else await this.#reads.step(env);
  }

  /** Without faults: it opens, shows what it must, and takes a write. */
  async #finish(env: Env): Promise<void> {
    if (!(await this.#open(env))) {
      if (!this.#refused) this.#world.fail("liveness", "does not open without faults");
      return;
    }
    this.#reads.everything();
    await this.#close([]);
  }

  async #open(env: Env): Promise<boolean> {
    const error = await this.#driver.open(env);
    if (error === null) {
      this.#writes.opened();
      return true;
    }
    const { atRestCorruption, faultFree } = this.#world.options;
    if (error.code === "NOKV_CORRUPTION" && atRestCorruption) {
      this.#refused = true;
      return false;
    }
    const explained = error.code === "NOKV_IO" || error.code === "NOKV_NO_SPACE";
    if (faultFree || !explained) this.#world.fail("errors", `open: ${error.code} ${error.message}`);
    return false;
  }

  /** An opening that is aborted at any time leaves the directory free, whatever had come of it. */
  async #openAndAbort(env: Env): Promise<void> {
    const abort = new AbortController();
    const delayUs = this.#dice.skewed(1, 20_000);
    if (this.#dice.chance(1, 4)) abort.abort();
    else env.clock.after(delayUs, () => abort.abort());
    try {
      const db = await openDb(env, directory, this.#driver.plan.options, { signal: abort.signal });
      await db.close();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#world.story(`opening with a signal: ${error.code}`);
    }
  }

  async #close(explained: readonly string[]): Promise<void> {
    const { db } = this.#door;
    const { poisoned } = this.#driver;
    const held = this.#reads.held();
    const closing = this.#driver.close();
    // The second call tells of the same.
    const told = db.close().catch((error: unknown) => {
      if (!(error instanceof NokvError)) throw error;
      return null;
    });
    const error = await closing;
    const open = await told;
    if (open !== null && (open.iterators !== held.iterators || open.snapshots !== held.snapshots)) {
      this.#world.fail("leaks", `close told of ${JSON.stringify(open)}, there were ${JSON.stringify(held)}`);
    }
    this.#reads.closed();
    if (error !== null && !explained.includes(error.code)) {
      this.#world.fail("errors", `close: ${error.code} ${error.message}`);
    }
    if (!poisoned && this.#machine.disk.openFiles > 0) {
      this.#world.fail("leaks", `${this.#machine.disk.openFiles} files are open after close`);
    }
  }
}
