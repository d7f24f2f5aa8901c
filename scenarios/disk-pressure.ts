import type { Env } from "../core/env/env.ts";
import type { NokvError } from "../core/errors.ts";
import type { Dice } from "../sim/dice.ts";
import type { DiskFaults } from "../sim/disk/disk-faults.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { checkDirectory } from "./engine-audit.ts";
import { EngineDriver } from "./engine-driver.ts";
import { drawEngineOptions, drawWriteLimit } from "./engine-sizes.ts";
import type { Tolerance } from "./engine-workload.ts";
import { EngineWorkload, diskErrors, noErrors } from "./engine-workload.ts";
import { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

const directory = "/db";
/** After a disk works again, so do writes, within this. */
const reliefMsMax = 180_000;

export const diskPressure: Scenario = {
  name: "disk-pressure",
  why: "A disk that is full, failing or slow must cost no acknowledged write and no right answer, and heal by itself.",
  weight: 2,
  run: (world) => new DiskPressureRun(world).run(),
};

interface Pressure {
  readonly name: string;
  readonly faults: Partial<DiskFaults>;
  readonly tolerance: Tolerance;
}

/** Writes may fail in any way that says so; reads have nothing to do with it. */
const readsGoOn: Tolerance = { ...diskErrors, reads: [] };

class DiskPressureRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #driver: EngineDriver;
  readonly #workload: EngineWorkload;
  readonly #calm: Readonly<DiskFaults>;
  #rounds: number;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("node");
    const plan = world.dice("plan");
    this.#dice = world.dice("pressure");
    const keyspace = new Keyspace(world.dice("keyspace"), plan.between(2, 16), plan.pick([12, 300, 2_000]));
    const options = { ...drawEngineOptions(world, plan), ...drawWriteLimit(world.dice("write-limit")) };
    const sync = options.durability === "sync";
    this.#driver = new EngineDriver(world, {
      directory,
      options,
      acknowledgedIsDurable: sync,
      cacheIsKept: sync,
      families: keyspace.families,
    });
    this.#workload = new EngineWorkload(this.#driver, keyspace, world.dice("steps"));
    this.#calm = { ...this.#machine.disk.faults };
    this.#rounds = plan.between(1, 5);
    world.story(`${this.#rounds} rounds, ${JSON.stringify(options)}`);
  }

  async run(): Promise<void> {
    await this.#turn((env) => this.#reopen(env));
    while (this.#rounds > 0) {
      this.#rounds--;
      const pressure = this.#draw();
      this.#world.story(`pressure: ${pressure.name} ${JSON.stringify(pressure.faults)}`);
      await this.#turn((env) => this.#suffer(env, pressure));
      if (this.#dice.chance(1, 3)) await this.#crash();
      await this.#turn((env) => this.#recover(env));
    }
    await this.#turn((env) => this.#finish(env));
  }

  async #turn(work: (env: Env) => Promise<void>): Promise<void> {
    const outcome = await this.#machine.run(work);
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed") this.#world.fail("liveness", "the node died without a crash");
  }

  #draw(): Pressure {
    const dice = this.#dice;
    if (this.#world.options.faultFree) return { name: "none", faults: {}, tolerance: noErrors };
    const rate = dice.pick([1_000, 20_000, 200_000, 1_000_000]);
    const left = dice.skewed(1, 20_000) - 1;
    const quotaBytes = this.#machine.disk.usedBytes + left;
    const personality = dice.pick(["ext4", "btrfs"] as const);
    return dice.pick<Pressure>([
      { name: "full", faults: { quotaBytes }, tolerance: readsGoOn },
      { name: "full at times", faults: { enospc: rate }, tolerance: readsGoOn },
      { name: "failing writes", faults: { eioWrite: rate, eioSticky: 200_000 }, tolerance: readsGoOn },
      { name: "failing syncs", faults: { syncFailed: rate, personality }, tolerance: readsGoOn },
      { name: "failing reads", faults: { eioRead: rate }, tolerance: diskErrors },
      { name: "failing names", faults: { eioMetadata: rate }, tolerance: diskErrors },
      { name: "few handles", faults: { openFilesMax: this.#machine.disk.openFiles }, tolerance: diskErrors },
      { name: "slow", faults: { slow: rate, stall: rate }, tolerance: noErrors },
      { name: "short", faults: { shortRead: rate, shortWrite: rate }, tolerance: noErrors },
      { name: "flips on read", faults: { flipOnRead: rate / 10, misdirectedRead: rate / 10 }, tolerance: noErrors },
    ]);
  }

  async #suffer(env: Env, pressure: Pressure): Promise<void> {
    Object.assign(this.#machine.disk.faults, pressure.faults);
    this.#workload.tolerate(pressure.tolerance);
    for (let i = this.#dice.between(5, 40); i > 0; i--) await this.#workload.step(env);
  }

  async #crash(): Promise<void> {
    this.#machine.crash(this.#dice.pick(["process", "power"] as const));
    this.#driver.crashed();
    this.#workload.reads.reset();
    await this.#world.sleep(this.#dice.skewed(1, 1_000));
  }

  #relieve(): void {
    const { disk } = this.#machine;
    Object.assign(disk.faults, this.#calm);
    disk.heal();
  }

  /** The disk works again. Without reopening, unless the engine said that it takes no more writes. */
  async #recover(env: Env): Promise<void> {
    // Half of the time the engine is closed, or opened, while the disk still fails.
    if (this.#dice.chance(1, 2)) await this.#reopenUnderPressure(env);
    this.#relieve();
    const deadlineUs = this.#world.nowUs + reliefMsMax * 1_000;
    // Completions of what failed before the relief are on their way.
    await pause(env, 20_000_000);
    if (!this.#driver.isOpen) await this.#reopen(env);
    if (this.#driver.poisoned) {
      this.#workload.reads.everything();
      await this.#close(true);
      await this.#reopen(env);
    }
    this.#workload.tolerate(noErrors);
    this.#workload.reads.everything();
    const answer = await this.#workload.probe(env, deadlineUs);
    if (answer !== null) {
      this.#world.fail("liveness", `the disk works, writes do not: ${answer.code} ${answer.message}`);
    }
    const unflushed = await this.#workload.probeFlush(env, deadlineUs);
    if (unflushed !== null) this.#world.fail("liveness", `the disk works, flushes do not: ${unflushed}`);
    this.#workload.reads.everything();
  }

  async #reopenUnderPressure(env: Env): Promise<void> {
    if (this.#driver.isOpen) await this.#close(true);
    const error = await this.#driver.open(env);
    if (error !== null) this.#explain("open", error);
  }

  async #reopen(env: Env): Promise<void> {
    const error = await this.#driver.open(env);
    if (error !== null) this.#world.fail("liveness", `open: ${error.code} ${error.message}`);
    this.#workload.reads.everything();
  }

  async #close(mayFail: boolean): Promise<void> {
    this.#workload.reads.releaseAll();
    const error = await this.#driver.close();
    if (error !== null && !mayFail) this.#explain("close", error);
    const { openFiles } = this.#machine.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after close`);
  }

  #explain(what: string, error: NokvError): void {
    const explained = ["NOKV_IO", "NOKV_NO_SPACE"].includes(error.code);
    if (this.#world.options.faultFree || !explained) {
      this.#world.fail("errors", `${what}: ${error.code} ${error.message}`);
    }
    const { openFiles } = this.#machine.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after a failed ${what}`);
  }

  async #finish(env: Env): Promise<void> {
    await this.#close(false);
    await this.#reopen(env);
    await checkDirectory(this.#driver, env);
    await this.#close(false);
  }
}
