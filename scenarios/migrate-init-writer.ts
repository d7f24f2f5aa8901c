import { ContentHash, type ContentSum } from "../core/bytes/content-hash.ts";
import { compareKeys } from "../core/bytes/record.ts";
import type { Env } from "../core/env/env.ts";
import { type Db, openDb } from "../core/engine/db.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { NokvError } from "../core/errors.ts";
import type { Dice } from "../sim/dice.ts";
import { pause } from "./recording-clock.ts";

/** What a key was set to last. */
export interface Written {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Unix milliseconds; 0: never. */
  readonly expiresAtMs: number;
}

/** An application of before the migration: fills a directory through the embedded library, and knows what it wrote. */
export class MigrateInitWriter {
  readonly #directory: string;
  readonly #options: Partial<EngineOptions>;
  readonly #dice: Dice;
  readonly #keys: number;
  readonly #written = new Map<string, Written>();

  // oxlint-disable-next-line max-params
  constructor(directory: string, options: Partial<EngineOptions>, dice: Dice, keys: number) {
    this.#directory = directory;
    this.#options = options;
    this.#dice = dice;
    this.#keys = keys;
  }

  /** Everything that is not deleted, over or not, by key. */
  get written(): readonly Written[] {
    return [...this.#written.values()].toSorted((a, b) => compareKeys(a.key, b.key));
  }

  async fill(env: Env, steps: number): Promise<void> {
    let db = await openDb(env, this.#directory, this.#options);
    for (let left = steps; left > 0; left--) {
      const choice = this.#dice.below(40);
      if (choice === 0) await db.flush();
      else if (choice === 1) await db.compact();
      else if (choice === 2) {
        await db.close();
        db = await openDb(env, this.#directory, this.#options);
      } else await this.#write(env, db, choice);
    }
    await db.close();
  }

  /** One of each kind, whatever was drawn: lifetimes, a value in a file of its own, a range that is gone. */
  async certain(env: Env): Promise<void> {
    const db = await openDb(env, this.#directory, this.#options);
    for (let number = 0; number < 16; number++) await this.#set(env, db, keyOf(number), this.#dice.bytes(20), 0);
    if (this.#dice.chance(1, 2)) await db.flush();
    await this.#set(env, db, keyOf(1), this.#dice.bytes(3_000), 0);
    await this.#set(env, db, keyOf(2), this.#dice.bytes(9), 200);
    await this.#set(env, db, keyOf(4), this.#dice.bytes(9), 60_000);
    await this.#set(env, db, keyOf(5), this.#dice.bytes(9), 3_600_000);
    await this.#deleteRange(env, db, keyOf(8), keyOf(11));
    if (this.#dice.chance(1, 2)) await db.compact();
    await this.#set(env, db, keyOf(9), this.#dice.bytes(9), 0);
    await db.close();
  }

  async #write(env: Env, db: Db, choice: number): Promise<void> {
    if (choice <= 5) {
      const low = this.#dice.below(this.#keys);
      const high = low + this.#dice.below(this.#keys);
      return await this.#deleteRange(env, db, keyOf(low), keyOf(high));
    }
    const key = keyOf(this.#dice.below(this.#keys));
    if (choice <= 12) {
      await again(env, () => db.delete(key));
      this.#written.delete(key.join());
      return;
    }
    const value = this.#dice.bytes(this.#dice.pick([0, 5, 40, 400, 3_000]));
    await this.#set(env, db, key, value, this.#dice.pick([0, 0, 0, 1, 200, 3_600_000]));
  }

  // oxlint-disable-next-line max-params
  async #set(env: Env, db: Db, key: Uint8Array, value: Uint8Array, lifeMs: number): Promise<void> {
    const expiresAtMs = lifeMs === 0 ? 0 : Math.floor(env.clock.wallMs()) + lifeMs;
    await again(env, () => db.set(key, value, expiresAtMs === 0 ? {} : { expiresAtMs }));
    this.#written.set(key.join(), { key, value, expiresAtMs });
  }

  // oxlint-disable-next-line max-params
  async #deleteRange(env: Env, db: Db, gte: Uint8Array, lt: Uint8Array): Promise<void> {
    await again(env, () => db.deleteRange({ gte, lt }));
    for (const [name, { key }] of this.#written) {
      if (compareKeys(gte, key) <= 0 && compareKeys(key, lt) < 0) this.#written.delete(name);
    }
  }
}

/** What of it was there at `ms`. */
export function contentAt(written: readonly Written[], ms: number): ContentSum {
  const hash = new ContentHash();
  for (const { key, value, expiresAtMs } of written) {
    if (isThere(expiresAtMs, ms)) hash.entry(key, value, expiresAtMs);
  }
  return hash.sum;
}

export function isThere(expiresAtMs: number, ms: number): boolean {
  return expiresAtMs === 0 || expiresAtMs > ms;
}

/** Zero bytes and bytes of all ones among them: transactions escape the one, bounds have trouble with the other. */
function keyOf(number: number): Uint8Array {
  if (number % 11 === 3) return Uint8Array.of(0, number);
  if (number % 11 === 7) return Uint8Array.of(0xff, 0xff, number);
  return new TextEncoder().encode(`key ${String(number).padStart(3, "0")}`);
}

/** Memory is small here: a write may have to wait for a flush. */
async function again(env: Env, write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof NokvError) || error.code !== "NOKV_BUSY") throw error;
      await pause(env, 1_000);
    }
  }
}
