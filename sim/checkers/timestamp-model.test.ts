// Goal: each thing that the model can find wrong, it finds, and the same history without it passes.
import { expect, test } from "vitest";
import { type AtomicLog, TimestampModel, type TxnLog } from "./timestamp-model.ts";

function txn(startTs: number, commitTs: number, more: Partial<TxnLog> = {}): TxnLog {
  return {
    name: `t${startTs}`,
    serializable: false,
    calledUs: startTs,
    returnedUs: Math.max(startTs, commitTs) + 1,
    startTs,
    reads: [],
    scans: [],
    writes: new Map(),
    locked: new Set(),
    outcome: commitTs > 0 ? "committed" : "aborted",
    commitTs,
    refusal: null,
    ...more,
  };
}

function writes(entries: Readonly<Record<string, string | null>>): Map<string, string | null> {
  return new Map(Object.entries(entries));
}

/** The versions of `committed`, and what the judge says of all. */
function judge(all: readonly TxnLog[], more: readonly [string, number, string | null][] = []): string | null {
  const model = new TimestampModel();
  for (const { writes: written, commitTs, outcome } of all) {
    if (outcome !== "committed") continue;
    for (const [key, value] of written) model.observe({ key, version: commitTs, value, expiresAtMs: 0 });
  }
  for (const [key, version, value] of more) model.observe({ key, version, value, expiresAtMs: 0 });
  return model.judge(all, []);
}

const first = txn(10, 20, { writes: writes({ a: "1", b: "1" }) });

test("a right history passes", () => {
  const scan = { start: "a", end: null, limit: 9, entries: [["a", "1"], ["b", "1"]] as const };
  const reader = txn(30, 30, { reads: [{ key: "a", value: "1" }, { key: "c", value: null }], scans: [scan] });
  const old = txn(15, 15, { calledUs: 12, reads: [{ key: "a", value: null }] });
  expect(judge([first, reader, old])).toBeNull();
});

test("a wrong read, a wrong scan", () => {
  const reader = txn(30, 30, { reads: [{ key: "a", value: null }] });
  expect(judge([first, reader])).toMatch(/read a = none at 30, expected 1/);
  const scan = { start: "a", end: "b", limit: 9, entries: [] };
  expect(judge([first, txn(30, 30, { scans: [scan] })])).toMatch(/scanned a at 30/);
});

test("half of a transaction, also of one that nobody knows the end of", () => {
  const unknown = txn(30, 0, { outcome: "unknown", writes: writes({ a: "2", b: "2" }) });
  expect(judge([first, unknown])).toBeNull();
  expect(judge([first, unknown], [["a", 40, "2"], ["b", 40, "2"]])).toBeNull();
  expect(judge([first, unknown], [["a", 40, "2"]])).toMatch(/t30 committed at 40 \(unknown\), but b/);
});

test("what was aborted and is there, what is nobody's, what was written twice", () => {
  const aborted = txn(30, 0, { writes: writes({ a: "2" }) });
  expect(judge([first, aborted], [["a", 40, "2"]])).toMatch(/was aborted, and what it wrote is there at 40/);
  expect(judge([first], [["a", 40, "7"]])).toMatch(/is nobody's/);
  expect(judge([first], [["a", 20, "1"]])).toMatch(/written twice/);
});

test("a lost update, and a lock that was not kept", () => {
  const second = txn(15, 30, { calledUs: 12, writes: writes({ a: "2" }) });
  expect(judge([first, second])).toMatch(/wrote or locked a, which 1 at 20 changed in between/);
  const locker = txn(15, 30, { calledUs: 12, writes: writes({ z: "2" }), locked: new Set(["b"]) });
  expect(judge([first, locker])).toMatch(/wrote or locked b/);
});

test("write skew and phantoms: refused of a serializable transaction, allowed under snapshot isolation", () => {
  const skew = { calledUs: 12, writes: writes({ z: "2" }), reads: [{ key: "a", value: null }] };
  expect(judge([first, txn(15, 30, skew)])).toBeNull();
  expect(judge([first, txn(15, 30, { ...skew, serializable: true })])).toMatch(/read a, which 1 at 20 changed/);
  const scans = [{ start: "a", end: "c", limit: 9, entries: [] }];
  const phantom = { calledUs: 12, writes: writes({ z: "2" }), scans };
  expect(judge([first, txn(15, 30, phantom)])).toBeNull();
  expect(judge([first, txn(15, 30, { ...phantom, serializable: true })])).toMatch(/scanned a: \[\], later/);
});

test("what was over before it was called has the smaller timestamps", () => {
  expect(judge([first, txn(15, 15, { calledUs: 22 })])).toMatch(/t10 was over at 20 before t15 was called/);
});

test("an atomic operation that did something else, twice or never", () => {
  const key = new TextEncoder().encode("n");
  const operation = (more: Partial<AtomicLog>): AtomicLog => ({
    name: "op",
    calledUs: 1,
    returnedUs: 50,
    opId: 10,
    mutation: { kind: "increment", key, delta: 1n },
    valueBytesMax: 9,
    outcome: "decided",
    commitTs: 20,
    result: null,
    ...more,
  });
  const run = (more: Partial<AtomicLog>, value = "1", version = 20): string | null => {
    const model = new TimestampModel();
    model.observe({ key: "n", version, value, expiresAtMs: 0 });
    model.observeAtomic(10, version);
    return model.judge([], [operation(more)]);
  };
  const result = { applied: true, rejected: null, previous: null, count: 0, integer: 1n };
  expect(run({ result })).toBeNull();
  expect(run({ result: { ...result, integer: 2n } })).toMatch(/answered .* integer 2, expected .* integer 1/);
  expect(run({ result }, "2")).toMatch(/should have made n 1, there is 2 at 20/);
  expect(run({ result }, "1", 30)).toMatch(/happened at 20, and did at 30/);
  expect(run({ outcome: "none", result: null })).toMatch(/was said not to have happened, and did at 20/);
  expect(run({ outcome: "unknown", result: null })).toBeNull();
  const model = new TimestampModel();
  for (const [version, value] of [[20, "1"], [30, "2"]] as const) {
    model.observe({ key: "n", version, value, expiresAtMs: 0 });
  }
  model.observeAtomic(10, 20);
  model.observeAtomic(5, 30);
  const previous = { value: new TextEncoder().encode("1"), expiresAtMs: 0 };
  const early = operation({ result, returnedUs: 30 });
  const second = { ...result, previous, integer: 2n };
  const late = operation({ result: second, opId: 5, commitTs: 30, calledUs: 40, name: "late" });
  expect(model.judge([], [early, late])).toBeNull();
  expect(model.judge([], [{ ...late, returnedUs: 41 }, { ...early, calledUs: 42 }])).toMatch(
    /late was over at 30 before op was called, which began at 20/,
  );
});
