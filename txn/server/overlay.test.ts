// Goal: commands over the engine's families, many in one batch, do what they do one by one in memory.
// Method: fast-check draws commands; one store applies each at once, the other runs them through the overlay in runs of
// any length and puts each run into the engine as one batch. Answers, states and effects must be the same.
import fc from "fast-check";
import { expect, test } from "vitest";
import { columnFamily, versionMax } from "../../core/bytes/record.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import { HistoryHash } from "../../raft/store/history-hash.ts";
import type { Command, TxnMutation } from "../percolator/command.ts";
import { execute } from "../percolator/execute.ts";
import { MemoryStore } from "../percolator/memory-store.ts";
import { bytes, del, lockOnly, put } from "../percolator/stage.test-support.ts";
import type { View, Write } from "../percolator/view.ts";
import { hashWrites } from "./effects.ts";
import { EngineView } from "./engine-view.ts";
import { MemoryVersionedStore } from "./memory-versioned-store.ts";
import { Overlay } from "./overlay.ts";
import { putGcState, readGcState } from "./region-state.ts";

const keys = ["a", "a\0", "b", "c", "d"];
const starts = [10, 20, 30, 40];
const startTs = fc.constantFrom(...starts);
const ts = fc.constantFrom(5, 12, 25, 27, 35, 45, 55, 99);
const key = fc.constantFrom(...keys);
const some = fc.subarray(keys, { minLength: 1 });
const limit = fc.constantFrom(1, 2, 3, 10);
const mutation = (name: string): fc.Arbitrary<TxnMutation> =>
  fc.constantFrom(put(name, `${name}1`), put(name, "x".repeat(600)), del(name), lockOnly(name));
const mutations = some.chain((chosen) => fc.tuple(...chosen.map(mutation)));
const range = fc.tuple(key, fc.option(key)).map(([a, b]) => ({ start: bytes(a), end: b === null ? null : bytes(b) }));

const writing: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(startTs, mutations).map(([at, chosen]): Command => {
    const fixed = { primary: bytes("a"), ttlMs: 5, txnSize: 3, minCommitTs: 0, checks: [] };
    return { kind: "prewrite", startTs: at, mutations: chosen, ...fixed };
  }),
  fc.tuple(startTs, some).map(([at, chosen]): Command => {
    return { kind: "commit", startTs: at, commitTs: at + 15, keys: chosen.map(bytes) };
  }),
  fc.tuple(startTs, some).map(([at, chosen]): Command => {
    return { kind: "rollback", startTs: at, primary: bytes("a"), keys: chosen.map(bytes) };
  }),
  fc.tuple(startTs, fc.boolean(), range, limit).map(([at, isCommit, within, most]): Command => {
    const verdicts = [{ startTs: at, commitTs: isCommit ? at + 15 : 0 }];
    return { kind: "resolve-lock", verdicts, range: within, limit: most };
  }),
  fc.tuple(startTs, mutations, range).map(([at, chosen, read]): Command => {
    return { kind: "one-phase", startTs: at, commitTs: at + 6, mutations: chosen, checks: [], reads: [read] };
  }),
  fc.tuple(startTs, key, fc.bigInt(-3n, 3n)).map(([at, name, delta]): Command => {
    const asked = { kind: "increment", key: bytes(name), delta } as const;
    return { kind: "atomic", opId: at + 1, commitTs: at + 2, mutation: asked, valueBytesMax: 100 };
  }),
  fc.constantFrom(15, 33).map((floor): Command => ({ kind: "set-gc-floor", floor })),
  fc.tuple(fc.constantFrom(15, 33), range, limit).map(([safePoint, within, most]): Command => {
    return { kind: "collect-garbage", safePoint, range: within, limit: most };
  }),
);
const reading: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(key, ts).map(([name, at]): Command => {
    return { kind: "get", key: bytes(name), readTs: at, nowTs: at, bypass: [] };
  }),
  fc.tuple(range, ts, limit).map(([within, at, most]): Command => {
    return { kind: "scan", range: within, readTs: at, bypass: [], limit: most };
  }),
  fc.tuple(range, limit).map(([within, most]): Command => {
    return { kind: "scan-locks", range: within, belowTs: 35, limit: most };
  }),
  fc.tuple(range, startTs, ts).map(([within, at, commitTs]): Command => {
    return { kind: "refresh", ranges: [within], startTs: at, commitTs, bypass: [] };
  }),
);

