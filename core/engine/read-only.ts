import { Failpoints } from "../../failpoints/failpoints.ts";
import { AssertionError } from "../assert.ts";
import type { Env } from "../env/env.ts";
import { OverlayDisk } from "../env/overlay-disk.ts";
import type { Data } from "./arguments.ts";
import { Db, type DbStats, type ReadOptions, type ScanOptions } from "./db.ts";
import type { DbIterator, Entries } from "./db-iterator.ts";
import { Engine } from "./engine.ts";
import { invalidArgument } from "./failure.ts";
import type { Finding } from "../finding.ts";
import { lookingOpening, type OpeningMode } from "./opening-mode.ts";
import type { EngineOptions } from "./options.ts";
import { recover } from "./recovery.ts";
import { salvageOpening } from "./salvage.ts";
import type { Snapshot } from "./snapshot.ts";

export interface ReadOnlyOptions extends Partial<Omit<EngineOptions, "createIfMissing" | "errorIfExists" | "owner">> {
  /**
   * `refuse` (default): a damaged directory is refused as `open` refuses it. `skip`: what is left of it is shown,
   * and `problems` lists what is not; a read that meets a damaged block still fails.
   */
  readonly damaged?: "refuse" | "skip" | undefined;
}

/**
 * Opens the database in `directory` to look at it, and changes not one byte there: what a recovery would repair is
 * repaired in memory only. Several may look at once; a database that is open for writing is refused with
 * `NOKV_LOCKED`, and while somebody looks nobody can open it for writing. Rejects with `NokvError`.
 */
export async function openReadOnly(
  env: Env,
  directory: string,
  options: ReadOnlyOptions = {},
): Promise<ReadOnlyDb> {
  const { engine, problems } = await openReadOnlyEngine(env, directory, options);
  return new ReadOnlyDb(new Db(engine, env.clock), problems);
}

/** The same, for those who look at more than a database's own keys. Close the engine. */
export async function openReadOnlyEngine(
  env: Env,
  directory: string,
  options: ReadOnlyOptions = {},
): Promise<{ readonly engine: Engine; readonly problems: readonly Finding[] }> {
  const { damaged = "refuse", ...limits } = options;
  if (damaged !== "refuse" && damaged !== "skip") throw invalidArgument('damaged must be "refuse" or "skip"');
  const problems = new Map<string, Finding>();
  const note = (finding: Finding): void => {
    // One defect is met by several steps of an opening.
    const key = `${finding.path}:${finding.offset ?? ""}`;
    if (!problems.has(key)) problems.set(key, finding);
  };
  const mode: OpeningMode = damaged === "skip" ? salvageOpening(note) : lookingOpening;
  const { clock, network, random, jobs, trace } = env;
  const disk = new OverlayDisk(env.disk, clock);
  const looking: Env = { clock, network, random, jobs, trace, disk, failpoints: noFailpoints() };
  const given = { ...limits, createIfMissing: false, errorIfExists: false };
  const engine = new Engine(await recover(looking, directory, given, mode));
  return { engine, problems: [...problems.values()] };
}

/** Those of the node bend what it does to a disk; nothing is done to this one. */
function noFailpoints(): Failpoints {
  return new Failpoints({
    draw: () => 0,
    crash: (name): never => {
      throw new AssertionError(`nothing is armed, not even ${name}`);
    },
  });
}

/** A database that can only be read. Everything is as in `Db`; see there. */
export class ReadOnlyDb {
  readonly #db: Db;
  /** What was damaged and is not shown; empty unless it was opened with `damaged: "skip"`. */
  readonly problems: readonly Finding[];

  constructor(db: Db, problems: readonly Finding[]) {
    this.#db = db;
    this.problems = problems;
  }

  get(key: Data, options: ReadOptions = {}): Uint8Array | undefined {
    return this.#db.get(key, options);
  }

  getMany(keys: readonly Data[], options: ReadOptions = {}): (Uint8Array | undefined)[] {
    return this.#db.getMany(keys, options);
  }

  has(key: Data, options: ReadOptions = {}): boolean {
    return this.#db.has(key, options);
  }

  iterator(options: ScanOptions = {}): DbIterator {
    return this.#db.iterator(options);
  }

  entries(options: ScanOptions = {}): Entries<[Uint8Array, Uint8Array]> {
    return this.#db.entries(options);
  }

  keys(options: ScanOptions = {}): Entries<Uint8Array> {
    return this.#db.keys(options);
  }

  values(options: ScanOptions = {}): Entries<Uint8Array> {
    return this.#db.values(options);
  }

  snapshot(): Snapshot {
    return this.#db.snapshot();
  }

  stats(): DbStats {
    return this.#db.stats();
  }

  /** The directory is free afterwards. */
  async close(): Promise<void> {
    await this.#db.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
