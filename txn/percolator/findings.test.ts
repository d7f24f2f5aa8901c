// Goal: what was found wrong in the original, by its number, does not happen here.
// Method: as for the decision tables; those about clients are in ../client/findings.test.ts.
import { expect, test } from "vitest";
import { Stage, at, bytes, lockOnly, put, reason, ttlMs } from "./stage.test-support.ts";

test("D7: neither a rollback nor a lock-only commit hides the committed value below it", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  stage.rollback(30, "a", "a");
  stage.prewrite(40, [lockOnly("a")]);
  stage.commit(40, 50, "a");
  expect([25, 35, 60].map((ts) => stage.read("a", ts))).toEqual(["1", "1", "1"]);
});

test("D8: a scan meets a lock on a key that was never written", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  expect(stage.scan(20)).toMatchObject({ entries: [], next: bytes("a"), lock: { startTs: 10 } });
});

test("D10: a writer that was pushed commits above the push, with a new timestamp", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  stage.status("a", 10, { callerTs: 30, currentTs: 30 });
  expect(reason(stage.commit(10, 11, "a"))).toBe("commit-ts-expired");
  expect(stage.commit(10, 40, "a").kind).toBe("committed");
  expect([stage.read("a", 30), stage.read("a", 40)]).toEqual([null, "1"]);
});

test("D12: lifetimes of locks are milliseconds of timestamps, not counts of them", () => {
  const stage = new Stage();
  stage.prewrite(at(100), [put("a", "1")]);
  const status = (currentTs: number): unknown => stage.status("a", at(100), { currentTs });
  expect(status(at(100) + ttlMs + 1)).toMatchObject({ status: { kind: "locked" } });
  expect(status(at(100 + ttlMs))).toMatchObject({ status: { kind: "locked" } });
  expect(status(at(101 + ttlMs))).toMatchObject({ status: { kind: "expired" } });
});

test("D14: a repeated prewrite does not take back what a reader has pushed", () => {
  const stage = new Stage();
  stage.prewrite(10, [put("a", "1")]);
  stage.status("a", 10, { callerTs: 30, currentTs: 30 });
  expect(stage.prewrite(10, [put("a", "1")])).toEqual({ kind: "prewritten", minCommitTs: 31 });
  expect(reason(stage.commit(10, 30, "a"))).toBe("commit-ts-expired");
});

test("D15: a primary that is locked by somebody else still says what became of the transaction", () => {
  const stage = new Stage();
  stage.committed("a", "1", 10, 20);
  stage.prewrite(30, [put("a", "2")]);
  expect(stage.status("a", 10)).toMatchObject({ status: { kind: "committed", commitTs: 20 } });
});

test("D16: a prewrite that is refused for one key locks none", () => {
  const stage = new Stage();
  stage.committed("b", "1", 10, 20);
  expect(reason(stage.prewrite(15, [put("a", "2"), put("b", "2"), put("c", "2")]))).toBe("write-conflict");
  expect(stage.store.lockCount).toBe(0);
});

test("D25: what an embedded write left is read at its version, and by nothing else than a read", () => {
  const stage = new Stage();
  stage.embedded("a", 20, "old");
  stage.embedded("a", 30, null);
  expect([19, 20, 29, 30].map((ts) => stage.read("a", ts))).toEqual([null, "old", "old", null]);
});

test("D28: a value's lifetime is judged by the timestamp of the read, the same on every replica", () => {
  const stage = new Stage();
  stage.prewrite(at(10), [put("a", "1", 1_704_067_200_000 + 50)]);
  stage.commit(at(10), at(20), "a");
  expect([at(49), at(50), at(49)].map((ts) => stage.read("a", ts))).toEqual(["1", null, "1"]);
});

test("D29: a scan goes on right behind its last key, whatever that key ends with", () => {
  const stage = new Stage();
  const keys = ["a", "a\0", "a\0\0", "ab", "b"];
  for (const key of keys) stage.committed(key, key, 10, 20);
  const met: number[][] = [];
  let start: Uint8Array | null = bytes("");
  while (start !== null) {
    const page = stage.run({ kind: "scan", range: { start, end: null }, readTs: 30, bypass: [], limit: 1 });
    if (page.kind !== "page") throw new RangeError(page.kind);
    met.push(...page.entries.map(({ key }) => [...key]));
    start = page.next;
  }
  expect(met).toEqual(keys.map((key) => [...bytes(key)]));
  const last = stage.run({
    kind: "scan",
    range: { start: Uint8Array.of(0xff, 0xff), end: null },
    readTs: 30,
    bypass: [],
    limit: 1,
  });
  expect(last).toMatchObject({ entries: [], next: null });
});
