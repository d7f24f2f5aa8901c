import { versionMax } from "../core/bytes/record.ts";
import type { VersionedEntry, VersionedRecord, VersionedStore } from "../core/engine/versioned-store.ts";
import { compareText, show, toBytes, toText } from "../sim/checkers/text.ts";
import {
  hasExpired,
  judgeRecord,
  mayBeGone,
  type ModelEntry,
  type ModelRange,
  type ModelRecord,
  readFloor,
  type VersionedModel,
} from "../sim/checkers/versioned-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { versionFamilies, type VersionedWrites } from "./versions-plan.ts";

export interface LookParts {
  readonly world: World;
  readonly writes: VersionedWrites;
  /** Nobody knows just now what stands here. */
  readonly isBusy: (family: number, key: string) => boolean;
}

/** Reads a store of given versions and compares it with what it should hold. */
export class VersionsLook {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #writes: VersionedWrites;
  readonly #isBusy: LookParts["isBusy"];

  constructor({ world, writes, isBusy }: LookParts, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
    this.#writes = writes;
    this.#isBusy = isBusy;
  }

  /** Of the records that are there; what nobody reads any more may never have come. */
  highestVersion(store: VersionedStore): number {
    let highest = 0;
    for (const family of versionFamilies) {
      const wish = { family, start: new Uint8Array(0), end: null, versionMax, limit: 1_000, live: false };
      for (const { version } of store.scan(wish)) highest = Math.max(highest, version);
    }
    return highest;
  }

  /** One key at one version. */
  read(store: VersionedStore, model: VersionedModel, safePoint: number): void {
    const family = this.#dice.pick(versionFamilies);
    const at = this.#readAt(family, safePoint);
    const problem = this.#problemAt(store, model, { family, key: this.#writes.keyspace.key(), at, safePoint });
    if (problem !== null) this.#world.fail("reads", problem);
  }

  justApplied(store: VersionedStore, entries: readonly ModelEntry[]): void {
    for (const { family, key, ...record } of entries) {
      const found = recordOf(store.newest(family, toBytes(key), versionMax));
      const problem = judgeRecord(family, record, found, 0);
      if (problem !== null) this.#world.fail("reads", `${show(key)} just applied: ${problem}`);
    }
  }

  everything(store: VersionedStore, model: VersionedModel, safePoint: number): void {
    const problem = this.problem(store, model, safePoint);
    if (problem !== null) this.#world.fail("reads", problem);
  }

  /** The first difference at all that may still be read; null: there is none. */
  problem(store: VersionedStore, model: VersionedModel, safePoint: number): string | null {
    for (const family of versionFamilies) {
      const floor = readFloor(family, safePoint);
      for (const key of this.#writes.keyspace.keys) {
        const versions = model.records(family, key).flatMap(({ version }) => [version - 1, version]);
        for (const at of [versionMax, floor, ...versions]) {
          if (at < floor) continue;
          const problem = this.#problemAt(store, model, { family, key, at, safePoint });
          if (problem !== null) return problem;
        }
      }
      const wish = { family, start: "", end: null, at: versionMax, limit: 1_000, live: false };
      const problem = this.#scanProblem(store, model, wish, safePoint);
      if (problem !== null) return problem;
    }
    return null;
  }

  /** A range, at one version. */
  scan(store: VersionedStore, model: VersionedModel, safePoint: number): void {
    const dice = this.#dice;
    const family = dice.pick(versionFamilies);
    const { start, end } = this.#writes.ranges();
    const at = this.#readAt(family, safePoint);
    const wish = { family, start, end, at, limit: dice.pick([1, 2, 5, 1_000]), live: dice.chance(1, 2) };
    const problem = this.#scanProblem(store, model, wish, safePoint);
    if (problem !== null) this.#world.fail("reads", problem);
  }

  #readAt(family: number, safePoint: number): number {
    const floor = readFloor(family, safePoint);
    return floor === versionMax || this.#dice.chance(1, 3) ? versionMax : this.#writes.readAt(floor);
  }

  #problemAt(store: VersionedStore, model: VersionedModel, point: Point): string | null {
    const { family, key, at, safePoint } = point;
    if (this.#isBusy(family, key)) return null;
    const found = recordOf(store.newest(family, toBytes(key), at));
    const problem = judgeRecord(family, model.newest(family, key, at), found, safePoint);
    return problem === null ? null : `${show(key)} of family ${family} at ${at}: ${problem}`;
  }

  // oxlint-disable-next-line max-params
  #scanProblem(store: VersionedStore, model: VersionedModel, wish: Wish, safePoint: number): string | null {
    const { family, start, end, at, limit, live } = wish;
    const found = store
      .scan({ family, start: toBytes(start), end: end === null ? null : toBytes(end), versionMax: at, limit, live })
      .map(entryOf);
    // Of a scan over such keys only that it ends is judged.
    if (this.#writes.keyspace.keys.some((key) => this.#isBusy(family, key))) return null;
    const where = `scan of family ${family} from ${show(start)} at ${at}, limit ${limit}`;
    if (found.length > limit) return `${where}: ${found.length} entries`;
    let next = 0;
    for (const key of model.keys(family)) {
      if (compareText(key, start) < 0 || (end !== null && compareText(key, end) >= 0)) continue;
      const expected = model.newest(family, key, at);
      if (expected === null || (live && expected.value === null)) continue;
      if (next === limit) return null;
      const entry = found[next];
      if (entry?.key === key) {
        const problem = judgeRecord(family, expected, entry, safePoint);
        if (problem !== null) return `${where}: ${show(key)}: ${problem}`;
        next++;
        continue;
      }
      const buried = live && hasExpired(family, expected, safePoint);
      if (!buried && !mayBeGone(family, expected, safePoint)) return `${where}: ${show(key)} is missing`;
    }
    const extra = found[next];
    return extra === undefined ? null : `${where}: ${show(extra.key)} is too much`;
  }
}

interface Point {
  readonly family: number;
  readonly key: string;
  readonly at: number;
  readonly safePoint: number;
}

interface Wish extends ModelRange {
  readonly at: number;
  readonly limit: number;
  readonly live: boolean;
}

function recordOf(found: VersionedRecord | null): ModelRecord | null {
  if (found === null) return null;
  const { version, value, expiresAtMs } = found;
  return { version, value: value === null ? null : toText(value), expiresAtMs };
}

function entryOf({ key, version, value, expiresAtMs }: VersionedEntry): ModelRecord & { readonly key: string } {
  return { key: toText(key), version, value: value === null ? null : toText(value), expiresAtMs };
}
