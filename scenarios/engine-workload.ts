import type { Env } from "../core/env/env.ts";
import type { NokvErrorCode } from "../core/errors.ts";
import { NokvError } from "../core/errors.ts";
import type { ModelWrite } from "../sim/checkers/prefix-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { CommitForm } from "./commit-form.ts";
import type { EngineDriver } from "./engine-driver.ts";
import { pendingMax } from "./engine-driver.ts";
import { EngineCheckpoints } from "./engine-checkpoints.ts";
import { EngineReads } from "./engine-reads.ts";
import type { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

const commitForms: readonly CommitForm[] = ["callback", "callback", "promise", "sync"];
/** Commits of one turn. */
const burstMax = 24;

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
    const dice = this.#dice;
    const choice = dice.below(100);
    if (choice < 40) this.commit();
    else if (choice < 50) this.reads.get();
    else if (choice < 58) this.reads.scan(this.#keyspace.bounds());
    else if (choice < 64) this.reads.holdIterator();
    else if (choice < 72) this.reads.snapshot();
    else if (choice < 76) this.reads.latest();
    else if (choice < 79) this.flush();
    else if (choice < 80) this.compact();
    else if (choice < 82) this.reads.everything();
    else if (choice < 84) await this.settled(env);
    else if (choice < 86) this.#burst();
    else if (choice < 87) this.reads.scanLatest(this.#keyspace.bounds());
    else if (choice < 88) this.reads.scanKeys(this.#keyspace.bounds());
    else if (choice < 89) await (dice.chance(1, 2) ? this.driver.openTwice(env) : this.#verify());
    else if (choice < 90) await this.#outlast(env);
    else if (choice < 91) await this.checkpoints.take(env);
    else if (choice < 92) this.#inTables();
    else if (choice < 93) await this.#readAcross(env);
    else if (choice < 94) await this.checkpoints.move(env);
    else await pause(env, dice.skewed(1, dice.pick([100, 10_000, 1_000_000])));
    if (this.driver.pending >= pendingMax) await this.settled(env);
  }

  commit(): void {
    const dice = this.#dice;
    const writes: ModelWrite[] = [];
    for (let i = dice.pick([1, 1, 2, 6]); i > 0; i--) {
      const family = this.#keyspace.family();
      const key = this.#keyspace.key();
      if (dice.chance(1, 12)) {
        writes.push({ ...this.#keyspace.range(), family });
      } else if (dice.chance(1, 4)) {
        writes.push({ key, value: null, expiresAtMs: 0, family });
      } else {
        writes.push({ key, value: this.#keyspace.value(), expiresAtMs: this.#expiry(), family });
      }
    }
    const { writes: codes } = this.#tolerance;
    const error = this.driver.commit(writes, (later) => {
      if (later !== null) this.#expect(later, this.#tolerance.writes, "commit");
    }, dice.pick(commitForms));
    if (error !== null) this.#expect(error, codes, "commit");
    else if (dice.chance(1, 8)) this.driver.awaitVisible();
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
    this.compact();
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

  flush(): void {
    void this.driver.secureAfter(this.driver.engine.flush(), (error) => {
      this.#expect(error, this.#tolerance.jobs, "flush");
    });
  }

  compact(): void {
    void this.driver.secureAfter(this.driver.engine.compact(), (error) => {
      this.#expect(error, this.#tolerance.jobs, "compact");
    });
  }

  async #verify(): Promise<void> {
    const problem = await this.driver.verify();
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
    for (;;) {
      const answer = await new Promise<NokvError | null>((resolve) => {
        const write = { key: this.#keyspace.key(), value: this.#keyspace.value(), expiresAtMs: 0 };
        const refused = this.driver.commit([write], resolve);
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
    if (!dice.chance(1, 5)) return 0;
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
