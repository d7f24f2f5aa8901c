import type { Env } from "../core/env/env.ts";
import type { ModelBatch, PrefixModel } from "../sim/checkers/prefix-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { DiskSnapshot } from "../sim/disk/disk-snapshot.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { imageText } from "./disk-image.ts";
import { checkDirectory } from "./engine-audit.ts";
import { EngineDriver } from "./engine-driver.ts";
import type { EnginePlan } from "./engine-plan.ts";
import { EngineReads } from "./engine-reads.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

const directory = "/db";
/** A workload of more env calls is shortened until it fits: each call costs several recoveries. */
const callsMax = 130;
/** Should a shortened workload still be longer: so many are tried, and the run says so. */
const crashPointsMax = 320;
/** Disk images that a power loss may leave of each crash point, besides the one that a process crash leaves. */
const powerImagesUsual = 2;
/** On one seed in so many as many as this, all that differ, of a shorter workload. */
const exhaustiveSeeds = 8;
const powerImagesExhaustive = 63;
const callsMaxExhaustive = 60;
/** And so many recoveries that die themselves. */
const recoveryCrashes = 2;

export const crashPoints: Scenario = {
  name: "crash-points",
  why: "Whatever the instant of a crash, the database must open by itself with a prefix of its writes.",
  weight: 1,
  run: (world) => new CrashPointsRun(world).run(),
};

type Step =
  | { readonly kind: "commit"; readonly batch: ModelBatch; readonly wait: boolean }
  | { readonly kind: "flush" }
  | { readonly kind: "compact" }
  /** Long enough for timers and syncs that nobody waits for. */
  | { readonly kind: "pause"; readonly delayUs: number }
  | { readonly kind: "outlast-interval" }
  | { readonly kind: "reopen" };

class CrashPointsRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #keyspace: Keyspace;
  readonly #plan: EnginePlan;
  #program: readonly Step[];
  readonly #powerImages: number;
  readonly #callsMax: number;
  #images = 0;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("node");
    this.#dice = world.dice("crash-points");
    const plan = world.dice("plan");
    this.#keyspace = new Keyspace(world.dice("keyspace"), plan.between(2, 6), plan.pick([8, 200, 800]));
    const options = drawEngineOptions(world, plan);
    this.#plan = {
      directory,
      options,
      acknowledgedIsDurable: options.durability === "sync",
      cacheIsKept: true,
      families: this.#keyspace.families,
    };
    this.#program = this.#draw(plan);
    const exhaustive = world.dice("exhaustive").chance(1, exhaustiveSeeds);
    this.#powerImages = exhaustive ? powerImagesExhaustive : powerImagesUsual;
    this.#callsMax = exhaustive ? callsMaxExhaustive : callsMax;
    const { shortRead, shortWrite } = world.options.disk.faults;
    if (!world.options.faultFree) Object.assign(this.#machine.disk.faults, { shortRead, shortWrite });
  }

  async run(): Promise<void> {
    await this.#shorten();
    let call = 0;
    while (call < crashPointsMax) {
      call++;
      const driver = new EngineDriver(this.#world, this.#plan);
      const crashed = await this.#runProgram(driver, call);
      if (!crashed) break;
      driver.crashed();
      await this.#judgeImages(driver, call);
    }
    this.#world.story(`${call - 1} crash points, ${this.#images} images`);
  }

  async #shorten(): Promise<void> {
    for (;;) {
      await this.#runProgram(new EngineDriver(this.#world, this.#plan), 0);
      const calls = this.#machine.callCount;
      if (calls <= this.#callsMax || this.#program.length === 1) break;
      const kept = Math.floor((this.#program.length * this.#callsMax) / calls);
      this.#program = this.#program.slice(0, Math.max(1, kept));
    }
    const steps = this.#program.map((step) => step.kind).join(" ");
    this.#world.story(`${steps}; ${JSON.stringify(this.#plan.options)}`);
  }

  #draw(plan: Dice): readonly Step[] {
    const steps: Step[] = [];
    for (let left = plan.between(4, 11); left > 0; left--) {
      const choice = plan.below(24);
      if (choice === 23) steps.push({ kind: "outlast-interval" });
      else if (choice >= 20) steps.push({ kind: "pause", delayUs: plan.skewed(10, 300_000) });
      else if (choice < 13) steps.push({ kind: "commit", batch: this.#batch(plan), wait: plan.chance(1, 2) });
      else if (choice < 17) steps.push({ kind: "flush" });
      else if (choice < 18) steps.push({ kind: "compact" });
      else steps.push({ kind: "reopen" });
    }
    return steps;
  }

  #batch(plan: Dice): ModelBatch {
    return Array.from({ length: plan.pick([1, 2, 5]) }, () => {
      if (plan.chance(1, 8)) return this.#keyspace.range();
      const value = plan.chance(1, 4) ? null : this.#keyspace.value();
      return { key: this.#keyspace.key(), value, expiresAtMs: 0 };
    });
  }

  /** Runs the program on an empty disk, up to the crash; 0: none. False: it came to its end before. */
  async #runProgram(driver: EngineDriver, call: number): Promise<boolean> {
    this.#machine.disk.wipe();
    this.#machine.boot();
    if (call > 0) this.#machine.crashAtCall(call, "process");
    const outcome = await this.#machine.run(async (env) => {
      await this.#open(driver, env);
      for (const step of this.#program) await this.#step(driver, env, step);
      await this.#close(driver);
    });
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed") return true;
    this.#machine.crash("process");
    return false;
  }

  async #step(driver: EngineDriver, env: Env, step: Step): Promise<void> {
    switch (step.kind) {
      case "commit":
        return this.#commit(driver, env, step.batch, step.wait);
      case "flush":
        return driver.secureAfter(driver.engine.flush(), (error) => this.#unexpected("flush", error));
      case "compact":
        return driver.secureAfter(driver.engine.compact(), (error) => this.#unexpected("compact", error));
      case "pause":
        return pause(env, step.delayUs);
      case "outlast-interval":
        return driver.outlastInterval(env);
      case "reopen":
        await this.#close(driver);
        return this.#open(driver, env);
    }
  }

  async #commit(driver: EngineDriver, env: Env, batch: ModelBatch, wait: boolean): Promise<void> {
    for (;;) {
      let told: (() => void) | null = null;
      const settled = new Promise<void>((resolve) => {
        told = resolve;
      });
      const error = driver.commit(batch, (later) => {
        if (later !== null) this.#unexpected("commit", later);
        told?.();
      });
      if (error === null) {
        if (wait) await settled;
        return;
      }
      if (error.code !== "NOKV_BUSY") this.#unexpected("commit", error);
      await pause(env, 200);
    }
  }

  async #open(driver: EngineDriver, env: Env): Promise<void> {
    const error = await driver.open(env);
    if (error !== null) this.#unexpected("open", error);
  }

  async #close(driver: EngineDriver): Promise<void> {
    const error = await driver.close();
    if (error !== null) this.#unexpected("close", error);
    const { openFiles } = this.#machine.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after close`);
  }

  /** Nothing but crashes happens here, so nothing may fail. */
  #unexpected(what: string, error: Error): never {
    this.#world.fail("recovery", `${what}: ${error.message}`);
  }

  /** What the page cache holds, and what a power loss leaves of it, several times over. */
  async #judgeImages(driver: EngineDriver, call: number): Promise<void> {
    const { disk } = this.#machine;
    const crashed = disk.snapshot();
    await this.#judge(driver, driver.model.clone(), `call ${call}, process crash`);
    const seen = new Set<string>();
    for (let variant = 1; variant <= this.#powerImages; variant++) {
      disk.restore(crashed);
      disk.powerLoss(variant);
      // What was all durable leaves one image only.
      const image = imageText(disk);
      if (seen.has(image)) continue;
      seen.add(image);
      const where = `call ${call}, power loss ${variant}`;
      await this.#judge(driver, this.#afterPowerLoss(driver.model), where);
    }
    for (let left = recoveryCrashes; left > 0; left--) await this.#crashRecovery(driver, crashed, call);
  }

  /** The recovery dies as well, at a call of its own, and power fails on top of it. */
  async #crashRecovery(driver: EngineDriver, crashed: DiskSnapshot, call: number): Promise<void> {
    const { disk } = this.#machine;
    const first = this.#dice.below(2);
    const second = this.#dice.below(2);
    const at = this.#dice.skewed(1, 120);
    disk.restore(crashed);
    if (first === 1) disk.powerLoss(this.#powerImages + 1);
    const model = first === 1 ? this.#afterPowerLoss(driver.model) : driver.model.clone();
    const again = this.#driverOf(driver, model);
    this.#machine.boot();
    this.#machine.crashAtCall(at, "process");
    const outcome = await this.#machine.run(async (env) => {
      await this.#open(again, env);
      await this.#close(again);
    });
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed") again.crashed();
    else this.#machine.crash("process");
    if (second === 1) disk.powerLoss(this.#powerImages + 2);
    const left = second === 1 ? this.#afterPowerLoss(again.model) : again.model;
    const where = `call ${call}, then call ${at} of its recovery, power lost ${first + second} times`;
    await this.#judge(driver, left, where);
  }

  #afterPowerLoss(model: PrefixModel): PrefixModel {
    const after = model.clone();
    after.crash(this.#plan.acknowledgedIsDurable ? "acknowledged" : "secured");
    return after;
  }

  #driverOf(driver: EngineDriver, model: PrefixModel): EngineDriver {
    const other = new EngineDriver(this.#world, this.#plan, driver.readings);
    other.model = model;
    return other;
  }

  /** The disk as it is now must open and be right; of some images also take a write, and open again as it was. */
  async #judge(origin: EngineDriver, model: PrefixModel, where: string): Promise<void> {
    this.#images++;
    const driver = this.#driverOf(origin, model);
    const reads = new EngineReads(driver, this.#keyspace, this.#dice);
    const outcome = await this.#machine.run(async (env) => {
      driver.context = where;
      await this.#open(driver, env);
      reads.everything();
      if (!this.#dice.chance(1, 3)) return this.#close(driver);
      const key = this.#keyspace.key();
      await this.#commit(driver, env, [{ key, value: this.#keyspace.value(), expiresAtMs: 0 }], true);
      await this.#close(driver);
      await this.#open(driver, env);
      await checkDirectory(driver, env);
      await this.#close(driver);
    });
    if (outcome.kind !== "done") this.#world.fail("recovery", `${where}: ${outcome.kind}`);
    this.#machine.crash("process");
  }
}
