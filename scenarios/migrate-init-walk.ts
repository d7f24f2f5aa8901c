import { sameContent } from "../core/bytes/content-hash.ts";
import type { Env } from "../core/env/env.ts";
import { openDb } from "../core/engine/db.ts";
import { openEngine } from "../core/engine/engine.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { versionMs } from "../core/lsm/drop-rules.ts";
import { expand } from "../node/migrate/expand.ts";
import { gather } from "../node/migrate/gather.ts";
import { pause } from "../node/migrate/pause.ts";
import { migrationStatus } from "../node/migrate/status.ts";
import { openStoreDirectory } from "../node/store-directory.ts";
import type { Dice } from "../sim/dice.ts";
import type { DiskSnapshot } from "../sim/disk/disk-snapshot.ts";
import type { CrashKind, Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import { cachedImageText } from "./disk-image.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { MigrateInitActs, asRecorded } from "./migrate-init-acts.ts";
import { hints, judgeOpening, judgeSeed, judgeTuple } from "./migrate-init-judge.ts";
import { MigrateInitWriter, contentAt } from "./migrate-init-writer.ts";
import type { Walk, WalkStop, WalkSurvey, WalkTally } from "./migrate-walk.ts";
import { WalkCluster, walkClusterId, walkStores } from "./migrate-walk-cluster.ts";

const directory = "/db";
const store = "store-1";
/** Of each crash point, besides what a process leaves that is killed. Those that do not differ count once. */
const powerImages = 3;
/** A resume that ends as well, so often of each image. */
const secondCrashes = 1;

type Subject = "init" | "rollback";

/** `status-init`: does what `status` says is next. */
const resumes = ["init", "status-init", "rollback", "init-crash", "rollback-crash", "mode-lost"] as const;
type Resume = (typeof resumes)[number];
/** After these the seed is served too, and read by a client and from its replicas. */
const served: readonly Resume[] = ["init", "rollback"];
/** At every tenth stop it is brought to three stores, once. */
const stopsPerExpansion = 10;

export const initWalk: Walk = walkOf("init", "A directory becomes a seed or stays a database, whatever call ends it.");
export const rollbackWalk: Walk = walkOf("rollback", "A seed becomes a database again, whatever call ends rollback.");

function walkOf(subject: Subject, why: string): Walk {
  return {
    name: subject,
    why,
    survey: (world) => new InitWalkRun(world, subject).survey(),
    stopAt: (world, stop, tally) => new InitWalkRun(world, subject).stopAt(stop.call, tally),
  };
}

class InitWalkRun {
  readonly #world: World;
  readonly #subject: Subject;
  readonly #machine: Machine;
  readonly #dice: Dice;
  readonly #options: Partial<EngineOptions>;
  readonly #acts: MigrateInitActs;
  readonly #writer: MigrateInitWriter;
  #expands = false;

  constructor(world: World, subject: Subject) {
    this.#world = world;
    this.#subject = subject;
    this.#machine = world.machine(store);
    this.#dice = world.dice("init-walk");
    const plan = world.dice("plan");
    const valueThresholdBytes = plan.pick([64, 1_000]);
    this.#options = { ...drawEngineOptions(world, plan), valueThresholdBytes, createIfMissing: true };
    const regions = plan.pick([1, 2, 4]);
    const order = { directory, clusterId: walkClusterId, storeId: 1, regions, checkpoint: null, engine: this.#options };
    this.#acts = new MigrateInitActs(world, this.#machine, order);
    this.#writer = new MigrateInitWriter(directory, this.#options, world.dice("writes"), 24);
  }

  async survey(): Promise<WalkSurvey> {
    await this.#prepare();
    await this.#acts.must((env) => this.#walk(env));
    // The last one: nothing ends it, and then the power fails.
    const calls = this.#machine.callCount + 1;
    const stops = Array.from({ length: calls }, (_, i): WalkStop => ({ machine: store, call: i + 1, how: "every" }));
    const { regions } = this.#acts.order;
    return { story: `${calls - 1} calls, ${this.#writer.written.length} keys, ${regions ?? 1} regions`, stops };
  }

  async stopAt(call: number, tally: WalkTally): Promise<void> {
    const acts = this.#acts;
    const { disk } = this.#machine;
    await this.#prepare();
    const isOver = await acts.until(call, (env) => this.#walk(env));
    const crashed = disk.snapshot();
    this.#expands = call % stopsPerExpansion === 0;
    for (let image = 0; image <= powerImages; image++) {
      this.#leave(crashed, image);
      if (!tally.isNew(cachedImageText(disk))) continue;
      const left = image === 0 ? "process" : `power loss ${image}`;
      const where = `${this.#subject}, call ${call}, ${left}`;
      acts.where = where;
      const found = disk.snapshot();
      if (isOver) await this.#judgeOver();
      for (const resume of resumes) {
        const times = resume.endsWith("-crash") ? secondCrashes : 1;
        for (let time = 0; time < times; time++) {
          disk.restore(found);
          acts.where = `${where}, then ${resume}`;
          await this.#goOn(resume, tally);
        }
      }
    }
  }

  async #prepare(): Promise<void> {
    const { disk, clock } = this.#machine;
    const course = this.#world.dice("course");
    if (course.chance(1, 2)) clock.jumpWall(course.pick([2_000, 3_600_000]));
    await this.#acts.must((env) => this.#writer.fill(env, course.between(0, 12)));
    await this.#acts.must((env) => this.#writer.certain(env));
    if (course.chance(1, 2)) clock.setWall(this.#world.nowUs, 0);
    if (this.#subject === "rollback") await this.#acts.must((env) => this.#acts.init(env));
    // Whatever may be lost by a power loss is lost more often than by the seed's own disk.
    Object.assign(disk.faults, { lostWrite: 700_000, entryLost: 700_000 });
  }

  async #walk(env: Env): Promise<void> {
    await (this.#subject === "init" ? this.#acts.init(env) : this.#acts.rollback(env));
  }

  /** 0: what a killed process leaves; 1: a power loss that takes all it can; then some of it. */
  #leave(crashed: DiskSnapshot, image: number): void {
    const { disk } = this.#machine;
    disk.restore(crashed);
    if (image === 0) return;
    const { lostWrite, entryLost } = disk.faults;
    if (image === 1) Object.assign(disk.faults, { lostWrite: 1_000_000, entryLost: 1_000_000 });
    disk.powerLoss(image);
    Object.assign(disk.faults, { lostWrite, entryLost });
  }

  /** What has resolved is durable. */
  async #judgeOver(): Promise<void> {
    const { state } = await this.#judgeImage();
    const wanted = this.#subject === "init" ? "seeded" : "standalone";
    if (state !== wanted) this.#world.fail("durability", `${this.#acts.where}: it was ${wanted} and is ${state}`);
  }

  /** A legal pair, open to nobody but those whom the table lets in; the others are told what helps. */
  async #judgeImage(): Promise<Awaited<ReturnType<typeof judgeTuple>>> {
    const world = this.#world;
    const acts = this.#acts;
    const look = await acts.must((env) => judgeTuple(world, env, directory, acts.where));
    await acts.must((env) => judgeOpening(world, env, directory, look, acts.where));
    const { state } = look;
    if (state === "seeded" || state === "cluster") return look;
    const hint = state === "standalone" ? "" : (hints[state].exec("nokv migrate rollback")?.[0] ?? "");
    const order = { workDir: directory, clusterId: walkClusterId, storeId: 1, engine: {}, failed: () => {} };
    await acts.must((env) => acts.refuses("NOKV_FOREIGN_DIRECTORY", () => openStoreDirectory(env, order), hint));
    if (state !== "undoing") return look;
    await acts.must((env) => acts.refuses("NOKV_FOREIGN_DIRECTORY", () => acts.init(env), hint));
    return look;
  }

  async #goOn(resume: Resume, tally: WalkTally): Promise<void> {
    const acts = this.#acts;
    const { state, mode } = await this.#judgeImage();
    // A rollback that was begun is finished first.
    if (state === "undoing" && resume !== "status-init" && !resume.startsWith("rollback")) {
      await acts.must((env) => acts.rollback(env));
      await this.#judgeStandalone(tally);
    }
    await this.#resume(resume, { hasBegun: mode !== null && state !== "undoing", tally });
    const { state: after, mode: seed } = await this.#judgeImage();
    const regions = (seed?.regions ?? []).map(({ regionId }) => regionId);
    if (after !== "seeded") this.#world.fail("legal-mode", `${acts.where}: it is ${after} in the end`);
    await acts.must((env) => judgeSeed(this.#world, env, directory, this.#writer.written, acts.where));
    for (const path of ["recorded", "iterated", "scanned"]) tally.read(path);
    tally.resumed(resume);
    if (served.includes(resume)) await this.#serve(regions, tally);
  }

  async #resume(resume: Resume, { hasBegun, tally }: { hasBegun: boolean; tally: WalkTally }): Promise<void> {
    const acts = this.#acts;
    switch (resume) {
      case "init":
        return acts.must((env) => acts.init(env));
      case "status-init":
        return this.#asStatusSays();
      case "mode-lost":
        if (hasBegun) await acts.loseMode();
        return acts.must((env) => acts.init(env));
      case "init-crash":
        await this.#crash((env) => acts.init(env));
        return acts.must((env) => acts.init(env));
      case "rollback-crash":
        await this.#crash((env) => acts.rollback(env));
        break;
      case "rollback":
        break;
    }
    await acts.must((env) => acts.rollback(env));
    await this.#judgeStandalone(tally);
    await acts.must((env) => acts.init(env));
  }

  /** Somewhere on its way, and sometimes near its end; it may be over before. */
  async #crash(act: (env: Env) => Promise<unknown>): Promise<void> {
    const dice = this.#dice;
    const kind: CrashKind = dice.pick(["process", "power"]);
    const call = dice.between(1, dice.pick([60, 250, 900]));
    const { where } = this.#acts;
    this.#acts.where = `${where} at call ${call} (${kind})`;
    await this.#acts.until(call, act, kind);
    await this.#judgeImage();
  }

  /** Whoever has forgotten everything asks, and does what is said. */
  async #asStatusSays(): Promise<void> {
    const acts = this.#acts;
    for (let left = 3; left > 0; left--) {
      const { next, state } = await acts.must((env) => migrationStatus(env, directory));
      if (next.startsWith("nokv serve")) return;
      if (next.startsWith("nokv migrate rollback")) await acts.must((env) => acts.rollback(env));
      else if (!next.startsWith("nokv migrate init")) this.#world.fail("status", `${acts.where}: next is "${next}"`);
      else await acts.must((env) => acts.init(env, state === "standalone" ? {} : asRecorded));
    }
    this.#world.fail("status", `${acts.where}: doing what it says leads nowhere`);
  }

  /** A database of its own: every record is there, and it takes another one. */
  async #judgeStandalone(tally: WalkTally): Promise<void> {
    const acts = this.#acts;
    const { state } = await this.#judgeImage();
    if (state !== "standalone") this.#world.fail("legal-mode", `${acts.where}: it is ${state} afterwards`);
    await acts.must(async (env) => {
      const engine = await openEngine(env, directory, this.#options);
      const { content, baseTs } = await gather(engine, engine.snapshot(), () => {}, () => pause(env));
      await engine.close();
      if (!sameContent(content, contentAt(this.#writer.written, versionMs(baseTs)))) {
        this.#world.fail("content", `${acts.where}: the database shows ${content.count} keys, not those written`);
      }
    });
    tally.read("embedded");
    await acts.must(async (env) => {
      const db = await openDb(env, directory, this.#options);
      await db.set("written after", "a rollback");
      await db.delete("written after");
      await db.close();
    });
  }

  /** As the only store of its cluster, or as one of three; then nobody takes it back. */
  async #serve(regions: readonly number[], tally: WalkTally): Promise<void> {
    const acts = this.#acts;
    const isExpanded = this.#expands;
    this.#expands = false;
    const world = this.#world;
    this.#machine.clock.setWall(world.nowUs, 0);
    for (const name of ["coordinator", "store-2", "store-3", "operator"]) world.machine(name).disk.wipe();
    const cluster = new WalkCluster(world, directory, isExpanded ? walkStores : [1]);
    cluster.where = acts.where;
    await cluster.begin();
    if (isExpanded) {
      const order = { regionId: null, stores: [2, 3], allowTwo: false };
      await cluster.until("it is expanded", async () => {
        return (await cluster.operate((operator) => expand(operator, order))) === "done";
      });
      await cluster.until("three voters are everywhere", () => cluster.judge.finally(regions) === null);
    }
    await cluster.compare((nowMs) => contentAt(this.#writer.written, nowMs), tally);
    await cluster.end();
    const look = await acts.must((env) => judgeTuple(world, env, directory, acts.where));
    await acts.must((env) => judgeOpening(world, env, directory, look, acts.where));
    await acts.must((env) => acts.refuses("NOKV_FOREIGN_DIRECTORY", () => acts.rollback(env), "nokv serve"));
    await acts.must((env) => acts.refuses("NOKV_FOREIGN_DIRECTORY", () => acts.init(env), "nokv serve"));
  }
}
