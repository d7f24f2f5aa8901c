import type { Engine } from "../core/engine/engine.ts";
import type { Env } from "../core/env/env.ts";
import type { NokvErrorCode } from "../core/errors.ts";
import { NokvError } from "../core/errors.ts";
import type { ModelWrite } from "../sim/checkers/prefix-model.ts";
import { WriteLimits } from "../sim/checkers/write-limits.ts";
import type { Dice } from "../sim/dice.ts";
import type { CommitForm } from "./commit-form.ts";
import { openTwice, verifyOpen } from "./engine-audit.ts";
import type { EngineDriver } from "./engine-driver.ts";
import { pendingMax } from "./engine-driver.ts";
import { EngineCheckpoints } from "./engine-checkpoints.ts";
import { EngineHistories } from "./engine-histories.ts";
import { EngineMix } from "./engine-mix.ts";
import { EngineReads } from "./engine-reads.ts";
import { type Keyspace, keysMax } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

const commitForms: readonly CommitForm[] = ["callback", "callback", "promise", "sync"];
/** Commits of one turn. */
const burstMax = 24;

/** Writes beside a long operation. */
const besideMax = 12;

/** Writes are refused for want of room, and nothing that the background did has failed. */
const behindOnly = /^\d+ (memtables wait for their flush|tables wait for compaction)$/;

/** Pauses of 1 ms that a history waits for a flush or a merge. */
const endPausesMax = 60;

/** Pauses of 5 ms that a reader lets pass before it goes on. */
const acrossPausesMax = 20;

/** Errors that a workload may meet, and where. Anything else is a violation. */
export interface Tolerance {
  readonly writes: readonly NokvErrorCode[];
  readonly reads: readonly NokvErrorCode[];
  /** Of a flush or a compaction that was asked for. */
  readonly jobs: readonly NokvErrorCode[];
}

export const noErrors: Tolerance = { writes: [], reads: [], jobs: [] };

/** What a failing disk explains: reads and jobs fail, writes are refused, in doubt, or refused from then on. */
export const diskErrors: Tolerance = {
  writes: ["NOKV_UNDETERMINED", "NOKV_POISONED", "NOKV_NO_SPACE", "NOKV_IO"],
  reads: ["NOKV_IO"],
  jobs: ["NOKV_UNDETERMINED", "NOKV_POISONED", "NOKV_NO_SPACE", "NOKV_IO"],
};

/** `tolerance`, and damage at rest that is found wherever it is met. */
export function withCorruption({ writes, reads, jobs }: Tolerance): Tolerance {
  const found = "NOKV_CORRUPTION";
  return { writes: [...writes, found], reads: [...reads, found], jobs: [...jobs, found] };
}

/** Random operations on an open engine, each judged as it happens. */
export class EngineWorkload {
  readonly driver: EngineDriver;
  readonly reads: EngineReads;
  readonly checkpoints: EngineCheckpoints;
  readonly #keyspace: Keyspace;
  readonly #dice: Dice;
  readonly #mix: EngineMix;
  readonly #histories: EngineHistories;
  #limits: WriteLimits | null = null;
  /** The opening that `#limits` knows. */
  #limitsOf: Engine | null = null;
  /** Of the session that runs. */
  #env: Env | null = null;
  #tolerance = noErrors;
  #onTolerated: (error: NokvError) => void = () => {};
  #powerOff: ((calls: number) => void) | null = null;

  constructor(driver: EngineDriver, keyspace: Keyspace, dice: Dice) {
    this.driver = driver;
    this.reads = new EngineReads(driver, keyspace, dice);
    this.checkpoints = new EngineCheckpoints(driver, (error) => {
      this.#expect(error, this.#tolerance.jobs, "checkpoint");
    });
    this.#keyspace = keyspace;
    this.#dice = dice;
    this.#mix = new EngineMix(driver.world.dice("mix"));
    this.#histories = new EngineHistories(this, keyspace, dice);
  }

  tolerate(tolerance: Tolerance): void {
    this.#tolerance = tolerance;
    this.reads.tolerate(tolerance.reads);
  }

  /** Power may be lost, also where it hurts most: `act` ends the node in its `calls`-th env call from now. */
  onPowerOff(act: (calls: number) => void): void {
    this.#powerOff = act;
  }

  /** Who keeps account of the errors that were tolerated. */
  onTolerated(note: (error: NokvError) => void): void {
    this.#onTolerated = note;
    this.reads.onTolerated(note);
  }

  async step(env: Env): Promise<void> {
    this.#env = env;
    await this.#step(env);
    if (this.driver.pending >= pendingMax) await this.settled(env);
  }

