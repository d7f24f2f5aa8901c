// Goal: whatever commands come in whatever order, each as often as it likes: what is decided stays decided.
// Method: fast-check draws commands of four transactions on three keys; after each, the laws are checked.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Command, TxnMutation } from "./command.ts";
import { execute } from "./execute.ts";
import { MemoryStore } from "./memory-store.ts";
import { bytes, del, lockOnly, put } from "./stage.test-support.ts";
import type { TxnRecord } from "./txn-record.ts";

const keys = ["a", "b", "c"];
const starts = [10, 20, 30, 40];
const everything = { start: bytes(""), end: null };

/** One transaction commits at one timestamp, whoever says so: that is what clients and primaries guarantee. */
function commitTsOf(startTs: number): number {
  return startTs + 15;
}

const startTs = fc.constantFrom(...starts);
const some = fc.subarray(keys, { minLength: 1 });
const mutation = (key: string): fc.Arbitrary<TxnMutation> =>
  fc.constantFrom(put(key, `${key}1`), put(key, "x".repeat(600)), del(key), lockOnly(key));
const mutations = some.chain((chosen) => fc.tuple(...chosen.map(mutation)));

const repeatable: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant("prewrite" as const),
    startTs,
    primary: fc.constant(bytes("a")),
    mutations,
    ttlMs: fc.constant(5),
    txnSize: fc.constant(3),
    minCommitTs: fc.constantFrom(0, 22),
    checks: fc.constant([]),
  }),
  fc.tuple(startTs, some).map(([ts, chosen]): Command => {
    return { kind: "commit", startTs: ts, commitTs: commitTsOf(ts), keys: chosen.map(bytes) };
  }),
  fc.tuple(startTs, some).map(([ts, chosen]): Command => {
    return { kind: "rollback", startTs: ts, primary: bytes("a"), keys: chosen.map(bytes) };
  }),
  fc.tuple(startTs, fc.nat(30)).map(([ts, ttlMs]): Command => {
    return { kind: "txn-heart-beat", primary: bytes("a"), startTs: ts, ttlMs };
  }),
);

const others: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant("check-txn-status" as const),
    primary: fc.constant(bytes("a")),
    lockTs: startTs,
    callerTs: fc.constantFrom(0, 12, 26, 50),
    currentTs: fc.constantFrom(50, 50_000),
    rollbackIfMissing: fc.boolean(),
  }),
  fc.tuple(startTs, fc.boolean(), fc.constantFrom(1, 10)).map(([ts, isCommit, limit]): Command => {
    const verdicts = [{ startTs: ts, commitTs: isCommit ? commitTsOf(ts) : 0 }];
    return { kind: "resolve-lock", verdicts, range: everything, limit };
  }),
);

type Records = ReadonlyMap<string, TxnRecord>;

function recordsOf(store: MemoryStore): Records {
  const all = keys.flatMap((key) => starts.map((ts) => [`${key}${ts}`, store.record(bytes(key), ts)] as const));
  return new Map(all.flatMap(([name, record]) => (record === null ? [] : [[name, record] as const])));
}

/** What is committed, or rolled back and protected, is that for ever; other rollbacks stay or collapse. */
function expectKept(before: Records, after: Records): void {
  for (const [name, record] of before) {
    const isCollapsible = record.kind === "rollback" && !record.isProtected;
    const now = after.get(name);
    if (!isCollapsible) expect(now, name).toEqual(record);
    else if (now !== undefined) expect(now.kind, name).toBe("rollback");
  }
}

function expectSound(store: MemoryStore): void {
  const versions = new Map(store.versions().map(({ key, version, value }) => [`${key.join()}@${version}`, value]));
  let explained = 0;
  for (const key of keys) {
    for (const ts of starts) {
      const record = store.record(bytes(key), ts);
      if (record === null || record.kind === "rollback" || record.kind === "lock") continue;
      explained++;
      const value = versions.get(`${bytes(key).join()}@${record.commitTs}`);
      expect(value === undefined ? "none" : value === null ? "delete" : "put").toBe(record.kind);
    }
  }
  expect(explained).toBe(versions.size);
  const waiting = store.locksIn(everything, 9).filter(({ lock }) => lock.kind === "put" && lock.value === null);
  expect(store.prewrittenCount).toBe(waiting.length);
}

function run(store: MemoryStore, command: Command): ReturnType<typeof execute> {
  const execution = execute(store, command);
  store.apply(execution.writes);
  return execution;
}

test("what is decided stays decided, and every version has the record that explains it", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(repeatable, others), { maxLength: 25 }), (commands) => {
      const store = new MemoryStore();
      for (const command of commands) {
        const before = recordsOf(store);
        const { response, writes } = run(store, command);
        if (response.kind === "refused") expect(writes).toEqual([]);
        expectKept(before, recordsOf(store));
        expectSound(store);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("a command that is repeated at once is answered alike and changes nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(repeatable, others), { maxLength: 15 }), repeatable, (commands, command) => {
      const store = new MemoryStore();
      for (const earlier of commands) run(store, earlier);
      const first = run(store, command);
      const second = execute(store, command);
      expect(second.response).toEqual(first.response);
      expect(second.writes).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});
