// Goal: every row of the decision tables, by its name.
// Method: one region in memory; commands are executed and applied one after another.
import { expect, test } from "vitest";
import { pointRange } from "./read.ts";
import { Stage, at, bytes, del, lockOnly, put, reason, ttlMs } from "./stage.test-support.ts";

const never = { kind: "rollback", isProtected: true } as const;

test("prewrite: own lock: its minCommitTs is returned and nothing is written", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  stage.status("a", 10, { callerTs: 50, currentTs: 40 });
  const before = stage.store.lock(bytes("a"));
  expect(stage.prewrite(10, [put("a", "other")])).toEqual({ kind: "prewritten", minCommitTs: 51 });
  expect(stage.store.lock(bytes("a"))).toEqual(before);
});

test("prewrite: lock of another: locked, with what is known of it", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  expect(stage.prewrite(20, [put("a", "2")])).toMatchObject({
    refusals: [{ kind: "locked", lock: { startTs: 10, primary: bytes("a"), ttlMs } }],
  });
});

test("prewrite: rolled back before: already rolled back", () => {
  const stage = new Stage();
  stage.rollback(10, "a", "a");
  expect(reason(stage.prewrite(10, [put("a", "1")]))).toBe("rolled-back");
  expect(stage.store.lockCount).toBe(0);
});

test("prewrite: committed before: its commit timestamp", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  expect(stage.prewrite(10, [put("a", "1")])).toEqual({ kind: "committed", commitTs: 20 });
  expect(stage.store.lockCount).toBe(0);
});

test("prewrite: a newer put, delete or lock-only commit: write conflict", () => {
  for (const mutation of [put("a", "1"), del("a"), lockOnly("a")]) {
    const stage = new Stage();
    stage.prewrite(10, [mutation]);
    stage.commit(10, 30, "a");
    const refusals = [{ kind: "write-conflict", conflictTs: 30 }];
    expect(stage.prewrite(20, [put("a", "2")])).toMatchObject({ refusals });
    expect(stage.prewrite(31, [put("a", "2")]).kind).toBe("prewritten");
  }
});

test("prewrite: a lock-only commit that began earlier than a lock-only commit before it still conflicts", () => {
  const stage = new Stage();
  stage.prewrite(15, [lockOnly("a")]);
  stage.commit(15, 18, "a");
  stage.prewrite(19, [lockOnly("a")]);
  stage.commit(19, 40, "a");
  expect(reason(stage.prewrite(30, [put("a", "2")]))).toBe("write-conflict");
});

test("prewrite: what an embedded write left at a newer version: write conflict", () => {
  const stage = new Stage();
  stage.embedded("a", 30, "old");
  expect(reason(stage.prewrite(20, [put("a", "2")]))).toBe("write-conflict");
  expect(stage.prewrite(31, [put("a", "2")]).kind).toBe("prewritten");
});

test("prewrite: a newer rollback of another transaction is no conflict", () => {
  const stage = new Stage();
  stage.rollback(30, "a", "a");
  expect(stage.prewrite(20, [put("a", "1")]).kind).toBe("prewritten");
});

test("prewrite: below the floor: too old", () => {
  const stage = new Stage();
  stage.run({ kind: "set-gc-floor", floor: 50 });
  expect(stage.prewrite(49, [put("a", "1")])).toMatchObject({ refusals: [{ kind: "too-old", floor: 50 }] });
  expect(stage.prewrite(50, [put("a", "1")]).kind).toBe("prewritten");
});

test("prewrite: a check that does not hold, or a foreign lock on what is checked: check failed", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  const absent = { checks: [{ kind: "absent", key: bytes("a") }] } as const;
  expect(reason(stage.prewrite(30, [put("b", "1")], absent))).toBe("check-failed");
  const version = (found: number) =>
    ({ checks: [{ kind: "version", key: bytes("a"), version: found, alive: true }] }) as const;
  expect(reason(stage.prewrite(30, [put("b", "1")], version(19)))).toBe("check-failed");
  expect(stage.prewrite(30, [put("b", "1")], version(20)).kind).toBe("prewritten");
  stage.prewrite(40, [put("a", "2")]);
  expect(stage.prewrite(50, [put("c", "1")], version(20))).toMatchObject({
    refusals: [{ kind: "check-failed", lock: { startTs: 40 } }],
  });
});