  // A table of what there is, nothing more.
  // oxlint-disable-next-line complexity
  async #step(env: Env): Promise<void> {
    const dice = this.#dice;
    switch (this.#mix.step(dice)) {
      case "commit":
        return this.commit();
      case "burst":
        return this.#burst();
      case "get":
        return this.reads.get();
      case "latest":
        return this.reads.latest();
      case "scan":
        return this.reads.scan(this.#keyspace.bounds());
      case "scan-latest":
        return this.reads.scanLatest(this.#keyspace.bounds());
      case "scan-keys":
        return this.reads.scanKeys(this.#keyspace.bounds());
      case "everything":
        return this.reads.everything();
      case "held-iterator":
        return this.reads.holdIterator();
      case "snapshot":
        return this.reads.snapshot();
      case "read-across":
        return this.#readAcross(env);
      case "under-snapshots":
        return this.#histories.underSnapshots(env);
      case "large-batch":
        return this.#histories.largeBatch(env);
      case "hot-keys":
        return this.#histories.hotKeys(env);
      case "flush":
        void this.flush();
        return;
      case "compact":
        void this.compact();
        return;
      case "settle":
        return this.settled(env);
      case "in-tables":
        return this.#inTables();
      case "outlast":
        return this.#outlast(env);
      case "pause":
        return pause(env, dice.skewed(1, dice.pick([100, 10_000, 1_000_000])));
      case "verify":
        return dice.chance(1, 2) ? openTwice(this.driver, env) : this.#verify();
      case "checkpoint":
        return this.#beside(env, this.checkpoints.take(env));
      case "move":
        return this.#beside(env, this.checkpoints.move(env));
    }
  }

  /** Writes go on while `work` does. */
  async #beside(env: Env, work: Promise<void>): Promise<void> {
    const { engine } = this.driver;
    let isOver = false;
    const ended = work.then(() => {
      isOver = true;
    });
    for (let i = this.#dice.below(besideMax); i > 0; i--) {
      await pause(env, this.#dice.skewed(1, 5_000));
      if (isOver || this.driver.engine !== engine || this.driver.pending >= pendingMax) break;
      this.commit();
    }
    await ended;
  }

  commit(): void {
    const dice = this.#dice;
    const writes: ModelWrite[] = [];
    const { rangeDeletes, deletes } = this.#mix;
    for (let i = dice.pick([1, 1, 2, 6]); i > 0; i--) {
      const family = this.#keyspace.family();
      const key = this.#keyspace.key();
      const choice = dice.below(12);
      if (choice < rangeDeletes) {
        writes.push({ ...this.#keyspace.range(), family });
      } else if (choice < rangeDeletes + deletes) {
        writes.push({ key, value: null, expiresAtMs: 0, family });
      } else {
        writes.push({ key, value: this.#keyspace.value(), expiresAtMs: this.#expiry(), family });
      }
    }
    this.write(writes, dice.pick(commitForms));
    if (dice.chance(1, 8)) this.driver.awaitVisible();
  }

  write(writes: ModelWrite[], form: CommitForm): void {
    const { writes: codes } = this.#tolerance;
    const error = this.offer(writes, form, (later) => {
      if (later !== null) this.#expect(later, this.#tolerance.writes, "commit");
    });
    if (error !== null) this.#expect(error, codes, "commit");
  }

  /** As `commit` of the driver; a limit of writes per key is judged. */
  offer(writes: ModelWrite[], form: CommitForm, told: (error: NokvError | null) => void): NokvError | null {
    const error = this.#offer(writes, form, told);
    const { world } = this.driver;
    // A full or stalled disk keeps the background from getting on, and is no failure for a while.
    if (error !== null && form === "sync" && world.options.faultFree && behindOnly.test(error.message)) {
      world.fail("sync-writes", `refused although the background gets on: ${error.message}`);
    }
    return error;
  }

  #offer(writes: ModelWrite[], form: CommitForm, told: (error: NokvError | null) => void): NokvError | null {
    const limits = this.#limitsNow();
    if (limits === null) return this.driver.commit(writes, told, form);
    const fromUs = this.#env?.clock.monotonicUs() ?? 0;
    const error = this.driver.commit(writes, told, form);
    // A synchronous commit that is slowed stands still before its keys are counted.
    const call = { fromUs, untilUs: this.#env?.clock.monotonicUs() ?? 0 };
    let problem: string | null = null;
    if (error === null) problem = limits.taken(writes, call);
    else if (error.message.includes("hotKeyWritesMax")) problem = limits.refusedAtLimit(writes, call);
    else limits.refused(writes, call);
    if (problem !== null) this.driver.world.fail("write-limit", problem);
    return error;
  }

  /** Each opening counts anew. */
  #limitsNow(): WriteLimits | null {
    const { hotKeyWritesMax = 0, hotKeysMax = 0 } = this.driver.plan.options;
    if (hotKeyWritesMax === 0) return null;
    const { engine } = this.driver;
    if (this.#limits === null || this.#limitsOf !== engine) {
      this.#limits = new WriteLimits(hotKeyWritesMax, hotKeysMax >= 2 * keysMax);
      this.#limitsOf = engine;
    }
    return this.#limits;
  }

  /** So much in one turn that several segments of the log are under way at once. */
  #burst(): void {
    for (let i = this.#dice.between(3, burstMax); i > 0; i--) this.commit();
    if (this.#dice.chance(1, 4)) this.#powerOff?.(this.#dice.skewed(1, 40));
  }

  /** A reader goes on as it began while what it reads is overwritten, merged, collected and removed. */
  async #readAcross(env: Env): Promise<void> {
    if (!this.reads.beginHeld()) return;
    const { engine } = this.driver;
    for (let i = this.#dice.between(1, 8); i > 0; i--) this.commit();
    void this.compact();
    for (let i = this.#dice.between(1, acrossPausesMax); i > 0; i--) await pause(env, 5_000);
    if (this.driver.isOpen && this.driver.engine === engine) this.reads.finishHeld();
  }

  /** What outlasted the interval must outlast a power loss. */
  async #outlast(env: Env): Promise<void> {
    await this.driver.outlastInterval(env);
    if (this.#dice.chance(1, 2)) this.#powerOff?.(1);
  }

  /** What is said to be in tables survives without the log. */
  #inTables(): void {
    const { driver } = this;
    const version = driver.engine.pendingVersion;
    const secured = new Promise<void>((resolve, reject) => {
      driver.engine.whenInTables(version, (error) => (error === null ? resolve() : reject(error)));
    });
    void driver.secureIssuedAfter(secured, version, (error) => {
      this.#expect(error, this.#tolerance.jobs, "in tables");
    });
  }

  flush(): Promise<void> {
    return this.driver.secureAfter(this.driver.engine.flush(), (error) => {
      this.#expect(error, this.#tolerance.jobs, "flush");
    });
  }

  compact(): Promise<void> {
    return this.driver.secureAfter(this.driver.engine.compact(), (error) => {
      this.#expect(error, this.#tolerance.jobs, "compact");
    });
  }

  flushed(env: Env): Promise<void> {
    return waitFor(env, this.flush());
  }

  compacted(env: Env): Promise<void> {
    return waitFor(env, this.compact());
  }

  async #verify(): Promise<void> {
    const problem = await verifyOpen(this.driver);
    if (problem === null) return;
    if (this.#tolerance.reads.includes("NOKV_CORRUPTION")) {
      return this.#onTolerated(new NokvError("NOKV_CORRUPTION", problem));
    }
    this.driver.world.fail("verify", `sound, and called damaged: ${problem}`);
  }

  /** Waits for what is under way, but not for ever: a stalled disk is a fault like others. */
  async settled(env: Env): Promise<void> {
    const patience = this.#dice.skewed(4, 64);
    for (let i = 0; i < patience && this.driver.pending > 0; i++) await pause(env, 500);
  }

  /**
   * A write that must be acknowledged, sooner or later: backpressure may hold it back for a while. Null: it was;
   * else the answer at `deadlineUs`, or the first one that is not about backpressure.
   */
  async probe(env: Env, deadlineUs: number): Promise<NokvError | null> {
    const { world } = this.driver;
    this.#env = env;
    for (;;) {
      const answer = await new Promise<NokvError | null>((resolve) => {
        const write = { key: this.#keyspace.key(), value: this.#keyspace.value(), expiresAtMs: 0 };
        const refused = this.offer([write], "callback", resolve);
        if (refused !== null) resolve(refused);
      });
      if (answer === null) return null;
      const held = answer.code === "NOKV_BUSY" || answer.code === "NOKV_NO_SPACE";
      if (!held || world.nowUs > deadlineUs) return answer;
      await pause(env, 10_000);
    }
  }

  /** A flush that must succeed, sooner or later. Null: it did; else why not. */
  async probeFlush(env: Env, deadlineUs: number): Promise<string | null> {
    const { world, engine } = this.driver;
    for (;;) {
      let answer: NokvError | "flushed" | null = null;
      void engine.flush().then(
        () => {
          answer = "flushed";
        },
        (error: unknown) => {
          if (!(error instanceof NokvError)) throw error;
          answer = error;
        },
      );
      while (answer === null && world.nowUs <= deadlineUs) await pause(env, 10_000);
      const told = answer as NokvError | "flushed" | null;
      if (told === "flushed") return null;
      if (told === null) return "no answer";
      if (told.code === "NOKV_POISONED" || world.nowUs > deadlineUs) return `${told.code} ${told.message}`;
      await pause(env, 10_000);
    }
  }

  /** Mostly never; else before the present, soon, or late. */
  #expiry(): number {
    const dice = this.#dice;
    if (!dice.chance(this.#mix.expiring, 20)) return 0;
    const nowMs = this.driver.engine.nowMs();
    return dice.chance(1, 8) ? nowMs - dice.below(5) : nowMs + dice.skewed(1, 20_000);
  }

  /** Backpressure needs no fault, and a write in flight may be told that its engine was closed. */
  #expect(error: NokvError, codes: readonly NokvErrorCode[], what: string): void {
    if (error.code === "NOKV_BUSY" || error.code === "NOKV_CLOSED") return;
    if (codes.includes(error.code)) {
      this.#onTolerated(error);
      return;
    }
    this.driver.world.fail("errors", `${what}: ${error.code} ${error.message}`);
  }
}

/** A stalled disk is a fault like others: nobody waits for ever. */
async function waitFor(env: Env, work: Promise<void>): Promise<void> {
  let ended = false;
  void work.then(() => {
    ended = true;
  });
  for (let i = 0; i < endPausesMax && !ended; i++) await pause(env, 1_000);
}
