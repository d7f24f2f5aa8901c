// Goal: what was found wrong in the original's client, by its number, does not happen here.
// Method: the client's machines, answered by hand, over regions in memory.
import { expect, test } from "vitest";
import { bytes, text } from "../percolator/stage.test-support.ts";
import { AtomicMachine, type AtomicOutcome } from "./atomic-machine.ts";
import { Backoff, type WaitClass } from "./backoff.ts";
import type { CommitOutcome } from "./commit-machine.ts";
import { ClientStage } from "./stage.test-support.ts";
import { type Transaction, begin } from "./transaction.ts";

const budgetMs = 10_000;

function started(stage: ClientStage): Transaction {
  const begun: Transaction[] = [];
  const deadlineMs = stage.nowMs + budgetMs;
  const fixed = { serializable: false, backgroundMs: 1_000, ttlMs: 3_000, pageEntriesMax: 2 };
  begin(stage, { ...fixed, deadlineMs }, (txn) => {
    if (txn !== null) begun.push(txn);
  });
  stage.run();
  const [txn] = begun;
  if (txn === undefined) throw new RangeError("no transaction");
  return txn;
}

function put(stage: ClientStage, ...keys: readonly string[]): CommitOutcome[] {
  const outcomes: CommitOutcome[] = [];
  const txn = started(stage);
  for (const key of keys) txn.put(bytes(key), bytes(`${key}!`));
  txn.commit((outcome) => outcomes.push(outcome));
  return outcomes;
}

function read(stage: ClientStage, key: string): string | null {
  const found: (string | null)[] = [];
  started(stage).get(bytes(key), (_, entry) => found.push(entry === null ? null : text(entry.value)));
  stage.run();
  return found[0] ?? null;
}

test("D9: the commit timestamp is fetched after the last prewrite has answered", () => {
  const stage = new ClientStage("m");
  const outcomes = put(stage, "a", "z");
  stage.run();
  expect(outcomes).toMatchObject([{ kind: "committed" }]);
  expect(stage.story).toEqual(["timestamp", "prewrite@1", "prewrite@2", "timestamp", "commit@1", "commit@2"]);
});

test("D11: increments of many clients at one time are all counted, and repeated ones once", () => {
  const stage = new ClientStage();
  const results: (bigint | string)[] = [];
  const increment = (): void =>
    new AtomicMachine(stage.calls(), { kind: "increment", key: bytes("n"), delta: 1n }, 100).run((outcome) =>
      results.push(outcome.kind === "decided" ? outcome.outcome.integer : outcome.kind),
    );
  for (let i = 0; i < 5; i++) increment();
  let lost = 2;
  stage.intervene = (output) => {
    if (output.kind !== "send" || lost-- <= 0) return null;
    stage.execute(output.command);
    return { kind: "lost", id: output.id };
  };
  stage.run();
  expect(results.map(String).sort()).toEqual(["1", "2", "3", "4", "5"]);
  expect(read(stage, "n")).toBe("5");
});

test("D13: a secondary that can not be committed does not fail the transaction", () => {
  const stage = new ClientStage("m");
  const outcomes = put(stage, "a", "z");
  stage.intervene = (output) =>
    output.kind === "send" && output.command.kind === "commit" && outcomes.length > 0
      ? { kind: "lost", id: output.id }
      : null;
  stage.run();
  expect(outcomes).toMatchObject([{ kind: "committed" }]);
  stage.intervene = () => null;
  expect([read(stage, "a"), read(stage, "z")]).toEqual(["a!", "z!"]);
  expect(stage.store.lockCount).toBe(0);
});

test("D13: a commit of the primary that is never answered is undetermined, executed or not", () => {
  for (const isExecuted of [true, false]) {
    const stage = new ClientStage("m");
    const outcomes = put(stage, "a", "z");
    stage.intervene = (output) => {
      if (output.kind !== "send" || output.command.kind !== "commit") return null;
      if (isExecuted) stage.execute(output.command);
      return { kind: "lost", id: output.id };
    };
    stage.run();
    expect(outcomes).toEqual([{ kind: "undetermined" }]);
  }
});

test("D13: a one-phase commit and an atomic operation that are never answered are undetermined", () => {
  const stage = new ClientStage();
  const atomic: AtomicOutcome[] = [];
  const outcomes = put(stage, "a", "b");
  new AtomicMachine(stage.calls(), { kind: "take", key: bytes("n") }, 100).run((outcome) => atomic.push(outcome));
  stage.intervene = (output) => (output.kind === "send" ? { kind: "lost", id: output.id } : null);
  stage.run();
  expect([outcomes, atomic]).toEqual([[{ kind: "undetermined" }], [{ kind: "undetermined" }]]);
});