test("prewrite: a check of a version that has expired since: check failed", () => {
  const stage = new Stage();
  stage.store.apply([
    { kind: "data", key: bytes("a"), version: at(10), value: bytes("1"), expiresAtMs: 1_704_067_200_000 + 500 },
  ]);
  const checks = [{ kind: "version", key: bytes("a"), version: at(10), alive: true }] as const;
  expect(stage.prewrite(at(499), [put("b", "1")], { checks }).kind).toBe("prewritten");
  expect(reason(stage.prewrite(at(500), [put("c", "1")], { checks }))).toBe("check-failed");
});

test("prewrite: nothing in the way: a lock, with a small value in it and a large one beside it", () => {
  const stage = new Stage();
  expect(stage.prewrite(10, [put("a", "1"), put("b", "x".repeat(513))], { minCommitTs: 12 })).toEqual({
    kind: "prewritten",
    minCommitTs: 12,
  });
  expect(stage.store.lock(bytes("a"))?.value).toEqual(bytes("1"));
  expect(stage.store.lock(bytes("b"))?.value).toBeNull();
  expect(stage.store.prewrittenCount).toBe(1);
  stage.commit(10, 20, "a", "b");
  expect([stage.store.prewrittenCount, stage.store.lockCount]).toEqual([0, 0]);
  expect(stage.read("b", 20)).toBe("x".repeat(513));
});

test("commit: own lock: a version at the commit timestamp, and the lock is gone", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1"), del("b")]);
  expect(stage.commit(10, 20, "a", "b")).toEqual({ kind: "committed", commitTs: 20 });
  expect(stage.store.versions().map(({ version, value }) => [version, value === null])).toEqual([
    [20, false],
    [20, true],
  ]);
  expect([stage.read("a", 19), stage.read("a", 20), stage.store.lockCount]).toEqual([null, "1", 0]);
});

test("commit: below minCommitTs: expired, with the timestamp to be above", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  stage.status("a", 10, { callerTs: 30, currentTs: 20 });
  expect(stage.commit(10, 25, "a")).toMatchObject({ refusals: [{ kind: "commit-ts-expired", minCommitTs: 31 }] });
  expect(stage.commit(10, 31, "a").kind).toBe("committed");
});

test("commit: repeated: the same answer; at another timestamp: refused", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  expect(stage.commit(10, 20, "a")).toEqual({ kind: "committed", commitTs: 20 });
  expect(stage.commit(10, 21, "a")).toMatchObject({ refusals: [{ kind: "committed", commitTs: 20 }] });
  expect(stage.store.versions()).toHaveLength(1);
});

test("commit: rolled back, or never prewritten: refused, with and without another's lock", () => {
  const stage = new Stage();
  stage.rollback(10, "a", "a");
  expect(reason(stage.commit(10, 20, "a"))).toBe("rolled-back");
  expect(reason(stage.commit(11, 20, "a"))).toBe("txn-not-found");
  stage.prewrite(15, [put("a", "1")]);
  expect(reason(stage.commit(10, 20, "a"))).toBe("rolled-back");
  expect(reason(stage.commit(11, 20, "a"))).toBe("txn-not-found");
  expect(stage.store.lockCount).toBe(1);
});

test("commit: one key that can not be committed leaves the others as they are", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  expect(reason(stage.commit(10, 20, "a", "b"))).toBe("txn-not-found");
  expect([stage.store.lockCount, stage.store.versions().length]).toEqual([1, 0]);
});

test("rollback: committed: refused with the commit timestamp", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  expect(stage.rollback(10, "a", "a")).toMatchObject({ refusals: [{ kind: "committed", commitTs: 20 }] });
  expect(stage.read("a", 20)).toBe("1");
});

