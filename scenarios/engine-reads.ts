import type { EngineIterator } from "../core/engine/iterator.ts";
import type { Snapshot } from "../core/engine/snapshot.ts";
import type { NokvErrorCode } from "../core/errors.ts";
import { NokvError } from "../core/errors.ts";
import { judgeBudgets, judgeStats } from "../sim/checkers/engine-invariants.ts";
import type {
  ModelState,
  ReadInstant,
  ScanBounds,
  SeenEntry,
} from "../sim/checkers/expected-state.ts";
import { exactly, judgeGet, judgeScan, modelKey } from "../sim/checkers/expected-state.ts";
import { toBytes, toText } from "../sim/checkers/text.ts";
import type { Dice } from "../sim/dice.ts";
import type { EngineDriver } from "./engine-driver.ts";
import { collect, entryOf } from "./engine-scan.ts";
import type { Keyspace } from "./keyspace.ts";

const snapshotsMax = 3;
/** And so many more that a history wants to look back through. */
const heldSnapshotsMax = 8;
const heldIteratorsMax = 2;

interface HeldSnapshot {
  readonly snapshot: Snapshot;
  readonly states: readonly ModelState[];
  readonly instant: ReadInstant;
}

interface HeldIterator {
  readonly iterator: EngineIterator;
  readonly bounds: ScanBounds;
  readonly states: readonly ModelState[];
  readonly instant: ReadInstant;
  readonly seen: SeenEntry[];
  /** What it lent at its last step, which must stay as it was until the next. */
  lent: { readonly key: Uint8Array; readonly value: Uint8Array } | null;
}

/** Reads of every kind, each judged against the model at once. Lives as long as the engine is open. */
export class EngineReads {
  readonly #driver: EngineDriver;
  readonly #keyspace: Keyspace;
  readonly #dice: Dice;
  #tolerated: readonly NokvErrorCode[] = [];
  #onTolerated: (error: NokvError) => void = () => {};
  #snapshots: HeldSnapshot[] = [];
  #iterators: HeldIterator[] = [];

  constructor(driver: EngineDriver, keyspace: Keyspace, dice: Dice) {
    this.#driver = driver;
    this.#keyspace = keyspace;
    this.#dice = dice;
  }

  /** Errors that the faults of the run explain; a read that fails with any other is a violation. */
  tolerate(codes: readonly NokvErrorCode[]): void {
    this.#tolerated = codes;
  }

  /** Who keeps account of the errors that were tolerated. */
  onTolerated(note: (error: NokvError) => void): void {
    this.#onTolerated = note;
  }

  /** What was open went down with the engine. */
  reset(): void {
    this.#snapshots = [];
    this.#iterators = [];
  }

  get(): void {
    this.#get(this.#keyspace.key(), this.#keyspace.family());
  }

