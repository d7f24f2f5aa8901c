import type { EngineOptions } from "../core/engine/options.ts";
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
import type { Dice } from "../sim/dice.ts";
import type { DiskSnapshot } from "../sim/disk/disk-snapshot.ts";
import type { Machine } from "../sim/machine.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { World } from "../sim/world.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { MigrateInitActs, asRecorded } from "./migrate-init-acts.ts";
import { judgeOpening, judgeSeed, judgeTuple } from "./migrate-init-judge.ts";
import { serveSeed } from "./migrate-init-serve.ts";
import { MigrateInitWriter } from "./migrate-init-writer.ts";

const directory = "/db";
/** Crash points of one seed; `nokv walk init` takes all. */
const pointsMax = 3;
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
    await new MigrateInitRun(world).run();
  },
};

/** How whoever comes after a crash goes on. */
const endings = [
  "same", "recorded", "others-first", "rollback", "crash-again", "rollback-crash", "mode-lost",
] as const;
type Ending = (typeof endings)[number];

const others = [{ storeId: 2 }, { clusterId: "other" }, { clusterId: "other", storeId: 7 }];

class MigrateInitRun {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #options: Partial<EngineOptions>;
  readonly #acts: MigrateInitActs;
  readonly #writer: MigrateInitWriter;
  #images = 0;

  constructor(world: World) {
    this.#world = world;
    this.#machine = world.machine("store-1");
    this.#dice = world.dice("migrate-init");
    const plan = world.dice("plan");
    this.#options = { ...drawEngineOptions(world, plan), createIfMissing: true };
    const regions = plan.pick([1, 1, 2, 4]);
    const order = { directory, clusterId: "migrated", storeId: 1, regions, checkpoint: null, engine: this.#options };
    this.#acts = new MigrateInitActs(world, this.#machine, order);
    this.#writer = new MigrateInitWriter(directory, this.#options, world.dice("writes"), plan.pick([6, 30, 60]));
  }

  async run(): Promise<void> {
    const plan = this.#world.dice("course");
    // A clock that was ahead: what is written then is younger than the Coordinator's present.
    if (plan.chance(1, 2)) this.#machine.clock.jumpWall(plan.pick([2_000, 3_600_000]));
    await this.#acts.must((env) => this.#writer.fill(env, plan.between(10, 60)));
    const filled = this.#machine.disk.snapshot();
    // Set right before the migration: its present is then within the last millisecond that was written.
    if (plan.chance(1, 2)) this.#machine.clock.setWall(this.#world.nowUs, 0);
    await this.#acts.must((env) => this.#acts.init(env));
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
  }

  #points(calls: number): readonly number[] {
    const drawn = Array.from({ length: pointsMax }, () => this.#dice.between(1, calls));
    return [...new Set(drawn)].toSorted((a, b) => a - b);
  }

  async #crashAt(filled: DiskSnapshot, point: number): Promise<void> {
    const { disk } = this.#machine;
    const acts = this.#acts;
    disk.restore(filled);
    acts.where = `init, call ${point}`;
    await acts.until(point, (env) => acts.init(env));
    const crashed = disk.snapshot();
    for (let image = 0; image <= powerImages; image++) {
      disk.restore(crashed);
      if (image > 0) disk.powerLoss(image);
      this.#images++;
      const ending = this.#dice.pick(endings);
      const left = image === 0 ? "process" : `power loss ${image}`;
      acts.where = `init crashed at call ${point}, ${left}, then ${ending}`;
      await this.#goOn(ending);
    }
  }

  async #goOn(ending: Ending): Promise<void> {
    const world = this.#world;
    const acts = this.#acts;
    const look = await acts.must((env) => judgeTuple(world, env, directory, acts.where));
    const isStandalone = look.state === "standalone";
    if (!isStandalone || this.#dice.chance(1, 2)) {
      await acts.must((env) => judgeOpening(world, env, directory, look, acts.where));
    }
    await this.#end(ending, look.mode !== null);
    if (ending === "rollback" || ending === "rollback-crash") {
      const after = await acts.must((env) => judgeTuple(world, env, directory, acts.where));
      if (after.state !== "standalone") world.fail("legal-mode", `${acts.where}: it is ${after.state} afterwards`);
      await acts.must((env) => judgeOpening(world, env, directory, after, acts.where));
      await acts.must((env) => acts.init(env));
    }
    const after = await acts.must((env) => judgeTuple(world, env, directory, acts.where));
    if (after.state !== "seeded") world.fail("legal-mode", `${acts.where}: it is ${after.state} in the end`);
    await acts.must((env) => judgeSeed(world, env, directory, this.#writer.written, acts.where));
  }

  async #end(ending: Ending, hasBegun: boolean): Promise<void> {
    const acts = this.#acts;
    const call = this.#dice.between(1, 160);
    const arrows = ending === "crash-again" ? initArrows : rollbackArrows;
    const end = this.#dice.chance(1, 2) ? call : this.#dice.pick(arrows);
    const where = `${acts.where} at ${typeof end === "number" ? `call ${end}` : end.name}`;
    switch (ending) {
      case "same":
        return acts.must((env) => acts.init(env));
      case "recorded":
        return acts.must((env) => acts.init(env, hasBegun ? asRecorded : {}));
      case "others-first":
        if (hasBegun) await acts.must((env) => acts.refusesOthers(env, this.#dice.pick(others)));
        return acts.must((env) => acts.init(env));
      case "mode-lost":
        if (hasBegun) await acts.loseMode();
        return acts.must((env) => acts.init(env));
      case "crash-again":
        if (await acts.until(end, (env) => acts.init(env))) return;
        await acts.must((env) => judgeTuple(this.#world, env, directory, where));
        return acts.must((env) => acts.init(env));
      case "rollback":
        await acts.must((env) => acts.rollback(env));
        return;
      case "rollback-crash":
        if (await acts.until(end, (env) => acts.rollback(env))) return;
        if (this.#dice.chance(1, 2)) this.#machine.crash("power");
        await acts.must((env) => judgeTuple(this.#world, env, directory, where));
        await acts.must((env) => acts.rollback(env));
    }
  }
}
