import type { Env } from "../core/env/env.ts";
import { syncDirectory } from "../core/engine/directory.ts";
import { modeName } from "../core/engine/file-names.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { openReadOnlyEngine } from "../core/engine/read-only.ts";
import { NokvError } from "../core/errors.ts";
import {
  initAfterCatalog,
  initAfterCheck,
  initAfterGate,
  initAfterMode,
  initAfterRaftSeed,
  initAfterSeededGate,
  initBeforeMode,
  rollbackAfterCatalog,
  rollbackAfterGate,
  rollbackAfterMode,
  rollbackAfterRaftLog,
} from "../failpoints/catalog.ts";
import type { Failpoint } from "../failpoints/failpoints.ts";
import { type InitOrder, initSeed } from "../node/migrate/init.ts";
import { lookAt } from "../node/migrate/look.ts";
import { readMigrationRecord } from "../node/migrate/migration-record.ts";
import { rollbackSeed } from "../node/migrate/rollback.ts";
import type { Dice } from "../sim/dice.ts";
import type { DiskSnapshot } from "../sim/disk/disk-snapshot.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { judgeOpening, judgeSeed, judgeTuple } from "./migrate-init-judge.ts";
import { serveSeed } from "./migrate-init-serve.ts";
import { MigrateInitWriter } from "./migrate-init-writer.ts";

const directory = "/db";
const silent = { step: () => {}, progress: () => {} };
/** Crash points of one seed; the exhaustive test takes all. */
const pointsUsual = 3;
const powerImages = 2;
const initArrows = [
  initBeforeMode, initAfterMode, initAfterGate, initAfterCatalog, initAfterRaftSeed, initAfterCheck,
  initAfterSeededGate,
];
const rollbackArrows = [rollbackAfterMode, rollbackAfterCatalog, rollbackAfterRaftLog, rollbackAfterGate];

export const migrateInit: Scenario = {
  name: "migrate-init",
  why: "A directory becomes a seed or stays a database, whatever call ends that, and is served with every key.",
  weight: 1,
  run: async (world) => {
    await new MigrateInitRun(world, pointsUsual).run();
  },
};

/** How whoever comes after a crash goes on. */
const endings = [
  "same", "recorded", "others-first", "rollback", "crash-again", "rollback-crash", "mode-lost",
] as const;
type Ending = (typeof endings)[number];

export interface MigrateInitCounts {
  readonly calls: number;
  readonly points: number;
  readonly images: number;
}