  scan(bounds: ScanBounds): void {
    const count = this.#driver.visibleCount();
    const seen: SeenEntry[] = [];
    const judge = (within: ScanBounds, instant: ReadInstant): void => {
      this.#judge("scan", count, (state) => judgeScan(state, within, seen, instant));
    };
    this.#guard(() => {
      const before = this.#driver.timed(() => {});
      try {
        const { instant } = this.#driver.timed(() => this.#collect(bounds, null, seen));
        judge(bounds, instant);
      } catch (error) {
        // What came before the failure was an answer too.
        if (error instanceof NokvError && seen.length > 0) {
          const { instant } = this.#driver.timed(() => {});
          const { earliestMs } = before.instant;
          judge({ ...bounds, limit: seen.length }, { ...instant, earliestMs });
        }
        throw error;
      }
    });
  }

  /** Everything handed over, in order, whether or not a crash could take it back. */
  scanLatest(bounds: ScanBounds): void {
    this.#guard(() => {
      const seen: SeenEntry[] = [];
      const options = { ...bytesOf(bounds), latest: true };
      const { engine } = this.#driver;
      const { instant } = this.#driver.timed(() => collect(engine.iterator(options), seen, bounds.family ?? 0));
      const count = this.#driver.model.issuedCount;
      this.#judge("scan of the latest", count, (state) => judgeScan(state, bounds, seen, instant));
    });
  }

  /** Keys alone are the keys of the whole entries. */
  scanKeys(bounds: ScanBounds): void {
    const { engine, world } = this.#driver;
    this.#guard(() => {
      const snapshot = engine.snapshot();
      try {
        const { family = 0 } = bounds;
        const [entries, keys]: [SeenEntry[], SeenEntry[]] = [[], []];
        collect(engine.iterator({ ...bytesOf(bounds), snapshot }), entries, family);
        collect(engine.iterator({ ...bytesOf(bounds), snapshot, keysOnly: true }), keys, family);
        const same = keys.length === entries.length && keys.every(({ key }, i) => key === entries[i]?.key);
        if (!same) world.fail("iterator", `${describe(bounds)}: keys alone differ from keys with values`);
      } finally {
        snapshot.release();
      }
    });
  }

  /** The newest record, also of a batch that no crash-safe read may show yet. */
  latest(): void {
    const [key, family] = [this.#keyspace.key(), this.#keyspace.family()];
    this.#guard(() => {
      const read = this.#driver.timed(() => this.#driver.engine.latest(toBytes(key), family));
      const { value } = read.value;
      const seen = value === null ? null : { value: toText(value) };
      const count = this.#driver.model.issuedCount;
      this.#judge("latest", count, (state) => judgeGet(state, modelKey(family, key), seen, read.instant));
    });
  }

  /** Takes a snapshot, reads through one, or releases one. */
  snapshot(): void {
    const held = this.#snapshots;
    if (held.length < snapshotsMax && this.#dice.chance(1, 3)) return this.hold();
    if (held.length === 0) return;
    const index = this.#dice.below(held.length);
    const one = held[index] as HeldSnapshot;
    if (this.#dice.chance(1, 4)) {
      one.snapshot.release();
      held.splice(index, 1);
      return;
    }
    this.#guard(() => {
      this.#readSnapshot(one);
    });
  }

  /** Takes a snapshot and keeps it; when there are many, the oldest goes. */
  hold(): void {
    const { engine } = this.#driver;
    if (this.#snapshots.length >= heldSnapshotsMax) this.#snapshots.shift()?.snapshot.release();
    const { value: snapshot, instant } = this.#driver.timed(() => engine.snapshot());
    const states = this.#driver.model.at(this.#driver.visibleCount());
    const { readAtMs } = snapshot;
    if (readAtMs < instant.earliestMs || readAtMs > instant.latestMs) {
      this.#driver.world.fail("snapshot", `taken at ${readAtMs}ms, not at the engine's present`);
    }
    this.#snapshots.push({ snapshot, states, instant: exactly(readAtMs) });
  }

  /** Looks for `keys` in every snapshot there is, one by one and by a scan. */
  throughSnapshots(keys: readonly string[], family: number): void {
    for (const held of this.#snapshots) {
      this.#guard(() => {
        for (const key of keys) this.#getThrough(held, key, family);
        this.#scanThrough(held, { family, reverse: this.#dice.chance(1, 2) });
      });
    }
  }

  getOf(key: string, family: number): void {
    this.#get(key, family);
  }

  /** Opens an iterator, moves one on by a step, or closes one: writes and merges happen in between. */
  holdIterator(): void {
    const { engine } = this.#driver;
    const held = this.#iterators;
    if (held.length < heldIteratorsMax && this.#dice.chance(1, 4)) {
      const bounds = this.#keyspace.bounds();
      const states = this.#driver.model.at(this.#driver.visibleCount());
      this.#guard(() => {
        const opened = this.#driver.timed(() => engine.iterator(bytesOf(bounds)));
        held.push({ iterator: opened.value, bounds, states, instant: opened.instant, seen: [], lent: null });
      });
      return;
    }
    if (held.length === 0) return;
    const index = this.#dice.below(held.length);
    const one = held[index] as HeldIterator;
    const finished = this.#guard(() => this.#advance(one, this.#dice.between(1, 5)));
    if (finished === false) return;
    one.iterator.close();
    held.splice(index, 1);
  }

  /** Opens an iterator over everything and takes its first step. False: there is none to go on with. */
  beginHeld(): boolean {
    const held = this.#iterators;
    if (held.length >= heldIteratorsMax) return false;
    const states = this.#driver.model.at(this.#driver.visibleCount());
    const opened = this.#driver.timed(() => this.#driver.engine.iterator({}));
    const one = { iterator: opened.value, bounds: {}, states, instant: opened.instant, seen: [], lent: null };
    // After an error or at its end there is nothing to go on with.
    const goesOn = this.#guard(() => !this.#advance(one, 1)) === true;
    if (goesOn) held.push(one);
    else one.iterator.close();
    return goesOn;
  }

  /** Moves every iterator that is held open to its end: what happened meanwhile must not show. */
  finishHeld(): void {
    for (const one of this.#iterators.splice(0)) {
      this.#guard(() => this.#advance(one, Number.MAX_SAFE_INTEGER));
      one.iterator.close();
    }
  }

  /** Forward, backward and key by key, all agree with each other and the model. */
  everything(): void {
    for (const family of this.#keyspace.families) {
      this.scan({ family });
      this.scan({ family, reverse: true });
    }
    const held = { iterators: this.#iterators.length, snapshots: this.#snapshots.length };
    const stats = this.#driver.engine.stats();
    const problem = judgeStats(stats, held) ?? judgeBudgets(stats, this.#driver.plan.options);
    if (problem !== null) this.#driver.world.fail("stats", problem);
    for (const family of this.#keyspace.families) {
      for (const key of this.#keyspace.keys) this.#get(key, family);
    }
  }

  /** Ends what is open, as a well-behaved user does before closing the engine. */
  releaseAll(): void {
    for (const { iterator } of this.#iterators) iterator.close();
    for (const { snapshot } of this.#snapshots) snapshot.release();
    this.reset();
  }

  #get(key: string, family: number): void {
    const count = this.#driver.visibleCount();
    this.#guard(() => {
      const read = this.#driver.timed(() => this.#driver.engine.get(toBytes(key), null, family));
      const seen = read.value === null ? null : { value: toText(read.value) };
      this.#judge("get", count, (state) => judgeGet(state, modelKey(family, key), seen, read.instant));
    });
  }

  #readSnapshot(held: HeldSnapshot): void {
    if (this.#dice.chance(1, 2)) this.#getThrough(held, this.#keyspace.key(), this.#keyspace.family());
    else this.#scanThrough(held, this.#keyspace.bounds());
  }

  #getThrough(held: HeldSnapshot, key: string, family: number): void {
    const value = this.#driver.engine.get(toBytes(key), held.snapshot, family);
    const seen = value === null ? null : { value: toText(value) };
    const problem = judgeAll(held.states, (state) => judgeGet(state, modelKey(family, key), seen, held.instant));
    if (problem !== null) this.#driver.world.fail("snapshot", `get: ${problem}`);
  }

  #scanThrough(held: HeldSnapshot, bounds: ScanBounds): void {
    const seen: SeenEntry[] = [];
    this.#collect(bounds, held.snapshot, seen);
    const problem = judgeAll(held.states, (state) => judgeScan(state, bounds, seen, held.instant));
    if (problem !== null) this.#driver.world.fail("snapshot", `${describe(bounds)}: ${problem}`);
  }

  /** True: the iterator reached its end and what it returned was right. */
  #advance(held: HeldIterator, steps: number): boolean {
    this.#checkLent(held);
    for (let i = 0; i < steps; i++) {
      held.lent = null;
      if (!held.iterator.next()) {
        const { seen, bounds, instant } = held;
        const problem = judgeAll(held.states, (state) => judgeScan(state, bounds, seen, instant));
        if (problem !== null) {
          this.#driver.world.fail("iterator", `${describe(bounds)}, held open: ${problem}`);
        }
        return true;
      }
      const family = held.bounds.family ?? 0;
      held.seen.push(entryOf(held.iterator, family));
      held.lent = { key: held.iterator.keyView, value: held.iterator.valueView };
    }
    return false;
  }

  /** Other reads, writes and merges happened since the iterator's last step. */
  #checkLent({ lent, seen, bounds }: HeldIterator): void {
    const last = seen.at(-1);
    if (lent === null || last === undefined) return;
    if (modelKey(bounds.family ?? 0, toText(lent.key)) === last.key && toText(lent.value) === last.value) return;
    this.#driver.world.fail("iterator", `${describe(bounds)}, held open: what it lent at ${last.key} changed`);
  }

  #collect(bounds: ScanBounds, snapshot: Snapshot | null, seen: SeenEntry[]): void {
    const options = snapshot === null ? bytesOf(bounds) : { ...bytesOf(bounds), snapshot };
    collect(this.#driver.engine.iterator(options), seen, bounds.family ?? 0);
  }

  #judge(what: string, count: number, judge: (state: ModelState) => string | null): void {
    const problem = this.#driver.model.check(count, judge);
    if (problem !== null) this.#driver.world.fail("model", `${what}: ${problem}`);
  }

  /** Runs one read. Undefined: it failed as the disk's faults allow. */
  #guard<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      if (this.#tolerated.includes(error.code)) {
        this.#onTolerated(error);
        return undefined;
      }
      this.#driver.world.fail("reads", `a read failed: ${error.code} ${error.message}`);
    }
  }
}

function judgeAll(
  states: readonly ModelState[],
  judge: (state: ModelState) => string | null,
): string | null {
  let problem: string | null = null;
  for (const state of states) {
    const verdict = judge(state);
    if (verdict === null) return null;
    problem ??= verdict;
  }
  return problem;
}

interface ByteBounds {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly family?: number;
}

function bytesOf(bounds: ScanBounds): ByteBounds {
  const { gt, gte, lt, lte, reverse, limit, family } = bounds;
  return {
    ...(gt !== undefined && { gt: toBytes(gt) }),
    ...(gte !== undefined && { gte: toBytes(gte) }),
    ...(lt !== undefined && { lt: toBytes(lt) }),
    ...(lte !== undefined && { lte: toBytes(lte) }),
    ...(reverse !== undefined && { reverse }),
    ...(limit !== undefined && { limit }),
    ...(family !== undefined && { family }),
  };
}

function describe(bounds: ScanBounds): string {
  return `scan ${JSON.stringify(bounds)}`;
}
