import { assert } from "../core/assert.ts";
import type { Compression } from "../core/bytes/codec.ts";
import { columnFamily } from "../core/bytes/record.ts";
import type { Engine } from "../core/engine/engine.ts";
import { openEngine } from "../core/engine/engine.ts";
import type { EngineIterator } from "../core/engine/iterator.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { judgeDirectory } from "../sim/checkers/engine-invariants.ts";
import type { ModelState, ReadInstant, SeenEntry } from "../sim/checkers/expected-state.ts";
import { judgeEverything, modelKey } from "../sim/checkers/expected-state.ts";
import { ClockReadings } from "../sim/checkers/lifetime.ts";
import type { ModelBatch } from "../sim/checkers/prefix-model.ts";
import { PrefixModel } from "../sim/checkers/prefix-model.ts";
import { toText } from "../sim/checkers/text.ts";
import type { Dice } from "../sim/dice.ts";
import { judgeValues } from "../sim/checkers/value-accounting.ts";
import type { World } from "../sim/world.ts";
import { batchOf, type CommitForm, settleBy } from "./commit-form.ts";
import { judgeLook, look, type Looked } from "./engine-look.ts";
import { damageIn, verifyAtRest } from "./engine-verify.ts";
import { pause, recordClock } from "./recording-clock.ts";
import { WrittenValues } from "./written-values.ts";

/** How the engine is opened and closed, when somebody stands before it. */
export interface EngineDoor {
  open(env: Env, directory: string, options: Partial<EngineOptions>): Promise<Engine>;
  close(): Promise<void>;
}

export interface EnginePlan {
  readonly directory: string;
  readonly options: Partial<EngineOptions>;
  /**
   * False: a power loss may take back what was acknowledged, because the durability level does not promise
   * more or because a failed sync may have cost the cached pages too.
   */
  readonly acknowledgedIsDurable: boolean;
  /** False: pages of a live machine can lose their content (failed syncs), so a process crash loses them too. */
  readonly cacheIsKept: boolean;
  /** Damage at rest may make a part of the database unreadable: what can be read is judged all the same. */
  readonly damaged?: boolean;
  /** The column families in use. */
  readonly families: readonly number[];
  readonly door?: EngineDoor;
}

const compressions: readonly Compression[] = ["none", "none", "deflate", "zstd"];

/** Background work may keep the directory in between for so many looks, 100 ms apart. */
const directoryChecksMax = 600;

/** Far beyond any sync interval, pause, stall and frozen clock of a run together. */
const intervalPatienceUs = 300_000_000;

/** With so many batches handed over and not yet answered, a workload waits before it goes on. */
export const pendingMax = 12;

/** One engine on one machine beside its model: every write goes to both, every recovery is judged. */
export class EngineDriver {
  readonly world: World;
  readonly plan: EnginePlan;
  readonly readings: ClockReadings;
  model = new PrefixModel();
  /** Told with every violation of a recovery: which one it was. */
  context = "after reopening";
  readonly #dice: Dice;
  readonly written = new WrittenValues();
  /** Versions of the batches issued since the last recovery, in order. */
  #versions: number[] = [];
  #engine: Engine | null = null;
  /** Changes with each recovery, so that a completion knows whether it still speaks of this one. */
  #session = 0;
  #pending = 0;
  #poisoned = false;
  #powerLosses = 0;
  /** The latest present that the open engine has shown. */
  #presentMs = 0;

  constructor(world: World, plan: EnginePlan, readings = new ClockReadings()) {
    this.world = world;
    this.plan = plan;
    this.readings = readings;
    this.#dice = world.dice("openings");
  }

