// Goal: small neighbours are merged, and nothing else; splits and merges do not undo each other.
// Method: plans are carried out on ranges of which each byte and each command is counted, and divided as stores divide.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { RegionMeta, RegionPeer } from "../raft/region.ts";
import type { MergeRegion } from "./operator.ts";
import { planDefaults, type PlanLimits, type PlanView } from "./plan-view.ts";
import { plan } from "./planner.ts";
import type { RegionReport } from "./region-report.ts";
import type { StoreLiveness, StoreStatus } from "./store-view.ts";

const splitBytes = 400;
const splitCommands = 40;
const limits: PlanLimits = {
  ...planDefaults, mergeBytesMax: splitBytes / 4, mergeCommandsPerSecondMax: splitCommands / 4, regionsPerStoreMin: 0,
};

/** The smallest part of a region: what lies at one key, and how often it is asked for. */
interface Cell {
  readonly bytes: number;
  readonly commands: number;
}

interface Part {
  readonly id: number;
  readonly cells: readonly Cell[];
  readonly version: number;
  readonly stores: readonly number[];
}

class Ranges implements PlanView {
  stores: StoreStatus[] = [1, 2, 3, 4].map((storeId) => storeStatus(storeId, "up"));
  parts: Part[];
  busy: readonly number[] = [];
  restless: readonly number[] = [];
  silent: readonly number[] = [];
  merging = 0;
  #lastId: number;

  constructor(parts: readonly (readonly Cell[])[], stores: readonly number[] = [1, 2, 3]) {
    this.parts = parts.map((cells, at) => ({ id: at + 1, cells, version: 1, stores }));
    this.#lastId = parts.length;
  }

  get regions(): RegionMeta[] {
    let at = 0;
    return this.parts.map(({ id, cells, version, stores }, i) => {
      const start = i === 0 ? new Uint8Array(0) : Uint8Array.of(at);
      at += cells.length;
      const end = i === this.parts.length - 1 ? new Uint8Array(0) : Uint8Array.of(at);
      const peers = stores.map((storeId): RegionPeer => ({ peerId: 10 * id + storeId, storeId, role: "voter" }));
      return { id, start, end, epoch: { version, confVer: 1 }, peers };
    });
  }

  leaderOf(regionId: number): { peerId: number; storeId: number; term: number } {
    return { peerId: 10 * regionId + 1, storeId: 1, term: 5 };
  }

  reportOf(regionId: number): RegionReport | null {
    const part = this.parts.find(({ id }) => id === regionId);
    if (part === undefined) return null;
    const peers = part.stores.map((storeId) => {
      const isSilent = this.silent.includes(storeId);
      return { peerId: 10 * regionId + storeId, silentMs: isSilent ? 2_000 : 0, caughtUp: !isSilent };
    });
    const sizeBytes = Math.max(1, sum(part, "bytes"));
    return { sizeBytes, commandsPerSecond: sum(part, "commands"), entriesPerSecond: 0, peers };
  }

  additionOf(): null {
    return null;
  }

  isBusy(regionId: number): boolean {
    return this.busy.includes(regionId);
  }

  isStuck(): boolean {
    return false;
  }

  avoids(): boolean {
    return false;
  }

  isQuiet(regionId: number): boolean {
    return !this.restless.includes(regionId);
  }

  merge({ regionId, targetId }: MergeRegion): void {
    const at = this.parts.findIndex(({ id }) => id === regionId);
    const [source, target] = [this.parts[at], this.parts[at + 1]];
    if (source === undefined || target?.id !== targetId) throw new Error("a region goes into its right neighbour");
    const version = Math.max(source.version + 1, target.version) + 1;
    this.parts.splice(at, 2, { ...target, cells: [...source.cells, ...target.cells], version });
  }