/** Everything that a command could see. */
function seen(view: View): unknown {
  const all = { start: bytes(""), end: null };
  const low = { start: bytes("a\0"), end: bytes("d") };
  return [
    [view.gcFloor, view.gcSafePoint],
    keys.map((name) => [view.lock(bytes(name)), view.prewritten(bytes(name))]),
    keys.map((name) => starts.map((at) => [view.record(bytes(name), at), view.recordBefore(bytes(name), at)])),
    [5, 25, 45, 99].map((at) => [view.dataIn(all, at, 99), view.dataIn(low, at, 2)]),
    [view.locksIn(all, 99), view.locksIn(low, 2)],
    [view.recordsIn(all, 99), view.recordsIn(all, 1), view.recordsIn(low, 2)],
  ];
}

test("what commands see and do does not depend on how they are put into batches", () => {
  const drawn = fc.oneof({ weight: 4, arbitrary: writing }, { weight: 1, arbitrary: reading });
  const run = fc.array(drawn, { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 6 }), (runs) => {
      const memory = new MemoryStore();
      const store = new MemoryVersionedStore();
      const [expected, found] = [new HistoryHash(), new HistoryHash()];
      const view = new EngineView(store, readGcState(store, 7));
      for (const commands of runs) {
        const overlay = new Overlay(view);
        for (const command of commands) {
          const once = execute(memory, command);
          const here = execute(overlay, command);
          expect(here).toEqual(once);
          memory.apply(once.writes);
          overlay.apply(here.writes);
          hashWrites(expected, once.writes);
          hashWrites(found, here.writes);
        }
        expect(seen(overlay)).toEqual(seen(memory));
        const batch = new VersionedBatch();
        overlay.flush(batch, store);
        putGcState(batch, store, 7, { floor: overlay.gcFloor, safePoint: overlay.gcSafePoint });
        store.apply(batch);
        view.gc = readGcState(store, 7);
        expect(seen(view)).toEqual(seen(memory));
      }
      expect(found).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test("the hash of effects tells effects apart, and knows nothing of a store's own versions", () => {
  const of = (...writes: readonly Write[]): string => {
    const hash = new HistoryHash();
    hashWrites(hash, writes);
    return `${hash.high}.${hash.low}`;
  };
  const data = { kind: "data", key: bytes("k"), version: 5, value: bytes("v"), expiresAtMs: 0 } as const;
  const record = { kind: "record", key: bytes("k"), startTs: 3, record: { kind: "put", commitTs: 5 } } as const;
  const all = [
    of(),
    of(data),
    of({ ...data, version: 6 }),
    of({ ...data, value: null }),
    of({ ...data, expiresAtMs: 1 }),
    of(record),
    of({ ...record, record: null }),
    of(data, record),
    of(record, data),
    of({ kind: "gc-floor", ts: 5 }),
    of({ kind: "gc-safe-point", ts: 5 }),
    of({ kind: "prewritten", key: bytes("k"), value: null }),
    of({ kind: "lock", key: bytes("k"), lock: null }),
  ];
  expect(new Set(all).size).toBe(all.length);
});

test("a lock that comes and goes within one batch leaves nothing in the engine", () => {
  const store = new MemoryVersionedStore();
  const overlay = new Overlay(new EngineView(store, { floor: 0, safePoint: 0 }));
  const run = (command: Command): void => overlay.apply(execute(overlay, command).writes);
  const fixed = { primary: bytes("a"), ttlMs: 5, txnSize: 1, minCommitTs: 0, checks: [] };
  run({ kind: "prewrite", startTs: 10, mutations: [put("a", "x".repeat(600))], ...fixed });
  run({ kind: "commit", startTs: 10, commitTs: 20, keys: [bytes("a")] });
  const batch = new VersionedBatch();
  overlay.flush(batch, store);
  expect(batch.writes.map(({ family }) => family)).toEqual([columnFamily.data, columnFamily.txn]);
  store.apply(batch);
  expect(store.newest(columnFamily.data, bytes("a"), versionMax)?.version).toBe(20);
});
