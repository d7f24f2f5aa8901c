// Goal: a commit step by step: what is asked in which order, and what is said when something is in the way.
// Method: the machines over regions in memory, answered by hand where a test says so.
import { expect, test } from "vitest";
import type { Prewrite } from "../percolator/command.ts";
import { bytes, put, text } from "../percolator/stage.test-support.ts";
import type { CommitOutcome } from "./commit-machine.ts";
import { ClientStage } from "./stage.test-support.ts";
import { type Transaction, begin } from "./transaction.ts";

function started(stage: ClientStage, serializable = false): Transaction {
  const begun: (Transaction | null)[] = [];
  const deadlineMs = stage.nowMs + 10_000;
  const fixed = { serializable, backgroundMs: 1_000, ttlMs: 3_000, pageEntriesMax: 100 };
  begin(stage, { ...fixed, deadlineMs }, (txn) => begun.push(txn));
  stage.run();
  const txn = begun[0] ?? null;
  if (txn === null) throw new RangeError("no transaction");
  return txn;
}

function commit(txn: Transaction): CommitOutcome[] {
  const outcomes: CommitOutcome[] = [];
  txn.commit((outcome) => outcomes.push(outcome));
  return outcomes;
}

function readBoth(stage: ClientStage, txn: Transaction): (string | null)[] {
  const found: (string | null)[] = [];
  for (const key of ["s0", "s1"]) {
    txn.get(bytes(key), (_, entry) => found.push(entry === null ? null : text(entry.value)));
  }
  stage.run();
  return found;
}

/** Two transactions that read the same two keys, each writes one of them, in two regions. */
function skew(serializable: boolean): string[] {
  const stage = new ClientStage("s1");
  const [one, two] = [started(stage, serializable), started(stage, serializable)];
  expect([...readBoth(stage, one), ...readBoth(stage, two)]).toEqual([null, null, null, null]);
  one.put(bytes("s0"), bytes("one"));
  one.put(bytes("t0"), bytes("one"));
  two.put(bytes("s1"), bytes("two"));
  two.put(bytes("a"), bytes("two"));
  const outcomes = [commit(one), commit(two)];
  stage.run();
  return outcomes.map(([outcome]) => outcome?.kind ?? "none");
}

test("write skew is allowed under snapshot isolation, and refused of serializable transactions", () => {
  expect(skew(false)).toEqual(["committed", "committed"]);
  expect(skew(true).filter((kind) => kind === "committed").length).toBeLessThan(2);
});

test("write skew in one region: the second of two in one phase finds what changed", () => {
  const stage = new ClientStage();
  const [one, two] = [started(stage, true), started(stage, true)];
  readBoth(stage, one);
  readBoth(stage, two);
  one.put(bytes("s0"), bytes("one"));
  two.put(bytes("s1"), bytes("two"));
  const outcomes = [commit(one), commit(two)];
  stage.run();
  expect(outcomes).toMatchObject([[{ kind: "committed" }], [{ kind: "aborted", refusal: { kind: "changed" } }]]);
});

test("a reader that pushes a transaction makes it take another timestamp, and reads what was before", () => {
  const stage = new ClientStage("m");
  const writer = started(stage);
  writer.put(bytes("a"), bytes("1"));
  writer.put(bytes("z"), bytes("1"));
  const outcomes = commit(writer);
  const seen: (string | null)[] = [];
  let isPushed = false;
  stage.intervene = (output) => {
    if (output.kind !== "send" || output.command.kind !== "commit" || isPushed) return null;
    isPushed = true;
    const readTs = ++stage.lastTs;
    stage.execute({
      kind: "check-txn-status",
      primary: bytes("a"),
      lockTs: writer.startTs,
      callerTs: readTs,
      currentTs: readTs,
      rollbackIfMissing: false,
    });
    const read = { kind: "get", key: bytes("a"), readTs, nowTs: readTs, bypass: [writer.startTs] } as const;
    const response = stage.execute(read);
    seen.push(response.kind === "value" && response.entry === null ? null : response.kind);
    return null;
  };
  stage.run();
  expect(seen).toEqual([null]);
  expect(outcomes).toMatchObject([{ kind: "committed" }]);
  expect(stage.story.filter((step) => step === "commit@1")).toHaveLength(2);
});

test("a transaction that read for long has as much time for its commit as another", () => {
  const stage = new ClientStage("m");
  const txn = started(stage);
  stage.nowMs += 5_000;
  stage.exchange.nowMs = stage.nowMs;
  txn.put(bytes("a"), bytes("1"));
  txn.put(bytes("z"), bytes("1"));
  commit(txn);
  const prewrites: Prewrite[] = [];
  stage.intervene = (output) => {
    if (output.kind === "send" && output.command.kind === "prewrite") prewrites.push(output.command);
    return null;
  };
  stage.run();
  expect(prewrites.map(({ ttlMs }) => ttlMs)).toEqual([8_000, 8_000]);
});

test("a transaction at work keeps its primary's lock alive, until it is decided", () => {
  const stage = new ClientStage("m");
  const txn = started(stage);
  txn.put(bytes("a"), bytes("1"));
  txn.put(bytes("z"), bytes("1"));
  const lives: number[] = [];
  let refused = 40;
  stage.intervene = (output) => {
    if (output.kind !== "send") return null;
    if (output.command.kind === "txn-heart-beat") lives.push(output.command.ttlMs);
    if (output.command.kind !== "prewrite" || output.region.range.end !== null || refused-- <= 0) return null;
    return { kind: "region-error", id: output.id, error: { kind: "busy" } };
  };
  const outcomes = commit(txn);
  stage.run();
  expect(outcomes).toMatchObject([{ kind: "aborted", refusal: null }]);
  expect(lives.slice(0, 3)).toEqual([4_500, 6_000, 7_500]);
  expect(lives.length).toBeLessThan(10);
  expect(stage.store.lockCount).toBe(0);
});

test("a check locks its key: what it found still holds at the commit", () => {
  const stage = new ClientStage("m");
  const txn = started(stage);
  const rivalTs = ++stage.lastTs;
  txn.put(bytes("a"), bytes("1"));
  txn.check({ kind: "absent", key: bytes("z") });
  const outcomes = commit(txn);
  stage.run();
  expect(outcomes).toMatchObject([{ kind: "committed" }]);
  const late = stage.execute({
    kind: "prewrite",
    startTs: rivalTs,
    primary: bytes("z"),
    mutations: [put("z", "2")],
    ttlMs: 9,
    txnSize: 1,
    minCommitTs: 0,
    checks: [],
  });
  expect(late).toMatchObject({ refusals: [{ kind: "write-conflict" }] });
});