  get engine(): Engine {
    assert(this.#engine !== null, "the engine is open");
    return this.#engine;
  }

  get isOpen(): boolean {
    return this.#engine !== null;
  }

  get pending(): number {
    return this.#pending;
  }

  /** The engine takes no more writes until it is reopened. */
  get poisoned(): boolean {
    return this.#poisoned || this.engine.stats().poisoned;
  }

  /** Opens and judges what was recovered. Returns the operating error if that was not possible. */
  async open(env: Env): Promise<NokvError | null> {
    assert(this.#engine === null, "opened once");
    this.#noteCrash();
    const { directory, options, door } = this.plan;
    const recorded = recordClock(env, this.world, this.readings);
    const enter = door === undefined ? openEngine : door.open.bind(door);
    // Tables of every codec stand beside each other.
    const compression = this.#dice.pick(compressions);
    const looked = this.#dice.chance(1, 3) ? await look(recorded, this.world, this.plan) : null;
    const verifies = this.plan.damaged !== true && this.#dice.chance(1, 4);
    const report = verifies ? await verifyAtRest(env, this.world, directory) : null;
    const damage = report === null ? null : damageIn(report);
    let engine: Engine;
    try {
      engine = await enter(recorded, directory, { ...options, compression });
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#judgeLook(looked, error);
      const missed = report !== null && damage === null && error.code === "NOKV_CORRUPTION";
      if (missed) this.world.fail("verify", `called sound, and opening is refused: ${error.message}`);
      return error;
    }
    if (looked !== null) this.#judgeLook(looked, entriesOrError(engine));
    const problem = this.#judgeRecovery(engine);
    if (problem instanceof NokvError) {
      await closeQuietly(engine);
      return problem;
    }
    if (problem !== null) this.world.fail("prefix", `${this.context}: ${problem}`);
    const isSound = !this.world.options.atRestCorruption;
    if (damage !== null && isSound) {
      this.world.fail("verify", `sound, and called damaged: ${damage}`);
    }
    this.#begin(engine);
    return null;
  }

  /** The incarnation died. Must be told before the next `open`. */
  crashed(): void {
    this.model.crash(this.plan.cacheIsKept ? "acknowledged" : "secured");
    this.#noteCrash();
    this.#end();
  }

  /** Closes in order: everything acknowledged survives. Returns the operating error if it did not go well. */
  async close(): Promise<NokvError | null> {
    const { engine } = this;
    const { poisoned } = this;
    try {
      await (this.plan.door ?? engine).close();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.model.crash(this.plan.cacheIsKept ? "acknowledged" : "secured");
      this.#end();
      return error;
    }
    if (!poisoned) this.model.secure(this.model.acknowledgedCount);
    this.model.crash(poisoned && !this.plan.cacheIsKept ? "secured" : "acknowledged");
    this.#end();
    return null;
  }

  /**
   * Hands `writes` over. `told` gets the engine's answer; returns the error if it refused at once.
   * Only then, and for errors that say so, did nothing happen.
   */
  commit(
    writes: ModelBatch,
    told: (error: NokvError | null) => void,
    form: CommitForm = "callback",
  ): NokvError | null {
    const batch = batchOf(writes);
    this.written.note(writes);
    // Before the call: if the node dies inside it, the batch may have been handed over.
    const number = this.model.issue(writes);
    const session = this.#session;
    this.#pending++;
    const settle = (error: NokvError | null): void => {
      if (session === this.#session) this.#settle(number, error, told);
    };
    try {
      if (form === "sync") this.engine.commitSync(batch);
      else if (form === "promise") settleBy(this.engine.commitShared(batch), settle);
      else this.engine.commit(batch, settle);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      if (error.code === "NOKV_UNDETERMINED") {
        this.#noteVersion(number);
        settle(error);
        return null;
      }
      this.#pending--;
      this.model.refuse(number);
      this.#versions.push(this.#versions.at(-1) ?? this.engine.pendingVersion);
      if (error.code === "NOKV_POISONED") this.#poisoned = true;
      return error;
    }
    this.#noteVersion(number);
    if (form === "sync") settle(null);
    return null;
  }

  /**
   * As `commit`, by a call that answers with a promise. What is refused for the call's own sake must not have
   * been taken; what is acknowledged must have been.
   */
  commitBy(writes: ModelBatch, write: () => Promise<void>, told: (error: NokvError | null) => void): void {
    const number = this.model.issue(writes);
    const session = this.#session;
    const previous = Math.max(this.#versions.at(-1) ?? 0, this.engine.pendingVersion);
    this.#pending++;
    const answer = write();
    const version = this.engine.pendingVersion;
    this.#versions.push(version);
    const settle = (error: NokvError | null): void => {
      if (session !== this.#session) return;
      told(error);
      const taken = version > previous;
      if (error === null && !taken) this.world.fail("versions", `batch ${number} is acknowledged but was never taken`);
      if (taken && error !== null && (error.code === "NOKV_ABORTED" || error.code === "NOKV_INVALID_ARGUMENT")) {
        this.world.fail("errors", `batch ${number} was taken, and refused with ${error.code}`);
      }
      this.#settle(number, error, () => {});
    };
    settleBy(answer, settle);
  }

  /**
   * Fails when files that belong to nothing stay although nobody works on them any more, and when what tables say of
   * value files is not so. `collected`: everything was just compacted, so no value file may be full of garbage.
   */
  async checkDirectory(env: Env, collected = false): Promise<void> {
    const { directory, options } = this.plan;
    const garbageMax = collected ? (options.valueGarbagePercent ?? null) : null;
    for (let patience = directoryChecksMax; ; patience--) {
      const problem = judgeDirectory(env.disk.list(directory), this.engine.stats());
      if (problem === null) {
        const wrong = this.#mayBeDamaged ? null : judgeValues(env.disk, directory, garbageMax);
        if (wrong !== null) this.world.fail("values", `${this.context}: ${wrong}`);
        return;
      }
      if (patience === 0) this.world.fail("directory", `${this.context}: ${problem}`);
      await pause(env, 100_000);
    }
  }

  get #mayBeDamaged(): boolean {
    return this.plan.damaged === true || this.world.options.atRestCorruption;
  }

  /** How many batches a plain read sees. Judges that nothing acknowledged is hidden. */
  visibleCount(): number {
    const count = this.countAt(this.engine.visibleVersion);
    if (count < this.model.acknowledgedCount) {
      this.world.fail("visibility", `batch ${count + 1} is acknowledged but not visible`);
    }
    return count;
  }

  /** Level "interval" needs no crash to be judged late: what was written long ago is durable. */
  async outlastInterval(env: Env): Promise<void> {
    if (this.plan.options.durability !== "interval") return;
    const session = this.#session;
    const count = this.model.acknowledgedCount;
    await pause(env, intervalPatienceUs);
    if (session === this.#session && !this.poisoned) this.model.secure(count);
  }

  /** How many batches have a version up to `version`. */
  countAt(version: number): number {
    let count = this.#versions.length;
    while (count > 0 && (this.#versions[count - 1] as number) > version) count--;
    return count;
  }

  /** Asks to be told when everything handed over by now is visible, and judges that it then is. */
  awaitVisible(): void {
    const { engine } = this;
    const version = engine.pendingVersion;
    const session = this.#session;
    engine.whenVisible(version, (error) => {
      if (session !== this.#session) return;
      const visible = engine.visibleVersion >= version;
      if (error === null && !visible) this.world.fail("visibility", `told too early of version ${version}`);
      if (error !== null && visible) this.world.fail("visibility", `${error.code} for visible version ${version}`);
    });
  }

  /** A directory has one owner: opening it again must be refused, and change nothing. */
  async openTwice(env: Env): Promise<void> {
    const looked = await look(env, this.world, this.plan);
    const refused = looked instanceof NokvError && (looked.code === "NOKV_LOCKED" || looked.code === "NOKV_IO");
    if (!refused) this.world.fail("lock", "somebody looked at a directory that is open for writing");
    try {
      await openEngine(env, this.plan.directory, this.plan.options);
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      if (error.code === "NOKV_LOCKED" || error.code === "NOKV_IO") return;
      this.world.fail("lock", `opened twice: ${error.code} ${error.message}`);
    }
    this.world.fail("lock", "the directory was opened twice");
  }

  /** Verifies the open engine while it works; what is wrong with it, or null. */
  async verify(): Promise<string | null> {
    try {
      const damage = damageIn(await this.engine.verify());
      return damage !== null && this.#explainsDamage(damage) ? null : damage;
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      if (error.code === "NOKV_CLOSED" || error.code === "NOKV_IO") return null;
      return `${error.code} ${error.message}`;
    }
  }

  /** A sync that failed may cost the log's pages their content: then the store is poisoned, too. */
  #explainsDamage(damage: string): boolean {
    return damage.includes("/wal-") && this.poisoned;
  }

  #judgeLook(looked: Looked | null, opened: Looked): void {
    const problem = looked === null ? null : judgeLook(looked, opened);
    if (problem !== null) this.world.fail("read-only", problem);
  }

  /** Bounds for the present that `read` judged lifetimes by, and what it returned. */
  timed<T>(read: () => T): { readonly value: T; readonly instant: ReadInstant } {
    const earliestMs = this.engine.nowMs();
    const value = read();
    const latestMs = this.engine.nowMs();
    if (latestMs < earliestMs || earliestMs < this.#presentMs) {
      this.world.fail("hybrid-clock", "the engine's present went back");
    }
    this.#presentMs = latestMs;
    const highestMs = Math.max(latestMs, this.readings.highestMs + hybridLeadMs);
    return { value, instant: { earliestMs, latestMs, highestMs } };
  }

  /**
   * The same for a read of `copy`, another database made from this one. Its present may be earlier: it knows of no
   * clock reading after its newest version. And what this engine found expired by then may be missing in both.
   */
  timedIn<T>(copy: Engine, read: () => T): { readonly value: T; readonly instant: ReadInstant } {
    const copyMs = copy.nowMs();
    const { value, instant } = this.timed(read);
    const earliestMs = Math.min(copyMs, instant.earliestMs);
    return { value, instant: { ...instant, earliestMs, latestMs: Math.max(copy.nowMs(), instant.latestMs) } };
  }

  /** Notes that everything acknowledged by now is durable once `promise`, of a flush, is kept. */
  secureAfter(promise: Promise<void>, failed: (error: NokvError) => void): Promise<void> {
    const session = this.#session;
    const count = this.model.acknowledgedCount;
    return promise.then(
      () => {
        if (session === this.#session) this.model.secure(count);
      },
      (error: unknown) => {
        if (!(error instanceof NokvError)) throw error;
        failed(error);
      },
    );
  }

  /** Notes that everything up to `version` is durable once `promise` is kept. */
  secureIssuedAfter(
    promise: Promise<void>,
    version: number,
    failed: (error: NokvError) => void,
  ): Promise<void> {
    const session = this.#session;
    const count = this.countAt(version);
    return promise.then(
      () => {
        if (session === this.#session) this.model.secure(count);
      },
      (error: unknown) => {
        if (!(error instanceof NokvError)) throw error;
        failed(error);
      },
    );
  }

  /** Power can fail while no process runs, too: nobody is told, but it is counted. */
  #noteCrash(): void {
    const count = this.world.faultCount("process.power-loss");
    const lost = count > this.#powerLosses && !this.plan.acknowledgedIsDurable;
    this.#powerLosses = count;
    if (lost && this.model.crashed) this.model.crash("secured");
  }

  #settle(number: number, error: NokvError | null, told: (error: NokvError | null) => void): void {
    this.#pending--;
    if (error === null) {
      this.model.acknowledge(number);
    } else {
      const { code } = error;
      if (code === "NOKV_UNDETERMINED" || code === "NOKV_POISONED") this.#poisoned = true;
      if (code !== "NOKV_UNDETERMINED") this.model.refuse(number);
    }
    told(error);
  }

  #noteVersion(number: number): void {
    const version = this.engine.pendingVersion;
    const previous = this.#versions.at(-1) ?? 0;
    if (version <= previous) {
      this.world.fail("versions", `batch ${number} got version ${version} after ${previous}`);
    }
    this.#versions.push(version);
  }

  #judgeRecovery(engine: Engine): NokvError | string | null {
    this.#engine = engine;
    this.#presentMs = 0;
    try {
      const { value: seen, instant } = this.timed(() => scanAll(engine, this.plan.families));
      return this.model.recover((state: ModelState) => judgeEverything(state, seen, instant));
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      if (error.code !== "NOKV_CORRUPTION" || this.plan.damaged !== true) return error;
      return this.model.recover(() => null);
    } finally {
      this.#engine = null;
    }
  }

  #begin(engine: Engine): void {
    this.#session++;
    this.#engine = engine;
    this.#versions = [];
    this.#pending = 0;
    this.#poisoned = false;
  }

  #end(): void {
    this.#session++;
    this.#engine = null;
    this.#pending = 0;
  }
}

/** Nothing was written to it, so nothing is in doubt when that fails. */
async function closeQuietly(engine: Engine): Promise<void> {
  try {
    await engine.close();
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
  }
}

/** Commits within one millisecond count on, past the wall clock, by at most this. */
const hybridLeadMs = 2;

function entriesOrError(engine: Engine): Looked {
  try {
    return scanAll(engine, [columnFamily.data]);
  } catch (error) {
    if (error instanceof NokvError) return error;
    throw error;
  }
}

/** Everything that plain forward scans of `families` return. */
export function scanAll(engine: Engine, families: readonly number[]): readonly SeenEntry[] {
  const seen: SeenEntry[] = [];
  for (const family of families) collect(engine.iterator({ family }), seen, family);
  return seen;
}

/** Moves `iterator` to its end, notes what it shows, and closes it, whatever happens. */
export function collect(iterator: EngineIterator, seen: SeenEntry[], family: number): void {
  try {
    while (iterator.next()) seen.push(entryOf(iterator, family));
  } finally {
    iterator.close();
  }
}

/** The current entry, copied from what the iterator lends: its own copies are compared with that. */
export function entryOf(iterator: EngineIterator, family: number): SeenEntry {
  const { keyView, valueView, expiresAtMs } = iterator;
  const lent = toText(keyView);
  const entry = { key: modelKey(family, lent), value: toText(valueView), expiresAtMs };
  const { key, value, valueLength } = iterator;
  assert(toText(key) === lent && toText(value) === entry.value, "a copy is what was lent");
  assert(valueLength === value.length, "a value is as long as its copy");
  return entry;
}
