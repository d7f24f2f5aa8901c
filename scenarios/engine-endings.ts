import type { Env } from "../core/env/env.ts";
import type { NokvError } from "../core/errors.ts";
import type { ModelWrite } from "../sim/checkers/prefix-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { EngineWorkload } from "./engine-workload.ts";
import type { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

/** Looks, 100 ms apart, until the background must have done by itself what there is to do. */
const restLooksMax = 3_000;
/** Values that are to expire do so within this; a clock that is hours ahead of the wall has to be waited for. */
const expiryMsMax = 3_000;
const aheadMsMax = 60_000;

/**
 * The end of a run without faults: nobody asks for a merge. What was deleted, or has expired, must leave the disk by
 * itself, snapshots must hold back only what they read, and a background that rests must slow nobody.
 */
export class EngineEndings {
  readonly #workload: EngineWorkload;
  readonly #keyspace: Keyspace;
  readonly #dice: Dice;

  constructor(workload: EngineWorkload, keyspace: Keyspace, dice: Dice) {
    this.#workload = workload;
    this.#keyspace = keyspace;
    this.#dice = dice;
  }

  /** Everything goes: no table is left. */
  async vanish(env: Env, deadlineUs: number): Promise<void> {
    const { driver, reads } = this.#workload;
    const { engine, world } = driver;
    reads.releaseAll();
    const held = this.#dice.chance(1, 2) ? engine.snapshot() : null;
    const how = this.#draw(env);
    // The table of the deletes is not always one of deletes only.
    if (how !== "expiry" && this.#dice.chance(1, 2)) await this.#taken(env, this.#puts(0, 0), deadlineUs);
    const goneAtMs = how === "expiry" ? engine.nowMs() + this.#dice.between(10, expiryMsMax) : 0;
    for (const writes of this.#batches(how, goneAtMs)) await this.#taken(env, writes, deadlineUs);
    const unflushed = await this.#workload.probeFlush(env, deadlineUs);
    if (unflushed !== null) world.fail("liveness", `no flush without faults: ${unflushed}`);
    while (engine.nowMs() < goneAtMs) await pause(env, 500_000);
    if (held !== null) {
      await pause(env, this.#dice.skewed(1_000, 5_000_000));
      held.release();
    }
    for (let looks = restLooksMax; this.#tables() > 0; looks--) {
      if (looks === 0) {
        const left = `${this.#tables()} tables, ${engine.stats().rangeTombstones} range tombstones`;
        world.fail("space", `${how}: of what was deleted or has expired there are left ${left}`);
      }
      await pause(env, 100_000);
    }
  }

  /** Nothing is left to do, and so a write waits for nothing. */
  async rest(env: Env, deadlineUs: number): Promise<void> {
    const { driver } = this.#workload;
    const { engine, world } = driver;
    for (let looks = restLooksMax; !this.#rests(); looks--) {
      if (looks === 0) world.fail("liveness", "the background never comes to rest");
      await pause(env, 100_000);
    }
    const small = [{ key: this.#keyspace.keys[0] ?? "", value: "", expiresAtMs: 0 }];
    // A group that had waited once may leave its turn to the next one, which goes unjudged.
    await this.#taken(env, small, deadlineUs);
    const { slowdowns } = engine.stats();
    await this.#taken(env, small, deadlineUs);
    const stats = engine.stats();
    if (stats.pressure > 0 || stats.slowdowns > slowdowns) {
      const cause = `pressure ${stats.pressure} of ${stats.pressureCause}, ${stats.slowdowns - slowdowns} slowdowns`;
      world.fail("liveness", `the background rests, and a write is slowed: ${cause}`);
    }
  }

  #draw(env: Env): "range" | "keys" | "expiry" {
    const how = this.#dice.pick(["range", "keys", "expiry"] as const);
    const aheadMs = this.#workload.driver.engine.nowMs() - env.clock.wallMs();
    return how === "expiry" && aheadMs > aheadMsMax ? "range" : how;
  }

  #batches(how: "range" | "keys" | "expiry", expiresAtMs: number): readonly ModelWrite[][] {
    const { families, keys } = this.#keyspace;
    if (how === "expiry") return families.map((family) => this.#puts(family, expiresAtMs));
    if (how === "keys") {
      return families.map((family) => keys.map((key) => ({ key, value: null, expiresAtMs: 0, family })));
    }
    // Without a gap, since nobody knows that a table which reaches over two families has nothing between them.
    const last = families.at(-1) ?? 0;
    return [Array.from({ length: last + 1 }, (_, family) => ({ from: "", until: null, family }))];
  }

  #puts(family: number, expiresAtMs: number): ModelWrite[] {
    return this.#keyspace.keys.map((key) => ({ key, value: this.#keyspace.value(), expiresAtMs, family }));
  }

  /** Backpressure may hold it back for a while, nothing else may. */
  async #taken(env: Env, writes: ModelWrite[], deadlineUs: number): Promise<void> {
    const { world } = this.#workload.driver;
    for (;;) {
      const answer = await new Promise<NokvError | null>((resolve) => {
        const refused = this.#workload.offer(writes, "callback", resolve);
        if (refused !== null) resolve(refused);
      });
      if (answer === null) return;
      if (answer.code !== "NOKV_BUSY" || world.nowUs > deadlineUs) {
        world.fail("liveness", `no write without faults: ${answer.code} ${answer.message}`);
      }
      await pause(env, 100_000);
    }
  }

  #tables(): number {
    return this.#workload.driver.engine.stats().tablesPerLevel.reduce((sum, count) => sum + count, 0);
  }

  #rests(): boolean {
    const { compactionBacklog, immutableMemtables } = this.#workload.driver.engine.stats();
    return compactionBacklog === 0 && immutableMemtables === 0;
  }
}
