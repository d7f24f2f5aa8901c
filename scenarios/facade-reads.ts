import type { Data } from "../core/engine/arguments.ts";
import type { Db, ScanOptions } from "../core/engine/db.ts";
import type { DbIterator } from "../core/engine/db-iterator.ts";
import type { Snapshot } from "../core/engine/snapshot.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError, type NokvErrorCode } from "../core/errors.ts";
import {
  exactly,
  judgeGet,
  judgeScan,
  type ModelState,
  type ReadInstant,
  type ScanBounds,
  type SeenEntry,
} from "../sim/checkers/expected-state.ts";
import { toBytes, toText } from "../sim/checkers/text.ts";
import type { Dice } from "../sim/dice.ts";
import type { EngineDriver } from "./engine-driver.ts";
import type { Keyspace } from "./keyspace.ts";
import { pause } from "./recording-clock.ts";

const snapshotsMax = 3;
const iteratorsMax = 3;

interface View {
  readonly states: readonly ModelState[];
  readonly instant: ReadInstant;
}

interface HeldSnapshot extends View {
  readonly snapshot: Snapshot;
}

interface HeldIterator extends View {
  readonly iterator: DbIterator;
}

/** Reads through the facade, each judged against the model: at once, or as of the instant it began. */
export class FacadeReads {
  readonly #driver: EngineDriver;
  readonly #db: () => Db;
  readonly #keyspace: Keyspace;
  readonly #dice: Dice;
  #tolerated: readonly NokvErrorCode[] = [];
  #snapshots: HeldSnapshot[] = [];
  #iterators: HeldIterator[] = [];
  /** Changes with each opening: what began before speaks of another one. */
  #session = 0;
  #loops = 0;

  constructor(driver: EngineDriver, db: () => Db, keyspace: Keyspace, dice: Dice) {
    this.#driver = driver;
    this.#db = db;
    this.#keyspace = keyspace;
    this.#dice = dice;
  }

  tolerate(codes: readonly NokvErrorCode[]): void {
    this.#tolerated = codes;
  }

  /** What the program has not closed. */
  held(): { readonly iterators: number; readonly snapshots: number } {
    return { iterators: this.#iterators.length + this.#loops, snapshots: this.#snapshots.length };
  }

  /** What was open went down with the process. */
  reset(): void {
    this.#session++;
    this.#snapshots = [];
    this.#iterators = [];
    this.#loops = 0;
  }

  /** The database was closed: whatever is still held must say so, and so must the database. */
  closed(): void {
    const db = this.#db();
    const key = toBytes(this.#keyspace.key());
    for (const { iterator } of this.#iterators) this.#expectClosed(() => iterator.next());
    for (const { snapshot } of this.#snapshots) this.#expectClosed(() => db.get(key, { snapshot }));
    this.#expectClosed(() => db.get(key));
    this.#expectClosed(() => db.getInto(key, new Uint8Array(1)));
    this.#expectClosed(() => db.getMany([key]));
    this.#expectClosed(() => db.iterator());
    this.reset();
  }

  async step(env: Env): Promise<void> {
    const dice = this.#dice;
    const choice = dice.below(20);
    if (choice < 4) this.#getMany(null);
    else if (choice < 8) this.#loop();
    else if (choice < 11) this.#seek();
    else if (choice < 14) this.#snapshot();
    else if (choice < 15) this.#hold();
    else if (choice < 17) this.#walkInTurns(env);
    else if (choice < 18) this.#abort();
    else if (choice < 19) {
      // A loop that has just ended may not have said so yet.
      await pause(env, 1);
      this.#count();
    } else await pause(env, dice.skewed(1, 10_000));
  }

  everything(): void {
    this.#getMany(null);
    this.#guard(() => this.#judgeLoop({}, {}, null));
    this.#count();
  }

  /** All keys of one call, with one of them twice, from one state; the same by `get` and `has`. */
  #getMany(held: HeldSnapshot | null): void {
    const db = this.#db();
    const keys = [...this.#keyspace.keys, this.#keyspace.key()];
    const options = held === null ? {} : { snapshot: held.snapshot };
    const target = new Uint8Array(this.#dice.between(0, 100));
    this.#guard(() => {
      const read = this.#driver.timed(() => ({
        many: db.getMany(keys.map(toBytes), options).map(seenOf),
        each: keys.map((key) => seenOf(db.get(toBytes(key), options))),
        has: keys.map((key) => db.has(toBytes(key), options)),
        lengths: keys.map((key) => db.getInto(toBytes(key), target, options)),
      }));
      const { many, each, has, lengths } = read.value;
      const instant = held?.instant ?? read.instant;
      const judge = (state: ModelState): string | null => {
        for (const [index, key] of keys.entries()) {
          const problem =
            judgeGet(state, key, many[index] ?? null, instant) ?? judgeGet(state, key, each[index] ?? null, instant);
          if (problem !== null) return problem;
          const seen = has[index] === true ? { value: state.get(key)?.value ?? "" } : null;
          const absent = judgeGet(state, key, seen, instant);
          if (absent !== null) return `has: ${absent}`;
          const length = lengths[index] ?? -1;
          if (length >= 0 && length !== state.get(key)?.value.length) return `getInto: ${length} bytes`;
          if (length < 0 && seen !== null && instant.earliestMs === instant.latestMs) return "getInto: nothing";
        }
        return null;
      };
      this.#judge("getMany", held, judge);
    });
  }

