import { Db } from "../core/engine/db.ts";
import type { Engine } from "../core/engine/engine.ts";
import { columnFamily } from "../core/bytes/record.ts";
import { openEngine } from "../core/engine/engine.ts";
import { Batch } from "../core/engine/batch.ts";
import type { Env } from "../core/env/env.ts";
import { DiskError } from "../core/env/disk.ts";
import { NokvError } from "../core/errors.ts";
import { judgeEverything, judgeScan } from "../sim/checkers/expected-state.ts";
import { toBytes, toText } from "../sim/checkers/text.ts";
import type { EngineDriver } from "./engine-driver.ts";
import { closeQuietly, scanAll } from "./engine-scan.ts";

/** What an unfinished checkpoint says when somebody opens it. */
const unfinishedCodes = ["NOKV_CORRUPTION", "NOKV_NOT_FOUND", "NOKV_IO", "NOKV_NO_SPACE", "NOKV_LOCKED"];

/** Of a database that takes in what another one had. */
const smallMemory = { memtableBytes: 1_024, immutableMemtablesMax: 1 };

/**
 * Checkpoints of a running engine: a database of its own that holds what was written up to its version, or,
 * after a crash or an error, a directory that is refused. Never half of one.
 */
export class EngineCheckpoints {
  readonly #driver: EngineDriver;
  readonly #onError: (error: NokvError) => void;
  /** Directories that may be there, finished or not. */
  #left: string[] = [];
  #taken = 0;

  /** `onError` judges the operating errors of a checkpoint. */
  constructor(driver: EngineDriver, onError: (error: NokvError) => void) {
    this.#driver = driver;
    this.#onError = onError;
  }

  /** Takes one, opens it and compares it with the model. Writes go on meanwhile. */
  async take(env: Env): Promise<void> {
    const driver = this.#driver;
    const { engine } = driver;
    const path = `/checkpoint-${++this.#taken}`;
    this.#left.push(path);
    const issued = engine.pendingVersion;
    try {
      const { version } = await engine.checkpoint(path);
      if (version < issued) driver.world.fail("checkpoint", `version ${version}, but ${issued} was committed before`);
      if (!driver.isOpen || driver.engine !== engine) return;
      await this.#compare(env, path, version);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#onError(error);
    }
  }

  /** All of the database as tables, taken in by another one: what could be read then, and nothing else. */
  async move(env: Env): Promise<void> {
    const driver = this.#driver;
    const { engine } = driver;
    const path = `/export-${++this.#taken}`;
    const issued = engine.pendingVersion;
    const made: string[] = [];
    let copy: Engine | null = null;
    try {
      /** Families leave one after another, each at its own version. */
      const versions = new Map<number, number>();
      for (const family of driver.plan.families) {
        const range = { family, start: new Uint8Array(0), end: null };
        const exported =
          family === 0
            ? await new Db(engine, env.clock).exportRange(`${path}-${family}`)
            : await engine.transfer.exportTables(range, `${path}-${family}`);
        made.push(`${path}-${family}`);
        if (exported.version < issued) driver.world.fail("transfer", `version ${exported.version} after ${issued}`);
        versions.set(family, exported.version);
        if (copy === null) {
          made.push(`${path}-target`);
          copy = await openEngine(env, `${path}-target`, smallMemory);
        }
        if (family === 0) await new Db(copy, env.clock).ingest(`${path}-${family}`);
        else await copy.transfer.ingest(range, `${path}-${family}`);
      }
      if (copy !== null) this.#judgeMoved(copy, versions);
      if (copy !== null) await this.#useMoved(copy, path);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#onError(error);
    }
    await closeQuietly(copy);
    for (const directory of made) removeFiles(env, directory);
  }

  #judgeMoved(copy: Engine, versions: ReadonlyMap<number, number>): void {
    const driver = this.#driver;
    if (!driver.isOpen) return;
    for (const [family, version] of versions) {
      // The other one judges lifetimes by its own present: of the clock it knows what came with the newest version.
      const { value: seen, instant } = driver.timedIn(copy, () => scanAll(copy, [family]));
      const count = driver.countAt(version);
      const problem = driver.model.check(count, (state) => judgeScan(state, { family }, seen, instant));
      if (problem !== null) driver.world.fail("transfer", `family ${family} at version ${version}: ${problem}`);
    }
  }

  /** The other one goes on: new writes hide what came in, and the same does not come in twice. */
  async #useMoved(copy: Engine, path: string): Promise<void> {
    const driver = this.#driver;
    const family = columnFamily.data;
    // What expires may make room again.
    const stays = scanAll(copy, [family]).some(({ expiresAtMs }) => expiresAtMs === 0);
    const { records } = await this.#ingestAgain(copy, `${path}-${family}`);
    if (records > 0 && stays) driver.world.fail("transfer", `${records} records came in where there were some before`);
    const [first] = scanAll(copy, [family]);
    if (first === undefined) return;
    const key = toBytes(first.key);
    copy.commitSync(new Batch().set(key, toBytes("afterwards"), 0, family));
    const value = copy.get(key, null, family);
    if (value === null || toText(value) !== "afterwards") driver.world.fail("transfer", "a new write is hidden");
    // More than there is memory for: it has to be made while somebody stands and waits, beside what came as tables.
    const large = new Uint8Array(smallMemory.memtableBytes / 2);
    for (let writes = 0; writes < 8; writes++) copy.commitSync(new Batch().set(key, large, 0, family));
  }

  async #ingestAgain(copy: Engine, directory: string): Promise<{ readonly records: number }> {
    try {
      const range = { family: columnFamily.data, start: new Uint8Array(0), end: null };
      return await copy.transfer.ingest(range, directory);
    } catch (error) {
      if (!(error instanceof NokvError) || error.code !== "NOKV_BUSY") throw error;
      return { records: 0 };
    }
  }

  /** What earlier incarnations left opens whole or not at all. */
  async judgeLeft(env: Env): Promise<void> {
    for (const path of this.#left.splice(0)) {
      try {
        const copy = await openEngine(env, path, { createIfMissing: false });
        await this.#read(copy);
      } catch (error) {
        if (!(error instanceof NokvError)) throw error;
        if (unfinishedCodes.includes(error.code)) continue;
        this.#driver.world.fail("checkpoint", `${path}: ${error.code} ${error.message}`);
      }
      removeFiles(env, path);
    }
  }

  async #compare(env: Env, path: string, version: number): Promise<void> {
    const driver = this.#driver;
    const count = driver.countAt(version);
    const copy = await openEngine(env, path, { createIfMissing: false });
    try {
      if (driver.isOpen) {
        const { value: seen, instant } = driver.timedIn(copy, () => scanAll(copy, driver.plan.families));
        const problem = driver.model.check(count, (state) => judgeEverything(state, seen, instant));
        if (problem !== null) driver.world.fail("checkpoint", `${path} at version ${version}: ${problem}`);
      }
    } finally {
      // A read of it may have failed.
      await copy.close();
    }
    this.#left = this.#left.filter((left) => left !== path);
    removeFiles(env, path);
  }

  /** A database that opens can be read to its end. */
  async #read(copy: Engine): Promise<void> {
    try {
      scanAll(copy, this.#driver.plan.families);
    } finally {
      await closeQuietly(copy);
    }
  }
}

function removeFiles(env: Env, path: string): void {
  try {
    for (const name of env.disk.list(path)) env.disk.remove(`${path}/${name}`);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