test("D12: a prewrite that failed leaves no lock behind", () => {
  const stage = new ClientStage("m");
  const loser = started(stage);
  const winner = put(stage, "z");
  stage.run();
  const outcomes: CommitOutcome[] = [];
  loser.put(bytes("a"), bytes("1"));
  loser.put(bytes("z"), bytes("1"));
  loser.commit((outcome) => outcomes.push(outcome));
  stage.run();
  expect(winner).toMatchObject([{ kind: "committed" }]);
  expect(outcomes).toMatchObject([{ kind: "aborted", refusal: { kind: "write-conflict" } }]);
  expect(stage.store.lockCount).toBe(0);
});

test("D24: after a split the keys of one region go to two", () => {
  const stage = new ClientStage("t");
  const outcomes = put(stage, "a", "f", "z");
  const sent: string[] = [];
  stage.intervene = (output) => {
    if (output.kind === "send" && output.command.kind === "prewrite") {
      if (sent.length === 0) stage.layOut(2, "d", "t");
      sent.push(output.command.mutations.map(({ key }) => text(key)).join());
    }
    return null;
  };
  stage.run();
  expect(sent).toEqual(["a,f", "z", "a", "f", "z"]);
  expect(outcomes).toMatchObject([{ kind: "committed" }]);
});

test("D24: what was sent in one phase and split is one transaction still, committed or not", () => {
  for (const isExecuted of [true, false]) {
    const stage = new ClientStage();
    const outcomes = put(stage, "a", "z");
    stage.intervene = (output) => {
      if (output.kind !== "send" || output.command.kind !== "one-phase") return null;
      if (isExecuted) stage.execute(output.command);
      stage.layOut(2, "m");
      stage.cache.insert(stage.regions[0] ?? output.region);
      stage.cache.insert(stage.regions[1] ?? output.region);
      return { kind: "lost", id: output.id };
    };
    stage.run();
    expect(outcomes).toMatchObject([{ kind: "committed" }]);
    expect(stage.store.versions()).toHaveLength(2);
    expect([read(stage, "a"), read(stage, "z")]).toEqual(["a!", "z!"]);
  }
});

test("D30: a scan waits for what is locked instead of leaving it out", () => {
  const stage = new ClientStage("m");
  put(stage, "a", "b", "z");
  stage.intervene = (output) =>
    output.kind === "send" && output.command.kind === "commit" && text(output.command.keys[0] ?? bytes("")) !== "a"
      ? { kind: "lost", id: output.id }
      : null;
  stage.run();
  stage.intervene = () => null;
  expect(stage.store.lockCount).toBe(2);
  const found: string[] = [];
  started(stage).scan({ start: bytes(""), end: null }, 10, (_, entries) =>
    found.push(...entries.map(({ key }) => text(key))),
  );
  stage.run();
  expect(found).toEqual(["a", "b", "z"]);
});

test("D29: a scan of many pages misses no key, whatever its keys end with", () => {
  const stage = new ClientStage("a\0\0");
  const keys = ["a", "a\0", "a\0\0", "a\0\0\0", "a\x01", "ab", "b"];
  put(stage, ...keys);
  stage.run();
  const found: string[] = [];
  started(stage).scan({ start: bytes(""), end: null }, 10, (_, entries) =>
    found.push(...entries.map(({ key }) => text(key))),
  );
  stage.run();
  expect(found).toEqual(keys);
});

test("D33: waits grow per class, are drawn, and end with the budget", () => {
  const waits = (reason: WaitClass, draw: (n: number) => number, deadlineMs = 1e9): (number | null)[] => {
    const backoff = new Backoff(deadlineMs, draw);
    return Array.from({ length: 10 }, () => backoff.next(reason, 0));
  };
  const longest = (n: number): number => n - 1;
  expect(waits("region-miss", longest)).toEqual([1, 2, 4, 8, 16, 32, 64, 100, 100, 100]);
  expect(waits("rpc", longest).slice(-3)).toEqual([500, 500, 500]);
  expect(waits("lock", () => 0).slice(0, 5)).toEqual([1, 2, 4, 8, 16]);
  expect(waits("busy", longest, 100)).toEqual([20, 40, 80, null, null, null, null, null, null, null]);
  const backoff = new Backoff(1_000, longest);
  backoff.next("rpc", 0);
  backoff.next("lock", 0);
  backoff.next("rpc", 0);
  expect(backoff.history()).toBe("locks of other transactions once, answers of stores 2 times");
});