  /** One of the ways to loop, by bounds or by a prefix, to its end or not. */
  #loop(): void {
    const dice = this.#dice;
    this.#guard(() => {
      if (dice.chance(1, 2)) {
        const bounds = this.#bounds();
        this.#judgeLoop(bounds, bytesOf(bounds), null);
        return;
      }
      const key = this.#keyspace.key();
      const prefix = key.slice(0, dice.between(0, key.length));
      const reverse = dice.chance(1, 2);
      const within = this.#keyspace.keys.filter((candidate) => candidate.startsWith(prefix));
      const bounds: ScanBounds = { gte: prefix, lte: within.at(-1) ?? prefix, reverse };
      this.#judgeLoop(bounds, { prefix: toBytes(prefix), reverse }, null);
    });
  }

  #judgeLoop(bounds: ScanBounds, options: ScanOptions, held: HeldSnapshot | null): void {
    const db = this.#db();
    const kind = this.#dice.pick(["entries", "iterator", "keys", "values"] as const);
    const most = this.#dice.chance(1, 4) ? this.#dice.between(1, 3) : Number.MAX_SAFE_INTEGER;
    const all = held === null ? options : { ...options, snapshot: held.snapshot };
    const keys: string[] = [];
    const values: string[] = [];
    const take = (key: Uint8Array | null, value: Uint8Array | null): boolean => {
      if (key !== null) keys.push(toText(key));
      if (value !== null) values.push(toText(value));
      return Math.max(keys.length, values.length) >= most;
    };
    const read = this.#driver.timed(() => {
      if (kind === "entries") for (const [key, value] of db.entries(all)) if (take(key, value)) break;
      if (kind === "iterator") for (const [key, value] of db.iterator(all)) if (take(key, value)) break;
      if (kind === "keys") for (const key of db.keys(all)) if (take(key, null)) break;
      if (kind === "values") for (const value of db.values(all)) if (take(null, value)) break;
    });
    const limit = Math.min(bounds.limit ?? most, most);
    const within = limit === Number.MAX_SAFE_INTEGER ? bounds : { ...bounds, limit };
    const instant = held?.instant ?? read.instant;
    const what = `${kind} ${JSON.stringify(bounds)}`;
    this.#judge(what, held, (state) => judgeWalk(state, within, { keys, values }, instant));
  }

  /** Jumps to and fro, within bounds and beyond them. */
  #seek(): void {
    const dice = this.#dice;
    const bounds = this.#bounds();
    this.#guard(() => {
      const opened = this.#driver.timed(() => this.#db().iterator(bytesOf(bounds)));
      using iterator = opened.value;
      let left = bounds.limit ?? Number.MAX_SAFE_INTEGER;
      for (let jumps = dice.between(1, 4); jumps > 0; jumps--) {
        const target = dice.chance(1, 3) ? `${this.#keyspace.key()}\x00` : this.#keyspace.key();
        iterator.seek(toBytes(target));
        const most = dice.between(1, 6);
        const keys: string[] = [];
        const copied = dice.chance(1, 2);
        while (keys.length < most && iterator.next()) keys.push(toText(copied ? iterator.key : iterator.keyView));
        const within = { ...soughtBounds(bounds, target), limit: Math.min(most, left) };
        left -= keys.length;
        const what = `seek to ${JSON.stringify(target)} in ${JSON.stringify(bounds)}`;
        const { instant } = opened;
        this.#judge(what, null, (state) => judgeWalk(state, within, { keys, values: [] }, instant), "iterator");
      }
    });
  }

  /** Takes a snapshot, reads through one in every way, or releases one. */
  #snapshot(): void {
    const dice = this.#dice;
    const held = this.#snapshots;
    if (held.length < snapshotsMax && dice.chance(1, 3)) {
      const states = this.#driver.model.at(this.#driver.visibleCount());
      const snapshot = this.#db().snapshot();
      held.push({ snapshot, states, instant: exactly(snapshot.readAtMs) });
      return;
    }
    if (held.length === 0) return;
    const index = dice.below(held.length);
    const one = held[index] as HeldSnapshot;
    if (dice.chance(1, 4)) {
      one.snapshot.release();
      held.splice(index, 1);
      return;
    }
    if (dice.chance(1, 2)) {
      this.#getMany(one);
      return;
    }
    const bounds = this.#bounds();
    this.#guard(() => this.#judgeLoop(bounds, bytesOf(bounds), one));
  }

  /** Opens an iterator to be forgotten, or closes one. */
  #hold(): void {
    const held = this.#iterators;
    if (held.length < iteratorsMax && this.#dice.chance(2, 3)) {
      const states = this.#driver.model.at(this.#driver.visibleCount());
      const opened = this.#driver.timed(() => this.#db().iterator());
      held.push({ iterator: opened.value, states, instant: opened.instant });
      return;
    }
    held.pop()?.iterator.close();
  }

  /** `for await`, with writes, merges, crashes and the end of the database between its entries. */
  #walkInTurns(env: Env): void {
    const dice = this.#dice;
    const bounds = this.#bounds();
    const session = this.#session;
    const states = this.#driver.model.at(this.#driver.visibleCount());
    const most = dice.chance(1, 3) ? dice.between(1, 3) : Number.MAX_SAFE_INTEGER;
    const opened = this.#driver.timed(() => this.#db().iterator(bytesOf(bounds)));
    this.#loops++;
    const keys: string[] = [];
    const values: string[] = [];
    const walk = async (): Promise<void> => {
      for await (const [key, value] of opened.value) {
        keys.push(toText(key));
        values.push(toText(value));
        if (keys.length >= most) break;
        if (dice.chance(1, 2)) await pause(env, dice.skewed(1, 20_000));
      }
    };
    void walk().then(
      () => {
        if (session !== this.#session) return;
        this.#loops--;
        const limit = Math.min(bounds.limit ?? most, most);
        const within = limit === Number.MAX_SAFE_INTEGER ? bounds : { ...bounds, limit };
        const problem = judgeAny(states, (state) => judgeWalk(state, within, { keys, values }, opened.instant));
        if (problem !== null) this.#driver.world.fail("iterator", `for await ${JSON.stringify(bounds)}: ${problem}`);
      },
      (error: unknown) => {
        if (!(error instanceof NokvError)) throw error;
        if (session !== this.#session) return;
        this.#loops--;
        // Closing ends it before the session is over.
        if (error.code !== "NOKV_CLOSED") this.#expect(error);
      },
    );
  }

  /** A signal that fired ends a walk at its next step, and not before. */
  #abort(): void {
    const { world } = this.#driver;
    const abort = new AbortController();
    this.#guard(() => {
      using iterator = this.#db().iterator({ signal: abort.signal });
      iterator.next();
      abort.abort();
      try {
        iterator.next();
      } catch (error) {
        if (error instanceof NokvError && error.code === "NOKV_ABORTED") return;
        throw error;
      }
      world.fail("abort", "an iterator went on although its signal had fired");
    });
  }

  /** Of the one column family that a program sees. */
  #bounds(): ScanBounds {
    const { family: _, ...bounds } = this.#keyspace.bounds();
    return bounds;
  }

  /** The database knows what is open. */
  #count(): void {
    const { open, openIterators, openSnapshots } = this.#db().stats();
    const { iterators, snapshots } = this.held();
    const told = [open.iterators, open.snapshots, openIterators, openSnapshots];
    if (told.join() === [iterators, snapshots, iterators, snapshots].join()) return;
    this.#driver.world.fail("leaks", `stats tell of ${told.join()}, open are ${iterators} and ${snapshots}`);
  }

  #judge(
    what: string,
    held: HeldSnapshot | null,
    judge: (state: ModelState) => string | null,
    oracle = held === null ? "model" : "snapshot",
  ): void {
    const { model, world } = this.#driver;
    const problem = held === null ? model.check(this.#driver.visibleCount(), judge) : judgeAny(held.states, judge);
    if (problem !== null) world.fail(oracle, `${what}: ${problem}`);
  }

  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#expect(error);
    }
  }

  #expect(error: NokvError): void {
    if (this.#tolerated.includes(error.code)) return;
    this.#driver.world.fail("reads", `a read failed: ${error.code} ${error.message}`);
  }

  #expectClosed(call: () => unknown): void {
    try {
      call();
    } catch (error) {
      if (error instanceof NokvError && error.code === "NOKV_CLOSED") return;
      throw error;
    }
    this.#driver.world.fail("closed", "something was read after the database was closed");
  }
}

