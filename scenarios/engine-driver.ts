import { assert } from "../core/assert.ts";
import type { Compression } from "../core/bytes/codec.ts";
import type { Engine } from "../core/engine/engine.ts";
import { openEngine } from "../core/engine/engine.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { judgeEverything, type ModelState } from "../sim/checkers/expected-state.ts";
import { ClockReadings } from "../sim/checkers/lifetime.ts";
import type { ModelBatch } from "../sim/checkers/prefix-model.ts";
import { PrefixModel } from "../sim/checkers/prefix-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { batchOf, type CommitForm, settleBy } from "./commit-form.ts";
import { judgeLook, look, type Looked } from "./engine-look.ts";
import type { EnginePlan } from "./engine-plan.ts";
import { closeQuietly, entriesOrError, scanAll } from "./engine-scan.ts";
import { damageIn, verifyAtRest } from "./engine-verify.ts";
import { JudgedPresent, type Timed } from "./judged-present.ts";
import { pause, recordClock } from "./recording-clock.ts";
import { WrittenValues } from "./written-values.ts";

const compressions: readonly Compression[] = ["none", "none", "deflate", "zstd"];

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
  readonly #present: JudgedPresent;

  constructor(world: World, plan: EnginePlan, readings = new ClockReadings()) {
    this.world = world;
    this.plan = plan;
    this.readings = readings;
    this.#dice = world.dice("openings");
    this.#present = new JudgedPresent(world, readings);
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
    const damages = this.#damages();
    const looked = this.#dice.chance(1, 3) ? await look(recorded, this.world, this.plan) : null;
    const verifies = this.plan.damaged !== true && this.#dice.chance(1, 4);
    const report = verifies ? await verifyAtRest(env, this.world, directory) : null;
    const damage = report === null ? null : damageIn(report);
    let engine: Engine;
    try {
      engine = await enter(recorded, directory, { ...options, compression });
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      const isNews = this.#isNews(error, damages);
      if (!isNews) this.#judgeLook(looked, error);
      const missed = report !== null && damage === null && error.code === "NOKV_CORRUPTION" && !isNews;
      if (missed) this.world.fail("verify", `called sound, and opening is refused: ${error.message}`);
      return error;
    }
    if (looked !== null) {
      const opened = entriesOrError(engine);
      if (!this.#isNews(opened, damages)) this.#judgeLook(looked, opened);
    }
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

  #judgeLook(looked: Looked | null, opened: Looked): void {
    const problem = looked === null ? null : judgeLook(looked, opened);
    if (problem !== null) this.world.fail("read-only", problem);
  }

  /** See `JudgedPresent`. */
  timed<T>(read: () => T): Timed<T> {
    return this.#present.timed(this.engine, read);
  }

  timedIn<T>(copy: Engine, read: () => T): Timed<T> {
    return this.#present.timedIn(this.engine, copy, read);
  }

  /** Notes that everything acknowledged by now is durable once `promise`, of a flush, is kept. */
  secureAfter(promise: Promise<void>, failed: (error: NokvError) => void): Promise<void> {
    return this.#secureWhen(promise, this.model.acknowledgedCount, failed);
  }

  /** Notes that everything up to `version` is durable once `promise` is kept. */
  secureIssuedAfter(promise: Promise<void>, version: number, failed: (error: NokvError) => void): Promise<void> {
    return this.#secureWhen(promise, this.countAt(version), failed);
  }

  #secureWhen(promise: Promise<void>, count: number, failed: (error: NokvError) => void): Promise<void> {
    const session = this.#session;
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

  /** What the disk did meanwhile, to a file that opening wrote, nobody could see before. */
  #isNews(opened: Looked, damagesBefore: number): boolean {
    const isDamaged = opened instanceof NokvError && opened.code === "NOKV_CORRUPTION";
    return isDamaged && this.#damages() > damagesBefore;
  }

  /** How often the disk spoiled what lies on it. */
  #damages(): number {
    const kinds = ["disk.bit-rot", "disk.misdirected-write", "disk.stale-sector"] as const;
    return kinds.reduce((sum, kind) => sum + this.world.faultCount(kind), 0);
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
    this.#present.restart();
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