test("rollback: own lock: lock and value are gone, a record stays, protected at the primary only", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1"), put("b", "x".repeat(600))]);
  expect(stage.rollback(10, "a", "a", "b")).toEqual({ kind: "rolled-back" });
  expect([stage.store.lockCount, stage.store.prewrittenCount]).toEqual([0, 0]);
  expect(stage.store.record(bytes("a"), 10)).toEqual(never);
  expect(stage.store.record(bytes("b"), 10)).toEqual({ kind: "rollback", isProtected: false });
});

test("rollback: no lock: a record that keeps a late prewrite out", () => {
  const stage = new Stage();
  stage.prewrite(20, [put("b", "other")]);
  expect(stage.rollback(10, "a", "b").kind).toBe("rolled-back");
  expect(stage.store.lock(bytes("b"))?.startTs).toBe(20);
  expect(reason(stage.prewrite(10, [put("b", "late")]))).toBe("rolled-back");
});

test("rollback: the unprotected record below gives way, the protected one does not", () => {
  const stage = new Stage();
  stage.rollback(10, "p", "b");
  stage.rollback(20, "p", "b");
  expect(stage.store.recordCount).toBe(1);
  stage.rollback(30, "b", "b");
  stage.rollback(40, "p", "b");
  stage.rollback(50, "p", "b");
  const kinds = [30, 40, 50].map((ts) => stage.store.record(bytes("b"), ts)?.kind);
  expect(kinds).toEqual(["rollback", undefined, "rollback"]);
});

test("status: own lock that names another primary: mismatch", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")], { primary: bytes("p") });
  expect(stage.status("a", 10)).toMatchObject({ status: { kind: "primary-mismatch" } });
});

test("status: own lock whose time is over: rolled back, protected", () => {
  const stage = new Stage();
  stage.prewrite(at(100), [put("a", "1")]);
  expect(stage.status("a", at(100), { currentTs: at(100 + ttlMs) })).toMatchObject({ status: { kind: "locked" } });
  expect(stage.status("a", at(100), { currentTs: at(101 + ttlMs) })).toEqual({
    kind: "status",
    status: { kind: "expired" },
  });
  expect(stage.store.record(bytes("a"), at(100))).toEqual(never);
  expect(reason(stage.commit(at(100), at(5_000), "a"))).toBe("rolled-back");
});

test("status: own lock, a reader at or above minCommitTs: pushed above it", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  expect(stage.status("a", 10, { callerTs: 11, currentTs: 30 })).toMatchObject({
    status: { kind: "pushed", minCommitTs: 30 },
  });
  expect(stage.status("a", 10, { callerTs: 40, currentTs: 30 })).toMatchObject({
    status: { kind: "pushed", minCommitTs: 41 },
  });
  expect(stage.store.lock(bytes("a"))?.minCommitTs).toBe(41);
});

test("status: own lock, a reader below minCommitTs or of the newest: nothing is written", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")], { minCommitTs: 30 });
  const before = stage.store.lock(bytes("a"));
  for (const callerTs of [29, Number.MAX_SAFE_INTEGER]) {
    expect(stage.status("a", 10, { callerTs, currentTs: 40 })).toMatchObject({ status: { kind: "pushed" } });
  }
  expect(stage.store.lock(bytes("a"))).toEqual(before);
});

test("status: own lock, nobody reads: locked, with its time to live", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  expect(stage.status("a", 10)).toMatchObject({ status: { kind: "locked", lock: { ttlMs } } });
});

test("status: committed, rolled back, with and without another's lock there", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  stage.rollback(11, "a", "a");
  for (const locked of [false, true]) {
    if (locked) stage.prewrite(30, [put("a", "3")]);
    expect(stage.status("a", 10)).toMatchObject({ status: { kind: "committed", commitTs: 20 } });
    expect(stage.status("a", 11)).toMatchObject({ status: { kind: "rolled-back" } });
  }
});

