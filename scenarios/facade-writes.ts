import type { BatchOperation, Db, WriteOptions } from "../core/engine/db.ts";
import type { Data, KeyBounds, Lifetime } from "../core/engine/arguments.ts";
import type { WriteBatch } from "../core/engine/write-batch.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { toBytes } from "../sim/checkers/text.ts";
import type { Dice } from "../sim/dice.ts";
import type { EngineDriver } from "./engine-driver.ts";
import { pendingMax } from "./engine-driver.ts";
import { noErrors, type Tolerance } from "./engine-workload.ts";
import type { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

/** When a signal fires: never, before the call, in the turn of the call, or at some time after it. */
const abortTimes = ["never", "never", "never", "before", "after", "later"] as const;

/** Every key from `from` on and below `until`; null: to the end. */
interface RangeDelete {
  readonly from: string;
  readonly until: string | null;
  /** The same, as a program would say it. */
  readonly bounds: KeyBounds;
}

interface Put {
  readonly key: string;
  readonly value: string | null;
  /** Of a lifetime in milliseconds, a first guess until the store has told. */
  expiresAtMs: number;
  /** 0: it has an instant, or none. */
  readonly ttlMs: number;
}

type Write = Put | RangeDelete;

/** Calls that write, each issued to the model too, with signals that fire at the worst of times. */
export class FacadeWrites {
  readonly #driver: EngineDriver;
  readonly #db: () => Db;
  readonly #keyspace: Keyspace;
  readonly #dice: Dice;
  #tolerance = noErrors;
  /** One for all its commits, as a careful program would have it. */
  #batch: WriteBatch | null = null;

  constructor(driver: EngineDriver, db: () => Db, keyspace: Keyspace, dice: Dice) {
    this.#driver = driver;
    this.#db = db;
    this.#keyspace = keyspace;
    this.#dice = dice;
  }

  tolerate(tolerance: Tolerance): void {
    this.#tolerance = tolerance;
  }

  opened(): void {
    this.#batch = this.#db().batch();
  }

  async step(env: Env): Promise<void> {
    const dice = this.#dice;
    const choice = dice.below(20);
    if (choice < 14) this.#write(env);
    else if (choice < 15) this.#misuse();
    else if (choice < 17) this.#job(env);
    else await pause(env, dice.skewed(1, dice.pick([100, 10_000, 1_000_000])));
    for (let patience = 32; patience > 0 && this.#driver.pending >= pendingMax; patience--) await pause(env, 500);
  }

  #write(env: Env): void {
    const dice = this.#dice;
    const writes: Write[] = [];
    for (let i = dice.pick([1, 1, 1, 2, 6]); i > 0; i--) writes.push(this.#draw());
    const when = dice.pick(abortTimes);
    const abort = new AbortController();
    if (when === "before") abort.abort();
    const options = when === "never" ? {} : { signal: abort.signal };
    const beforeMs = this.#driver.engine.nowMs();
    for (const write of writes) if ("key" in write && write.ttlMs > 0) write.expiresAtMs = beforeMs + write.ttlMs;
    const { pendingVersion } = this.#driver.engine;
    const isSync = when === "never" && dice.chance(1, 5);
    const call = (): Promise<void> => (isSync ? this.#callSync(writes) : this.#call(writes, options));
    this.#driver.commitBy(writes, call, (error) => this.#told(error, when));
    if (when === "after") abort.abort();
    if (when === "later") env.clock.after(dice.skewed(1, 20_000), () => abort.abort());
    if (this.#driver.engine.pendingVersion > pendingVersion) this.#learnLifetimes(writes, beforeMs);
  }

  #draw(): Write {
    const dice = this.#dice;
    if (dice.chance(1, 12)) return this.#range();
    const key = this.#keyspace.key();
    if (dice.chance(1, 4)) return { key, value: null, expiresAtMs: 0, ttlMs: 0 };
    const value = this.#keyspace.value();
    if (dice.chance(2, 3)) return { key, value, expiresAtMs: 0, ttlMs: 0 };
    if (dice.chance(1, 2)) return { key, value, expiresAtMs: 0, ttlMs: dice.skewed(1, 20_000) };
    const nowMs = this.#driver.engine.nowMs();
    return { key, value, expiresAtMs: nowMs + dice.skewed(1, 20_000) - dice.below(5), ttlMs: 0 };
  }

  /** A range of keys, by one of its names. */
  #range(): RangeDelete {
    const { from, until } = this.#keyspace.range();
    const gt = from.endsWith("\x00") && this.#dice.chance(1, 2);
    const lte = until?.endsWith("\x00") === true && this.#dice.chance(1, 2);
    const low = gt ? { gt: toBytes(from.slice(0, -1)) } : { gte: toBytes(from) };
    if (until === null) return { from, until, bounds: low };
    const high = lte ? { lte: toBytes(until.slice(0, -1)) } : { lt: toBytes(until) };
    return { from, until, bounds: { ...low, ...high } };
  }

  /** One of the ways to say it. */
  #call(writes: readonly Write[], options: WriteOptions): Promise<void> {
    const db = this.#db();
    const [only] = writes;
    if (writes.length === 1 && only !== undefined && this.#dice.chance(2, 3)) {
      if (!("key" in only)) return db.deleteRange(only.bounds, options);
      const key = this.#data(only.key);
      if (only.value === null) return db.delete(key, options);
      return db.set(key, this.#data(only.value), { ...options, ...lifetimeOf(only) });
    }
    if (this.#dice.chance(1, 2)) return db.batch(writes.map((write) => this.#operation(write)), options);
    const batch = this.#batch?.clear() ?? db.batch();
    for (const write of writes) {
      if (!("key" in write)) {
        batch.deleteRange(write.bounds);
        continue;
      }
      const key = this.#data(write.key);
      if (write.value === null) batch.delete(key);
      else batch.set(key, this.#data(write.value), lifetimeOf(write));
    }
    return batch.commit(options);
  }

  /** Done when it returns, or refused: a promise only tells the driver which of the two it was. */
  async #callSync(writes: readonly Write[]): Promise<void> {
    const db = this.#db();
    const { engine, world } = this.#driver;
    const [only] = writes;
    if (writes.length > 1 || only === undefined || !("key" in only)) {
      db.batchSync(writes.map((write) => this.#operation(write)));
    } else if (only.value === null) db.deleteSync(this.#data(only.key));
    else db.setSync(this.#data(only.key), this.#data(only.value), lifetimeOf(only));
    if (engine.visibleVersion < engine.pendingVersion) world.fail("visibility", "a synchronous write is not visible");
  }

  #operation(write: Write): BatchOperation {
    if (!("key" in write)) return { type: "deleteRange", ...write.bounds };
    const key = this.#data(write.key);
    if (write.value === null) return { type: "delete", key };
    return { type: "set", key, value: this.#data(write.value), ...lifetimeOf(write) };
  }

  /** As bytes, or as text where that is the same. */
  #data(text: string): Data {
    // oxlint-disable-next-line no-control-regex
    return /^[\x00-\x7f]*$/.test(text) && this.#dice.chance(1, 2) ? text : toBytes(text);
  }

  /** A lifetime in milliseconds counts from some instant within the call. */
  #learnLifetimes(writes: readonly Write[], beforeMs: number): void {
    const { engine, world } = this.#driver;
    const afterMs = engine.nowMs();
    for (const [index, write] of writes.entries()) {
      if (!("key" in write)) continue;
      const { key, ttlMs } = write;
      if (ttlMs === 0 || writes.slice(index + 1).some((later) => hides(later, key))) continue;
      const { value, expiresAtMs } = engine.latest(toBytes(key));
      if (value === null && beforeMs + ttlMs <= engine.nowMs()) continue;
      if (value === null || expiresAtMs < beforeMs + ttlMs || expiresAtMs > afterMs + ttlMs) {
        world.fail("lifetime", `${ttlMs}ms from ${beforeMs}ms on became an expiry at ${expiresAtMs}ms`);
      }
      write.expiresAtMs = expiresAtMs;
    }
  }

  #told(error: NokvError | null, when: (typeof abortTimes)[number]): void {
    const { world } = this.#driver;
    if (error === null) {
      if (when === "before") world.fail("abort", "a write went on although its signal had fired before");
      return;
    }
    if (error.code === "NOKV_ABORTED") {
      if (when !== "before") world.fail("abort", `a write under way was aborted (${when})`);
      return;
    }
    this.#expect(error, this.#tolerance.writes, "write");
  }

  /** A call that makes no sense is refused and writes nothing. */
  #misuse(): void {
    const db = this.#db();
    const { engine, world } = this.#driver;
    const { pendingVersion } = engine;
    const key = this.#keyspace.key();
    const wrong = this.#dice.pick<() => Promise<void>>([
      () => db.set(toBytes(key), undefined as unknown as Data),
      () => db.set(toBytes(key), "x", { ttlMs: 0 }),
      () => db.set(toBytes(key), "x", { ttl: 5 } as unknown as Lifetime),
      () => db.batch([{ type: "delete", key: toBytes(key) }, { type: "put" } as unknown as BatchOperation]),
      () => db.batch([{ type: "delete", key: toBytes(key) }, { type: "set", key: "\ud800", value: "x" }]),
    ]);
    let code = "";
    wrong().then(
      () => world.fail("misuse", "a call that makes no sense was taken"),
      (error: unknown) => {
        if (!(error instanceof NokvError)) throw error;
        code = error.code;
        if (code !== "NOKV_INVALID_ARGUMENT") world.fail("misuse", `refused with ${code}: ${error.message}`);
      },
    );
    if (engine.pendingVersion !== pendingVersion) world.fail("misuse", "a call that makes no sense wrote");
  }

  /** A flush or a merge, with somebody who may not wait for its end. */
  #job(env: Env): void {
    const db = this.#db();
    const abort = new AbortController();
    const waits = this.#dice.chance(1, 2);
    if (!waits) env.clock.after(this.#dice.skewed(1, 50_000), () => abort.abort());
    const options = { signal: abort.signal };
    const job = this.#dice.chance(3, 4) ? db.flush(options) : db.compact(options);
    void this.#driver.secureAfter(job, (error) => {
      if (error.code === "NOKV_ABORTED" && !waits) return;
      this.#expect(error, this.#tolerance.jobs, "job");
    });
  }

  #expect(error: NokvError, codes: readonly string[], what: string): void {
    if (error.code === "NOKV_BUSY" || error.code === "NOKV_CLOSED" || codes.includes(error.code)) return;
    this.#driver.world.fail("errors", `${what}: ${error.code} ${error.message}`);
  }
}

function lifetimeOf({ expiresAtMs, ttlMs }: Put): Lifetime {
  if (ttlMs > 0) return { ttlMs };
  return expiresAtMs === 0 ? {} : { expiresAtMs };
}

/** Does `later` leave nothing of an earlier write of `key`? */
function hides(later: Write, key: string): boolean {
  if ("key" in later) return later.key === key;
  return key >= later.from && (later.until === null || key < later.until);
}