  /** As `SplitChecker` does: how many were divided. */
  divide(): number {
    let divided = 0;
    this.parts = this.parts.flatMap((part) => {
      const bytes = sum(part, "bytes");
      const isHot = sum(part, "commands") > splitCommands;
      const count = bytes > splitBytes ? Math.max(1, Math.floor((2 * bytes) / splitBytes) - 1) : isHot ? 1 : 0;
      const pieces = cut(part.cells, count, bytes > splitBytes ? "bytes" : "commands");
      if (pieces.length < 2) return [part];
      divided++;
      const version = part.version + pieces.length - 1;
      return pieces.map((cells, i): Part => ({ ...part, cells, version, id: i === 0 ? part.id : ++this.#lastId }));
    });
    return divided;
  }
}

function sum({ cells }: Pick<Part, "cells">, what: keyof Cell): number {
  return cells.reduce((total, cell) => total + cell[what], 0);
}

/** At `count` cells or fewer, into parts of about the same size. */
function cut(cells: readonly Cell[], count: number, by: keyof Cell): Cell[][] {
  const share = sum({ cells }, by) / (count + 1);
  const pieces: Cell[][] = [[]];
  let passed = 0;
  for (const cell of cells) {
    if (pieces.length <= count && passed >= share * pieces.length && (pieces.at(-1)?.length ?? 0) > 0) pieces.push([]);
    pieces.at(-1)?.push(cell);
    passed += cell[by];
  }
  return pieces;
}

function storeStatus(storeId: number, liveness: StoreLiveness): StoreStatus {
  const heartbeat = {
    storeId, incarnation: 1, writes: 0, capacityBytes: 1, availableBytes: 1, regionCount: 0, leaderCount: 0,
    readBytesPerSecond: 0, writtenBytesPerSecond: 0, snapshotsSending: 0, snapshotsReceiving: 0, slowScore: 1,
  };
  return { storeId, address: `s:${storeId}`, liveness, membership: "member", heartbeat };
}

function mergesOf(ranges: Ranges, more: Partial<PlanLimits> = {}): MergeRegion[] {
  const { operators } = plan(ranges, { ...limits, operatorsMax: 0, ...more });
  return operators.filter((operator) => operator.kind === "merge");
}

function pairs(merges: readonly MergeRegion[]): string[] {
  return merges.map(({ regionId, targetId }) => `${regionId} into ${targetId}`);
}

function small(count: number): Cell[][] {
  return Array.from({ length: count }, () => [{ bytes: 10, commands: 0 }]);
}

test("small neighbours go together in pairs, as many at a time as may", () => {
  const ranges = new Ranges(small(6));
  expect(pairs(mergesOf(ranges, { mergingMax: 9 }))).toEqual(["1 into 2", "3 into 4", "5 into 6"]);
  expect(pairs(mergesOf(ranges))).toEqual(["1 into 2", "3 into 4"]);
  ranges.merging = 1;
  expect(pairs(mergesOf(ranges))).toEqual(["1 into 2"]);
  expect(mergesOf(ranges, { mergeBytesMax: 0 })).toEqual([]);
  const [merge] = mergesOf(ranges);
  expect(merge).toMatchObject({ source: { storeId: 1, peerId: 11 }, term: 5, epoch: { version: 1 } });
});

test("a region stays for each store, and one in any case", () => {
  expect(mergesOf(new Ranges(small(4)), { regionsPerStoreMin: 1 })).toEqual([]);
  expect(pairs(mergesOf(new Ranges(small(5)), { regionsPerStoreMin: 1 }))).toEqual(["1 into 2"]);
  expect(mergesOf(new Ranges(small(1)))).toEqual([]);
});

test("what is large, hot, restless, changing or not told of is left alone", () => {
  const cells = (bytes: number, commands: number): Cell[][] => [[{ bytes, commands }], [{ bytes: 10, commands: 3 }]];
  expect(pairs(mergesOf(new Ranges(cells(99, 6))))).toEqual(["1 into 2"]);
  expect(mergesOf(new Ranges(cells(100, 6)))).toEqual([]);
  expect(mergesOf(new Ranges(cells(99, 7)))).toEqual([]);
  for (const name of ["busy", "restless"] as const) {
    for (const id of [1, 2]) {
      const ranges = new Ranges(small(2));
      ranges[name] = [id];
      expect(mergesOf(ranges)).toEqual([]);
    }
  }
  const untold = new Ranges(small(2));
  const { reportOf } = untold;
  untold.reportOf = (id) => {
    const report = reportOf.call(untold, id);
    return report === null ? null : { ...report, sizeBytes: 0 };
  };
  expect(mergesOf(untold)).toEqual([]);
});

test("both lie on the same stores, and every replica is there", () => {
  const apart = new Ranges(small(2));
  apart.parts = apart.parts.map((part) => (part.id === 2 ? { ...part, stores: [1, 2, 4] } : part));
  expect(mergesOf(apart)).toEqual([]);
  const silent = new Ranges(small(2));
  silent.silent = [3];
  expect(mergesOf(silent)).toEqual([]);
  const away = new Ranges(small(2));
  away.stores = away.stores.map((store) => (store.storeId === 2 ? storeStatus(2, "disconnected") : store));
  expect(mergesOf(away)).toEqual([]);
});

const cell = fc.record({ bytes: fc.integer({ min: 1, max: 60 }), commands: fc.constantFrom(0, 0, 0, 1, 6) });
const parts = fc.array(fc.array(cell, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 20 });

test("splits and merges come to rest, and neither undoes what the other did", () => {
  fc.assert(
    fc.property(parts, fc.boolean(), (drawn, dividesFirst) => {
      const ranges = new Ranges(drawn);
      let divided = dividesFirst ? ranges.divide() : 0;
      let changes = 1;
      for (let rounds = 0; changes > 0; rounds++) {
        expect(rounds).toBeLessThan(3 + drawn.length + divided);
        const merges = mergesOf(ranges);
        for (const merge of merges) ranges.merge(merge);
        const merged = ranges.parts.filter(({ id }) => merges.some(({ targetId }) => targetId === id));
        // What was merged is far from being divided.
        for (const part of merged) {
          expect(sum(part, "bytes")).toBeLessThan(splitBytes / 2);
          expect(sum(part, "commands")).toBeLessThan(splitCommands / 4);
        }
        const now = ranges.divide();
        if (rounds > 1) expect(now).toBe(0);
        divided += now;
        changes = merges.length + now;
      }
      // At rest no two neighbours are both small and cool.
      for (const [at, part] of ranges.parts.entries()) {
        const next = ranges.parts[at + 1];
        if (next === undefined) continue;
        const isSmall = [part, next].every((each) => sum(each, "bytes") < limits.mergeBytesMax);
        const commands = sum(part, "commands") + sum(next, "commands");
        expect(isSmall && commands < limits.mergeCommandsPerSecondMax).toBe(false);
      }
    }),
    { numRuns: 300 },
  );
});