test("status: none found: rolled back for good when asked to, else not found", () => {
  const stage = new Stage();
  expect(stage.status("a", 10)).toMatchObject({ status: { kind: "not-found" } });
  expect(stage.store.recordCount).toBe(0);
  expect(stage.status("a", 10, { rollbackIfMissing: true })).toMatchObject({ status: { kind: "rolled-back" } });
  expect(stage.store.record(bytes("a"), 10)).toEqual(never);
  expect(reason(stage.prewrite(10, [put("a", "1")]))).toBe("rolled-back");
});

test("status: below the safe point, where records are gone: forgotten", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  stage.run({ kind: "set-gc-floor", floor: 50 });
  const range = { start: bytes(""), end: null };
  stage.run({ kind: "collect-garbage", safePoint: 50, range, limit: 10 });
  expect(reason(stage.status("a", 10, { rollbackIfMissing: true }))).toBe("forgotten");
  expect(reason(stage.commit(10, 20, "a"))).toBe("forgotten");
  expect(reason(stage.rollback(10, "a", "a"))).toBe("forgotten");
});

test("resolve: verdicts of many transactions, in pages, on their locks alone", () => {
  const stage = new Stage();
  for (const [startTs, key] of [[10, "a"], [11, "b"], [12, "c"], [10, "d"]] as const) {
    stage.prewrite(startTs, [put(key, `${startTs}`)], { primary: bytes("p") });
  }
  const verdicts = [{ startTs: 10, commitTs: 20 }, { startTs: 12, commitTs: 0 }];
  const range = { start: bytes(""), end: null };
  const first = stage.run({ kind: "resolve-lock", verdicts, range, limit: 3 });
  expect(first).toMatchObject({ kind: "resolved", count: 2 });
  const start = first.kind === "resolved" && first.next !== null ? first.next : bytes("");
  expect(stage.run({ kind: "resolve-lock", verdicts, range: { start, end: null }, limit: 3 })).toEqual({
    kind: "resolved",
    count: 1,
    next: null,
  });
  expect(["a", "c", "d"].map((key) => stage.read(key, 20))).toEqual(["10", null, "10"]);
  expect(stage.store.lock(bytes("b"))?.startTs).toBe(11);
});

test("heart beat: own lock lives at least so long; without it: not found", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  const beat = (ms: number) =>
    stage.run({ kind: "txn-heart-beat", primary: bytes("a"), startTs: 10, ttlMs: ms });
  expect(beat(9_000)).toEqual({ kind: "alive", ttlMs: 9_000 });
  expect(beat(5_000)).toEqual({ kind: "alive", ttlMs: 9_000 });
  stage.rollback(10, "a", "a");
  expect(reason(beat(9_000))).toBe("txn-not-found");
});

test("read: a lock blocks if it writes, began at or below, may commit at or below, and is not bypassed", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1"), del("b"), lockOnly("c")], { minCommitTs: 20 });
  expect(["a", "b", "c"].map((key) => stage.read(key, 20))).toEqual(["locked", "locked", null]);
  expect([stage.read("a", 9), stage.read("a", 19), stage.read("a", 20, 10)]).toEqual([null, null, null]);
  expect(stage.read("a", Number.MAX_SAFE_INTEGER)).toBe("locked");
});

test("read: what has expired at the timestamp is not there", () => {
  const stage = new Stage();
  stage.prewrite(at(10), [put("a", "1", 1_704_067_200_000 + 500)]);
  stage.commit(at(10), at(20), "a");
  expect([stage.read("a", at(499)), stage.read("a", at(500))]).toEqual(["1", null]);
});

test("scan: ends before a locked key, says which, and goes on from there", () => {
  const stage = new Stage();
  for (const key of ["a", "b", "d"]) stage.committed(key, key, 10, 20);
  stage.prewrite(30, [put("c", "new")]);
  expect(stage.scan(40)).toMatchObject({
    entries: [{ value: bytes("a") }, { value: bytes("b") }],
    next: bytes("c"),
    lock: { startTs: 30 },
  });
  expect(stage.scan(40, { bypass: [30] })).toMatchObject({ entries: { length: 3 }, next: null, lock: null });
  expect(stage.scan(40, { limit: 2 })).toMatchObject({ entries: { length: 2 }, next: bytes("b\0"), lock: null });
});

