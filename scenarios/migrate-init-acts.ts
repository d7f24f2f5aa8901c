import type { Env } from "../core/env/env.ts";
import { syncDirectory } from "../core/engine/directory.ts";
import { modeName } from "../core/engine/file-names.ts";
import { openReadOnlyEngine } from "../core/engine/read-only.ts";
import { NokvError } from "../core/errors.ts";
import type { Failpoint } from "../failpoints/failpoints.ts";
import { type InitListener, type InitOrder, initSeed } from "../node/migrate/init.ts";
import { lookAt } from "../node/migrate/look.ts";
import { readMigrationRecord } from "../node/migrate/migration-record.ts";
import { rollbackSeed } from "../node/migrate/rollback.ts";
import type { CrashKind, Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import { judgeOpening } from "./migrate-init-judge.ts";

/** What tells of nothing. */
export const silent: InitListener = { step: () => {}, progress: () => {} };

/** What `init` needs not be told again. */
export const asRecorded: Partial<InitOrder> = { clusterId: null, storeId: null, regions: null };

/** What an operator does to a stopped directory, each deed by a process of its own. */
export class MigrateInitActs {
  /** The way here, for reports. */
  where = "";
  readonly order: InitOrder;
  readonly #world: World;
  readonly #machine: Machine;

  constructor(world: World, machine: Machine, order: InitOrder) {
    this.#world = world;
    this.#machine = machine;
    this.order = order;
  }

  /** Every process that is to come to its end does. */
  async must<T>(work: (env: Env) => Promise<T>): Promise<T> {
    const outcome = await this.#machine.run(work);
    if (outcome.kind === "failed") this.#failed(outcome.error);
    if (outcome.kind === "crashed") return this.#world.fail("migration", `${this.where}: it ended by itself`);
    this.#machine.crash("process");
    return outcome.value;
  }

  /** Ends the process inside call `end`, or at that failpoint. True: it came to its end before. */
  async until(
    end: number | Failpoint,
    work: (env: Env) => Promise<unknown>,
    kind: CrashKind = "process",
  ): Promise<boolean> {
    const machine = this.#machine;
    machine.boot();
    machine.failpoints.crashKind = kind;
    if (typeof end === "number") machine.crashAtCall(end, kind);
    else machine.failpoints.arm(end, { kind: "crash", percent: 100, count: 1 });
    const outcome = await machine.run(work);
    if (outcome.kind === "crashed") return false;
    if (outcome.kind === "failed") this.#failed(outcome.error);
    machine.crash("process");
    return true;
  }

  async init(env: Env, wish: Partial<InitOrder> = {}): Promise<void> {
    await initSeed(env, { ...this.order, ...wish }, silent);
  }

  rollback(env: Env): Promise<boolean> {
    const { directory, engine } = this.order;
    return rollbackSeed(env, { directory, engine }, () => {});
  }

  /** The gate keeps everybody away; a migration finds in the database what MODE said, unless nothing was done yet. */
  async loseMode(): Promise<void> {
    const { directory } = this.order;
    const look = await this.must(async (env) => {
      env.disk.remove(`${directory}/${modeName}`);
      await syncDirectory(env, directory);
      const left = lookAt(env, directory);
      await judgeOpening(this.#world, env, directory, left, this.where);
      return left;
    });
    if (look.gate.mode !== "preparing") return;
    const isRecorded = await this.must(async (env) => {
      const { engine } = await openReadOnlyEngine(env, directory);
      const record = readMigrationRecord(engine);
      await engine.close();
      return record !== null;
    });
    if (!isRecorded) await this.must((env) => this.rollback(env));
  }

  /** What was begun for one store is not finished for another. */
  async refusesOthers(env: Env, other: Partial<InitOrder>): Promise<void> {
    await this.refuses("NOKV_INVALID_ARGUMENT", () => this.init(env, other));
  }

  /** Rejects as an operator is told to expect: with that code, and that hint in what it says. */
  async refuses(code: string, act: () => Promise<unknown>, hint = ""): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      if (error.code === code && error.message.includes(hint)) return;
      this.#world.fail("migration", `${this.where}: it is refused by ${error.code}: ${error.message}`);
    }
    this.#world.fail("migration", `${this.where}: what is to be refused by ${code} went on`);
  }

  #failed(error: unknown): never {
    if (!(error instanceof NokvError)) throw error;
    return this.#world.fail("migration", `${this.where}: ${error.code}: ${error.message}`);
  }
}
