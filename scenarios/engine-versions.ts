import type { Env } from "../core/env/env.ts";
import { type Engine, openEngine } from "../core/engine/engine.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { NokvError } from "../core/errors.ts";
import { type ModelEntry, VersionedModel } from "../sim/checkers/versioned-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { damageIn, verifyAtRest } from "./engine-verify.ts";
import { pause } from "./recording-clock.ts";
import { VersionsLook } from "./versions-look.ts";
import { type Replacing, VersionsMoves } from "./versions-moves.ts";
import { batchOf, drawVersionsOptions, VersionedWrites } from "./versions-plan.ts";

const directory = "/db";
const openingsMax = 40;
const fillMax = 60;
const patienceUs = 120_000_000;
/** What a disk may refuse. */
const diskErrors: readonly string[] = ["NOKV_IO", "NOKV_NO_SPACE", "NOKV_POISONED", "NOKV_UNDETERMINED"];

export const engineVersions: Scenario = {
  name: "engine-versions",
  why: "A replica reads what it applied at once, and after a crash has a prefix of it with all that was told durable.",
  weight: 2,
  run: (world) => new EngineVersionsRun(world).run(),
};

/** What was recovered, and how many of the unsure batches are in it. */
interface Match {
  readonly model: VersionedModel;
  readonly count: number;
}

class EngineVersionsRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #options: Partial<EngineOptions>;
  readonly #writes: VersionedWrites;
  readonly #look: VersionsLook;
  readonly #moves: VersionsMoves;
  #stepsLeft: number;
  /** What is there after a crash at the least, and what was applied since, in order. */
  #durable = new VersionedModel();
  #unsure: (readonly ModelEntry[])[] = [];
  /** Of all applied since the beginning, so many are in `#durable`. */
  #durableCount = 0;
  /** All that was applied. */
  #newest = new VersionedModel();
  #safePoint = 0;
  #highestVersion = 0;
  #session = 0;
  #poisoned = false;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("store");
    this.#dice = world.dice("steps");
    const plan = world.dice("plan");
    this.#options = drawVersionsOptions(world, plan);
    const valueBytesMax = plan.pick([12, 100, 700]);
    this.#writes = new VersionedWrites(world.dice("writes"), plan.between(2, 16), valueBytesMax);
    this.#moves = new VersionsMoves(
      {
        world,
        machine: this.#machine,
        writes: this.#writes,
        appliedCount: () => this.#durableCount + this.#unsure.length,
        nextVersion: (engine) => this.#nextVersion(engine),
        explain: (what, error) => this.#explain(what, error),
        replaced: (engine, replacing) => this.#replaced(engine, replacing),
      },
      world.dice("moves"),
    );
    const isBusy = (family: number, key: string): boolean => this.#moves.isBusy(family, key);
    this.#look = new VersionsLook({ world, writes: this.#writes, isBusy }, world.dice("looks"));
    this.#stepsLeft = plan.between(40, 300);
    world.mayCorrupt(this.#machine, () => false);
    world.story(`${this.#stepsLeft} steps, ${JSON.stringify(this.#options)}`);
  }

  async run(): Promise<void> {
    const world = this.#world;
    if (world.dice("other").chance(1, 3)) {
      const prepared = await this.#machine.run((env) => this.#moves.prepare(env));
      if (prepared.kind !== "done") world.fail("liveness", "another store could not be made without faults");
    }
    world.startFaults(this.#machine);
    for (let openings = 0; this.#stepsLeft > 0 && openings < openingsMax; openings++) {
      const outcome = await this.#machine.run((env) => this.#life(env));
      if (outcome.kind === "failed") throw outcome.error;
      this.#session++;
      if (outcome.kind === "crashed") await world.sleep(this.#dice.skewed(1, 500));
    }
    world.stopFaults();
    const deadlineUs = world.nowUs + patienceUs;
    const outcome = await this.#machine.run((env) => this.#finish(env, deadlineUs));
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "crashed") world.fail("liveness", "the store died without faults");
    if (world.nowUs > deadlineUs) world.fail("liveness", "recovery took too long");
  }

  async #life(env: Env): Promise<void> {
    const engine = await this.#open(env);
    if (engine === null) return pause(env, this.#dice.skewed(1_000, 100_000));
    while (this.#stepsLeft > 0 && !this.#poisoned) {
      this.#stepsLeft--;
      await this.#step(env, engine);
      if (this.#dice.chance(1, 50)) break;
    }
    await this.#close(engine);
    if (this.#dice.chance(1, 4)) this.#machine.crash("power");
  }

  // oxlint-disable-next-line complexity
  async #step(env: Env, engine: Engine): Promise<void> {
    const dice = this.#dice;
    const choice = dice.below(44);
    if (choice < 16) return this.#apply(engine);
    if (choice < 18) {
      for (let i = dice.between(3, 12); i > 0; i--) this.#apply(engine);
      return;
    }
    if (choice < 24) return void this.#judge(() => this.#look.read(engine, this.#newest, this.#safePoint));
    if (choice < 28) return void this.#judge(() => this.#look.scan(engine, this.#newest, this.#safePoint));
    if (choice < 31) return this.#whenDurable(engine);
    if (choice < 32) return this.#advance(engine);
    if (choice < 34) return this.#work(env, engine.flush());
    if (choice < 35) return this.#work(env, engine.compact());
    if (choice < 36) return void this.#judge(() => this.#look.everything(engine, this.#newest, this.#safePoint));
    if (choice < 38) return this.#moves.exportAt(engine, this.#newest);
    if (choice < 40) return this.#moves.replace(engine);
    return pause(env, dice.skewed(1, dice.pick([100, 10_000, 1_000_000])));
  }

  /** Without faults: it opens, finds room, forgets what nobody reads, and is the same when it is opened again. */
  async #finish(env: Env, deadlineUs: number): Promise<void> {
    const world = this.#world;
    const engine = await this.#openSurely(env);
    await this.#findRoom(env, engine, deadlineUs);
    this.#fill(engine);
    await this.#findRoom(env, engine, deadlineUs);
    this.#apply(engine);
    const confirmed = this.#whenDurable(engine);
    while (this.#unsure.length > 0) {
      if (world.nowUs > deadlineUs) world.fail("liveness", "what was applied does not become durable");
      await pause(env, 10_000);
    }
    await confirmed;
    this.#advance(engine);
    await engine.compact();
    this.#judge(() => this.#look.everything(engine, this.#newest, this.#safePoint));
    const { entries } = engine.stats();
    const least = this.#newest.leastCount(this.#safePoint);
    if (entries > least) world.fail("space", `${entries} records, of which ${entries - least} are read by nobody`);
    await this.#close(engine);
    const report = await verifyAtRest(env, world, directory);
    const damage = report === null ? "it can not be read" : damageIn(report);
    if (damage !== null) world.fail("verify", `sound, and called damaged: ${damage}`);
    await this.#close(await this.#openSurely(env));
  }

  async #findRoom(env: Env, engine: Engine, deadlineUs: number): Promise<void> {
    while (!engine.hasRoom(1)) {
      let told = false;
      engine.whenRoom(() => {
        told = true;
      });
      while (!told) {
        if (this.#world.nowUs > deadlineUs) this.#world.fail("liveness", "nobody is told of room");
        await pause(env, 10_000);
      }
      if (this.#world.nowUs > deadlineUs) this.#world.fail("liveness", "no room without faults");
    }
  }

  /** Faster than anything can be flushed. */
  #fill(engine: Engine): void {
    for (let i = 0; i < fillMax && engine.hasRoom(1); i++) this.#apply(engine);
  }

  async #openSurely(env: Env): Promise<Engine> {
    const engine = await this.#open(env);
    if (engine !== null) return engine;
    this.#world.fail("liveness", "does not open without faults");
  }

  async #open(env: Env): Promise<Engine | null> {
    this.#poisoned = false;
    this.#session++;
    let engine: Engine;
    try {
      engine = await openEngine(env, directory, this.#options);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#explain("open", error);
      return null;
    }
    const isJudged = this.#judge(() => this.#recovered(engine));
    if (isJudged) {
      engine.onPoisoned(() => {
        this.#poisoned = true;
      });
      return engine;
    }
    // What is there nobody knows, so what is durable neither.
    this.#poisoned = true;
    await this.#close(engine);
    return null;
  }

  /**
   * What was recovered is what was durable, and a prefix of what was not; now it is durable. A replacement that was
   * under way has happened, whole, or not.
   */
  #recovered(engine: Engine): void {
    const { replacing } = this.#moves;
    this.#moves.forget();
    const found =
      this.#match(engine, null) ??
      (replacing === null ? null : this.#match(engine, replacing)) ??
      this.#world.fail("prefix", this.#difference(engine));
    this.#durableCount += found.count;
    this.#durable = found.model;
    this.#newest = found.model.clone();
    this.#unsure = [];
    this.#highestVersion = this.#look.highestVersion(engine);
    // Whoever advanced it does so again, sooner or later.
    if (this.#dice.chance(1, 2)) engine.advanceSafePoint(this.#safePoint);
  }

  /** So many of the unsure batches make what is there; null: however many, they do not. */
  #match(engine: Engine, replacing: Replacing | null): Match | null {
    const model = this.#durable.clone();
    let count = 0;
    if (replacing !== null) {
      // What was applied before it is in tables when it happens.
      while (this.#durableCount + count < replacing.after) model.apply(this.#unsure[count++] ?? []);
      model.replace(replacing);
    }
    while (this.#look.problem(engine, model, this.#safePoint) !== null) {
      const next = this.#unsure[count];
      if (next === undefined) return null;
      model.apply(next);
      count++;
    }
    return { model, count };
  }

  #difference(engine: Engine): string {
    const durable = this.#look.problem(engine, this.#durable, this.#safePoint);
    const newest = this.#look.problem(engine, this.#newest, this.#safePoint);
    return `neither what was durable (${durable}) nor anything later (at the end: ${newest})`;
  }

  #replaced(engine: Engine, replacing: Replacing): void {
    this.#confirm(replacing.after);
    this.#durable.replace(replacing);
    this.#newest.replace(replacing);
    this.#judge(() => {
      this.#highestVersion = Math.max(this.#highestVersion, this.#look.highestVersion(engine));
    });
  }

  #nextVersion(engine: Engine): number {
    const version = engine.nextVersion();
    if (version <= this.#highestVersion) {
      this.#world.fail("versions", `version ${version} after ${this.#highestVersion}`);
    }
    this.#highestVersion = version;
    return version;
  }

  #apply(engine: Engine): void {
    const entries = this.#writes.draw(this.#newest, () => this.#nextVersion(engine), ({ family, key }) => {
      return this.#moves.isBusy(family, key);
    });
    if (entries.length === 0) return;
    const batch = batchOf(entries);
    const room = engine.hasRoom(batch.byteLength);
    if (!room && this.#dice.chance(3, 4)) return;
    // Before the call: if the node dies inside it, the batch may have been taken.
    this.#unsure.push(entries);
    try {
      engine.apply(batch);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#unsure.pop();
      const held = error.code === "NOKV_BUSY" || error.code === "NOKV_NO_SPACE";
      if (room && held) this.#world.fail("room", `there was room, and then: ${error.message}`);
      if (!held) this.#explain("apply", error);
      return;
    }
    this.#newest.apply(entries);
    for (const { version } of entries) this.#highestVersion = Math.max(this.#highestVersion, version);
    if (this.#dice.chance(1, 3)) this.#judge(() => this.#look.justApplied(engine, entries));
  }

  #whenDurable(engine: Engine): Promise<void> {
    const session = this.#session;
    const count = this.#durableCount + this.#unsure.length;
    return new Promise((resolve) => {
      engine.whenDurable(engine.pendingVersion, (error) => {
        resolve();
        if (session !== this.#session) return;
        if (error === null) this.#confirm(count);
        else this.#explain("whenDurable", error);
      });
      // Not waited for in the middle of a run: other steps go on.
      if (this.#dice.chance(2, 3)) resolve();
    });
  }

  /** So many batches since the beginning survive whatever comes. */
  #confirm(count: number): void {
    while (this.#durableCount < count) {
      const entries = this.#unsure.shift();
      if (entries === undefined) this.#world.fail("prefix", "more is durable than was applied");
      this.#durable.apply(entries);
      this.#durableCount++;
    }
  }

  #advance(engine: Engine): void {
    this.#safePoint = this.#writes.safePoint(this.#safePoint);
    engine.advanceSafePoint(this.#safePoint);
  }

  /** A flush, or more: what was applied before it is durable after it. */
  async #work(env: Env, work: Promise<void>): Promise<void> {
    const session = this.#session;
    const count = this.#durableCount + this.#unsure.length;
    let over = false;
    void work.then(
      () => {
        over = true;
        if (session === this.#session) this.#confirm(count);
      },
      (error: unknown) => {
        over = true;
        if (!(error instanceof NokvError)) throw error;
        if (session === this.#session) this.#explain("flush", error);
      },
    );
    for (let i = this.#dice.below(6); i > 0 && !over; i--) await pause(env, 1_000);
  }

  async #close(engine: Engine): Promise<void> {
    const count = this.#durableCount + this.#unsure.length;
    const poisoned = this.#poisoned;
    try {
      await engine.close();
      if (!poisoned) this.#confirm(count);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#explain("close", error);
    }
    this.#session++;
    const { openFiles } = this.#machine.disk;
    if (openFiles > 0) this.#world.fail("leaks", `${openFiles} files are open after close`);
  }

  /** False: the disk refused. */
  #judge(look: () => void): boolean {
    try {
      look();
      return true;
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#explain("read", error);
      return false;
    }
  }

  #explain(what: string, error: NokvError): void {
    // What was asked for is answered when the engine closes, too.
    if (error.code === "NOKV_CLOSED" && what !== "close") return;
    const explained = diskErrors.includes(error.code) && !this.#world.options.faultFree;
    if (!explained) this.#world.fail("errors", `${what}: ${error.code} ${error.message}`);
  }
}
