// Goal: what happens in one region at one instant: one-phase commits and atomic operations, and their repetitions.
// Method: as for the decision tables.
import { expect, test } from "vitest";
import { Stage, at, bytes, del, lockOnly, put, reason } from "./stage.test-support.ts";
import type { Mutation } from "../../core/kv/kv.ts";
import type { OnePhase, Response } from "./command.ts";

function onePhase(stage: Stage, startTs: number, commitTs: number, more: Partial<OnePhase> = {}): Response {
  const fixed = { mutations: [put("a", "1"), del("b"), lockOnly("c")], checks: [], reads: [] };
  return stage.run({ kind: "one-phase", startTs, commitTs, ...fixed, ...more });
}

function increment(key: string): Mutation {
  return { kind: "increment", key: bytes(key), delta: 1n };
}

function putIf(key: string, value: string, condition: "absent" | "present" | "always"): Mutation {
  return { kind: "put", key: bytes(key), value: bytes(value), expiry: { kind: "never" }, condition, returning: true };
}

test("one phase: all at the commit timestamp, no lock, and again the same", () => {
  const stage = new Stage();
  expect(onePhase(stage, 10, 20)).toEqual({ kind: "committed", commitTs: 20 });
  expect(onePhase(stage, 10, 25)).toEqual({ kind: "committed", commitTs: 20 });
  expect([stage.store.lockCount, stage.store.versions().length, stage.read("a", 20)]).toEqual([0, 2, "1"]);
  for (const key of ["a", "b", "c"]) {
    expect(reason(stage.prewrite(15, [put(key, "2")]))).toBe("write-conflict");
    expect(stage.prewrite(10, [put(key, "2")])).toEqual({ kind: "committed", commitTs: 20 });
  }
});

test("one phase: locks, conflicts, rollbacks, checks and age refuse all of it", () => {
  const cases: [string, (stage: Stage) => void][] = [
    ["locked", (stage) => stage.prewrite(5, [put("a", "x")])],
    ["write-conflict", (stage) => stage.committed("b", "x", 12, 15)],
    ["rolled-back", (stage) => stage.rollback(10, "a", "c")],
    ["too-old", (stage) => stage.run({ kind: "set-gc-floor", floor: 11 })],
  ];
  for (const [expected, arrange] of cases) {
    const stage = new Stage();
    arrange(stage);
    const before = stage.store.versions().length;
    expect(reason(onePhase(stage, 10, 20))).toBe(expected);
    expect(stage.store.versions()).toHaveLength(before);
  }
  const checks = [{ kind: "version", key: bytes("z"), version: 3, alive: false }] as const;
  expect(reason(onePhase(new Stage(), 10, 20, { checks }))).toBe("check-failed");
});

test("one phase: a serializable one refuses when what it read has changed", () => {
  const reads = [{ start: bytes("m"), end: bytes("n") }];
  const stage = new Stage();
  stage.committed("mm", "1", 12, 15);
  expect(reason(onePhase(stage, 10, 20, { reads }))).toBe("changed");
  expect(onePhase(stage, 16, 20, { reads }).kind).toBe("committed");
});

test("atomic: increments in log order, each above the last", () => {
  const stage = new Stage();
  expect(stage.atomic(10, 20, increment("n"))).toMatchObject({ outcome: { integer: 1n }, commitTs: 20 });
  expect(stage.atomic(11, 21, increment("n"))).toMatchObject({ outcome: { integer: 2n } });
  expect(stage.atomic(12, 21, increment("n"))).toMatchObject({ refusals: [{ kind: "retry", newestTs: 21 }] });
  expect(stage.atomic(12, 22, increment("n"))).toMatchObject({ outcome: { integer: 3n } });
});

test("atomic: repeated under its opId: the first answer, nothing written, also after others came", () => {
  const stage = new Stage();
  const append: Mutation = { kind: "append", key: bytes("k"), suffix: bytes("xy") };
  const steps: [Mutation, number][] = [
    [putIf("k", "1", "absent"), 10],
    [putIf("k", "2", "present"), 20],
    [append, 30],
    [{ kind: "take", key: bytes("k") }, 40],
    [increment("k"), 50],
    [{ kind: "delete", keys: [bytes("k"), bytes("j")] }, 60],
    [{ kind: "put-many", keys: [bytes("k"), bytes("k")], values: [bytes("7"), bytes("8")], condition: "always" }, 70],
  ];
  const first = steps.map(([mutation, ts]) => stage.atomic(ts, ts + 1, mutation));
  const versions = stage.store.versions();
  const again = steps.map(([mutation, ts]) => stage.atomic(ts, ts + 100, mutation));
  expect(again).toEqual(first);
  expect(stage.store.versions()).toEqual(versions);
  expect(stage.read("k", 80)).toBe("8");
});

test("atomic: what was refused stays refused, however late a duplicate comes", () => {
  const stage = new Stage();
  stage.atomic(10, 11, putIf("k", "first", "always"));
  const nx = putIf("k", "second", "absent");
  expect(stage.atomic(20, 21, nx)).toMatchObject({ outcome: { applied: false } });
  stage.atomic(30, 31, { kind: "delete", keys: [bytes("k")] });
  expect(stage.atomic(20, 41, nx)).toMatchObject({ outcome: { applied: false }, commitTs: 21 });
  expect(stage.read("k", 50)).toBeNull();
});

test("atomic: a rollback of its opId keeps a late one out", () => {
  const stage = new Stage();
  stage.status("k", 10, { rollbackIfMissing: true });
  expect(reason(stage.atomic(10, 20, increment("k")))).toBe("rolled-back");
});

test("atomic: a lock of any kind refuses it, and so does a fence above it", () => {
  const stage = new Stage();
  stage.prewrite(10, [lockOnly("k")]);
  expect(reason(stage.atomic(11, 30, increment("k")))).toBe("locked");
  stage.commit(10, 40, "k");
  expect(reason(stage.atomic(11, 30, increment("k")))).toBe("retry");
  expect(stage.atomic(11, 41, increment("k")).kind).toBe("decided");
});

test("atomic: SET KEEPTTL keeps the lifetime, judged by the commit timestamp", () => {
  const epochMs = 1_704_067_200_000;
  const stage = new Stage();
  const lives: Mutation = {
    kind: "put",
    key: bytes("k"),
    value: bytes("1"),
    expiry: { kind: "after", ms: 100 },
    condition: "always",
    returning: false,
  };
  stage.atomic(at(10), at(20), lives);
  expect(stage.get("k", at(20))).toMatchObject({ entry: { expiresAtMs: epochMs + 120 } });
  stage.atomic(at(30), at(40), { ...lives, value: bytes("2"), expiry: { kind: "keep" } });
  expect(stage.get("k", at(50))).toMatchObject({ entry: { value: bytes("2"), expiresAtMs: epochMs + 120 } });
  expect(stage.read("k", at(120))).toBeNull();
});