test("refresh: a put or delete in the range, gaps included, in (startTs, commitTs]: changed", () => {
  const ranges = [{ start: bytes("a"), end: bytes("m") }];
  for (const mutation of [put("c", "1"), del("c")]) {
    const stage = new Stage();
    stage.prewrite(20, [mutation]);
    stage.commit(20, 30, "c");
    const refresh = (startTs: number, commitTs: number): string =>
      reason(stage.run({ kind: "refresh", ranges, startTs, commitTs, bypass: [] }));
    expect([refresh(29, 30), refresh(30, 40), refresh(10, 29)]).toEqual(["changed", "unchanged", "unchanged"]);
  }
});

test("refresh: a foreign lock that may commit below: locked; own and lock-only locks: not", () => {
  const stage = new Stage();
  stage.prewrite(20, [put("c", "1"), lockOnly("d")]);
  const ranges = [pointRange(bytes("c")), pointRange(bytes("d"))];
  const refresh = (startTs: number, ...bypass: readonly number[]): string =>
    reason(stage.run({ kind: "refresh", ranges, startTs, commitTs: 40, bypass }));
  expect([refresh(10), refresh(20), refresh(10, 20)]).toEqual(["locked", "unchanged", "unchanged"]);
});

test("refresh: a lifetime that ends between startTs and commitTs: changed", () => {
  const stage = new Stage();
  stage.prewrite(at(10), [put("a", "1", 1_704_067_200_000 + 500)]);
  stage.commit(at(10), at(20), "a");
  const refresh = (startTs: number, commitTs: number): string =>
    reason(stage.run({ kind: "refresh", ranges: [pointRange(bytes("a"))], startTs, commitTs, bypass: [] }));
  expect([refresh(at(30), at(499)), refresh(at(30), at(500))]).toEqual(["unchanged", "changed"]);
});

test("gc: never above the floor, never past a lock below the safe point", () => {
  const stage = new Stage();
  const range = { start: bytes(""), end: null };
  const collect = (safePoint: number): string =>
    reason(stage.run({ kind: "collect-garbage", safePoint, range, limit: 10 }));
  stage.prewrite(10, [put("a", "1")]);
  expect(collect(20)).toBe("too-old");
  stage.run({ kind: "set-gc-floor", floor: 20 });
  expect(collect(20)).toBe("locked");
  expect(collect(10)).toBe("collected");
  expect(reason(stage.commit(10, 30, "a"))).toBe("too-old");
  stage.rollback(10, "a", "a");
  expect(collect(20)).toBe("collected");
  expect([stage.store.recordCount, stage.store.gcSafePoint]).toEqual([0, 20]);
  expect(stage.run({ kind: "set-gc-floor", floor: 5 })).toEqual({ kind: "floor", floor: 20 });
});

test("gc: records and fences below the safe point go, data stays as readers at the safe point need it", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  stage.committed("a", "2", 30, 40);
  stage.committed("a", "3", 60, 70);
  stage.prewrite(45, [lockOnly("b")]);
  stage.commit(45, 46, "b");
  stage.prewrite(45, [lockOnly("c")]);
  stage.commit(45, 56, "c");
  stage.run({ kind: "set-gc-floor", floor: 50 });
  const range = { start: bytes(""), end: null };
  expect(stage.run({ kind: "collect-garbage", safePoint: 50, range, limit: 100 })).toMatchObject({ count: 5 });
  stage.store.compact(range, 50);
  expect(stage.store.versions().map(({ version }) => version)).toEqual([70, 40]);
  expect(stage.read("a", 50)).toBe("2");
  expect(reason(stage.get("a", 49))).toBe("too-old");
  expect(reason(stage.prewrite(55, [put("c", "x")]))).toBe("write-conflict");
});