export class MigrateInitRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #options: Partial<EngineOptions>;
  readonly #order: InitOrder;
  readonly #pointsMax: number;
  readonly #writer: MigrateInitWriter;
  #images = 0;
  #where = "";

  constructor(world: World, pointsMax: number) {
    this.#world = world;
    this.#machine = world.machine("store-1");
    this.#pointsMax = pointsMax;
    this.#dice = world.dice("migrate-init");
    const plan = world.dice("plan");
    this.#options = { ...drawEngineOptions(world, plan), createIfMissing: true };
    const regions = plan.pick([1, 1, 2, 4]);
    this.#order = { directory, clusterId: "migrated", storeId: 1, regions, checkpoint: null, engine: this.#options };
    this.#writer = new MigrateInitWriter(directory, this.#options, world.dice("writes"), plan.pick([6, 30, 60]));
  }

  async run(): Promise<MigrateInitCounts> {
    const plan = this.#world.dice("course");
    // A clock that was ahead: what is written then is younger than the Coordinator's present.
    if (plan.chance(1, 2)) this.#machine.clock.jumpWall(plan.pick([2_000, 3_600_000]));
    await this.#must((env) => this.#writer.fill(env, plan.between(10, 60)));
    const filled = this.#machine.disk.snapshot();
    // Set right before the migration: its present is then within the last millisecond that was written.
    if (plan.chance(1, 2)) this.#machine.clock.setWall(this.#world.nowUs, 0);
    await this.#must((env) => this.#init(env));
    const calls = this.#machine.callCount;
    const seeded = this.#machine.disk.snapshot();
    const points = this.#points(calls);
    for (const point of points) await this.#crashAt(filled, point);
    this.#world.story(`${calls} calls of init, ${points.length} crash points, ${this.#images} images`);
    if (plan.chance(1, 3)) {
      this.#machine.disk.restore(seeded);
      this.#machine.clock.setWall(this.#world.nowUs, 0);
      await serveSeed(this.#world, this.#machine, { directory, written: this.#writer.written, dice: plan });
    }
    return { calls, points: points.length, images: this.#images };
  }

  #points(calls: number): readonly number[] {
    if (this.#pointsMax >= calls) return Array.from({ length: calls }, (_, i) => i + 1);
    const drawn = Array.from({ length: this.#pointsMax }, () => this.#dice.between(1, calls));
    return [...new Set(drawn)].toSorted((a, b) => a - b);
  }

  async #init(env: Env, order: Partial<InitOrder> = {}): Promise<void> {
    await initSeed(env, { ...this.#order, ...order }, silent);
  }

  /** Every process that is to come to its end does. */
  async #must<T>(work: (env: Env) => Promise<T>): Promise<T> {
    const outcome = await this.#machine.run(work);
    if (outcome.kind === "failed") {
      const { error } = outcome;
      if (error instanceof NokvError) this.#world.fail("migration", `${this.#where}: ${error.code}: ${error.message}`);
      throw error;
    }
    if (outcome.kind === "crashed") this.#world.fail("migration", `${this.#where}: it ended by itself`);
    else {
      this.#machine.crash("process");
      return outcome.value;
    }
  }

  /** Inside call `end`, or at that failpoint. True: it came to its end before. */
  async #until(end: number | Failpoint, work: (env: Env) => Promise<unknown>): Promise<boolean> {
    this.#machine.boot();
    if (typeof end === "number") this.#machine.crashAtCall(end, "process");
    else this.#machine.failpoints.arm(end, { kind: "crash", percent: 100, count: 1 });
    const outcome = await this.#machine.run(work);
    if (outcome.kind === "crashed") return false;
    if (outcome.kind === "failed") {
      const { error } = outcome;
      if (error instanceof NokvError) this.#world.fail("migration", `${this.#where}: ${error.code}: ${error.message}`);
      throw error;
    }
    this.#machine.crash("process");
    return true;
  }

  async #crashAt(filled: DiskSnapshot, point: number): Promise<void> {
    const { disk } = this.#machine;
    disk.restore(filled);
    this.#where = `init, call ${point}`;
    await this.#until(point, (env) => this.#init(env));
    const crashed = disk.snapshot();
    for (let image = 0; image <= powerImages; image++) {
      disk.restore(crashed);
      if (image > 0) disk.powerLoss(image);
      this.#images++;
      const ending = this.#dice.pick(endings);
      this.#where = `init crashed at call ${point}, ${image === 0 ? "process" : `power loss ${image}`}, then ${ending}`;
      await this.#goOn(ending);
    }
  }

  async #goOn(ending: Ending): Promise<void> {
    const world = this.#world;
    const look = await this.#must((env) => judgeTuple(world, env, directory, this.#where));
    const isStandalone = look.state === "standalone";
    if (!isStandalone || this.#dice.chance(1, 2)) {
      await this.#must((env) => judgeOpening(world, env, directory, look, this.#where));
    }
    await this.#end(ending, look.mode !== null);
    if (ending === "rollback" || ending === "rollback-crash") {
      const after = await this.#must((env) => judgeTuple(world, env, directory, this.#where));
      if (after.state !== "standalone") world.fail("legal-mode", `${this.#where}: it is ${after.state} afterwards`);
      await this.#must((env) => judgeOpening(world, env, directory, after, this.#where));
      await this.#must((env) => this.#init(env));
    }
    const after = await this.#must((env) => judgeTuple(world, env, directory, this.#where));
    if (after.state !== "seeded") world.fail("legal-mode", `${this.#where}: it is ${after.state} in the end`);
    await this.#must((env) => judgeSeed(world, env, directory, this.#writer.written, this.#where));
  }

  async #end(ending: Ending, hasBegun: boolean): Promise<void> {
    const call = this.#dice.between(1, 160);
    const arrows = ending === "crash-again" ? initArrows : rollbackArrows;
    const end = this.#dice.chance(1, 2) ? call : this.#dice.pick(arrows);
    const where = `${this.#where} at ${typeof end === "number" ? `call ${end}` : end.name}`;
    switch (ending) {
      case "same":
        return this.#must((env) => this.#init(env));
      case "recorded":
        return this.#must((env) => this.#init(env, hasBegun ? { clusterId: null, storeId: null, regions: null } : {}));
      case "others-first":
        if (hasBegun) await this.#must((env) => this.#refusesOthers(env));
        return this.#must((env) => this.#init(env));
      case "mode-lost":
        if (hasBegun) await this.#loseMode();
        return this.#must((env) => this.#init(env));
      case "crash-again":
        if (await this.#until(end, (env) => this.#init(env))) return;
        await this.#must((env) => judgeTuple(this.#world, env, directory, where));
        return this.#must((env) => this.#init(env));
      case "rollback":
        await this.#must((env) => this.#rollback(env));
        return;
      case "rollback-crash":
        if (await this.#until(end, (env) => this.#rollback(env))) return;
        if (this.#dice.chance(1, 2)) this.#machine.crash("power");
        await this.#must((env) => judgeTuple(this.#world, env, directory, where));
        await this.#must((env) => this.#rollback(env));
    }
  }

  /** The gate keeps everybody away; a migration finds in the database what MODE said, unless nothing was done yet. */
  async #loseMode(): Promise<void> {
    const look = await this.#must(async (env) => {
      env.disk.remove(`${directory}/${modeName}`);
      await syncDirectory(env, directory);
      const left = lookAt(env, directory);
      await judgeOpening(this.#world, env, directory, left, this.#where);
      return left;
    });
    if (look.gate.mode !== "preparing") return;
    const isRecorded = await this.#must(async (env) => {
      const { engine } = await openReadOnlyEngine(env, directory);
      const record = readMigrationRecord(engine);
      await engine.close();
      return record !== null;
    });
    if (!isRecorded) await this.#must((env) => this.#rollback(env));
  }

  #rollback(env: Env): Promise<boolean> {
    return rollbackSeed(env, { directory, engine: this.#options }, () => {});
  }

  /** What was begun for one store is not finished for another. */
  async #refusesOthers(env: Env): Promise<void> {
    const other = this.#dice.pick([{ storeId: 2 }, { clusterId: "other" }, { clusterId: "other", storeId: 7 }]);
    try {
      await this.#init(env, other);
    } catch (error) {
      if (error instanceof NokvError && error.code === "NOKV_INVALID_ARGUMENT") return;
      throw error;
    }
    this.#world.fail("migration", `${this.#where}: init went on for ${JSON.stringify(other)}`);
  }
}