function seenOf(value: Uint8Array | undefined): { readonly value: string } | null {
  return value === undefined ? null : { value: toText(value) };
}

function judgeAny(states: readonly ModelState[], judge: (state: ModelState) => string | null): string | null {
  const verdicts = states.map(judge);
  return verdicts.includes(null) ? null : (verdicts[0] ?? null);
}

/**
 * As `judgeScan`, for walks that showed keys alone, values alone, or no expiry: the rest is taken from `state`.
 * Values are unique, so they say which key they stood under.
 */
function judgeWalk(
  state: ModelState,
  bounds: ScanBounds,
  walk: { readonly keys: readonly string[]; readonly values: readonly string[] },
  instant: ReadInstant,
): string | null {
  const { keys, values } = walk;
  const seen: SeenEntry[] = [];
  for (let i = 0; i < Math.max(keys.length, values.length); i++) {
    const key = keys[i] ?? [...state].find(([, entry]) => entry.value === values[i])?.[0];
    if (key === undefined) return `no key has the value at place ${i}`;
    const entry = state.get(key);
    seen.push({ key, value: values[i] ?? entry?.value ?? "", expiresAtMs: entry?.expiresAtMs ?? 0 });
  }
  return judgeScan(state, bounds, seen, instant);
}

/** What is left of `bounds` behind a target; nothing when it lies outside. */
function soughtBounds(bounds: ScanBounds, target: string): ScanBounds {
  const { gt, gte, lt, lte, reverse } = bounds;
  const below = gte !== undefined ? target < gte : gt !== undefined && target <= gt;
  const above = lte !== undefined ? target > lte : lt !== undefined && target >= lt;
  if (below || above) return { gt: target, lt: target };
  if (reverse === true) return { ...low(bounds), lte: target, reverse };
  return { ...high(bounds), gte: target };
}

function low({ gt, gte }: ScanBounds): ScanBounds {
  return { ...(gt !== undefined && { gt }), ...(gte !== undefined && { gte }) };
}

function high({ lt, lte }: ScanBounds): ScanBounds {
  return { ...(lt !== undefined && { lt }), ...(lte !== undefined && { lte }) };
}

function bytesOf(bounds: ScanBounds): ScanOptions {
  const { gt, gte, lt, lte, reverse, limit } = bounds;
  const bytes = (text: string | undefined): Data | undefined => (text === undefined ? undefined : toBytes(text));
  return { gt: bytes(gt), gte: bytes(gte), lt: bytes(lt), lte: bytes(lte), reverse, limit };
}
