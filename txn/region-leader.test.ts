// Goal: what the leader of a region lets through, holds back and takes a timestamp for.
import { expect, test } from "vitest";
import type { Command, OnePhase } from "./percolator/command.ts";
import { execute } from "./percolator/execute.ts";
import { MemoryStore } from "./percolator/memory-store.ts";
import { bytes, put } from "./percolator/stage.test-support.ts";
import { RegionLeader } from "./region-leader.ts";

class LeaderStage {
  readonly store = new MemoryStore();
  readonly leader = new RegionLeader(this.store);

  constructor() {
    this.leader.lead(1);
  }

  /** Kinds and tokens of what is to be done now. */
  take(): string[] {
    this.leader.settle();
    return this.leader.outputs.splice(0).map((output) => `${output.kind} ${output.token}`);
  }

  /** Applies the next proposal among the outputs. */
  apply(): void {
    this.leader.settle();
    const at = this.leader.outputs.findIndex(({ kind }) => kind === "propose");
    const [output] = this.leader.outputs.splice(at, 1);
    if (output?.kind !== "propose") throw new RangeError("nothing is proposed");
    const { response, writes } = execute(this.store, output.command);
    this.store.apply(writes);
    this.leader.appliedWrites(writes);
    this.leader.applied(output.token, response);
  }
}

function increment(key: string, opId: number): Command {
  const mutation = { kind: "increment", key: bytes(key), delta: 1n } as const;
  return { kind: "atomic", opId, commitTs: 0, mutation, valueBytesMax: 100 };
}

function get(key: string, readTs: number): Command {
  return { kind: "get", key: bytes(key), readTs, nowTs: readTs, bypass: [] };
}

function onePhase(startTs: number, key: string, reads: OnePhase["reads"]): Command {
  return { kind: "one-phase", startTs, commitTs: 0, mutations: [put(key, "1")], checks: [], reads };
}

test("a read of a claimed key waits until the claims that it met are over, and for no later ones", () => {
  const stage = new LeaderStage();
  const { leader } = stage;
  leader.request(1, increment("n", 10));
  leader.request(2, get("n", 30));
  leader.request(3, increment("n", 11));
  leader.request(4, get("m", 30));
  expect(stage.take()).toEqual(["timestamp 1", "timestamp 3", "respond 4"]);
  leader.timestamp(1, 20);
  stage.apply();
  expect(stage.take()).toEqual(["respond 1", "respond 2"]);
});

test("operations on one key are proposed in the order of their timestamps", () => {
  const stage = new LeaderStage();
  const { leader } = stage;
  leader.request(1, increment("n", 10));
  leader.request(2, increment("n", 11));
  leader.request(3, increment("m", 12));
  stage.take();
  leader.timestamp(2, 21);
  leader.timestamp(1, 20);
  leader.timestamp(3, 19);
  expect(stage.take()).toEqual(["propose 2", "timestamp 1", "propose 3"]);
  leader.timestamp(1, 22);
  expect(stage.take()).toEqual(["propose 1"]);
});

test("a timestamp that comes in another term is worth nothing, also when the same leader is back", () => {
  const stage = new LeaderStage();
  const { leader } = stage;
  leader.request(1, increment("n", 10));
  leader.stepDown();
  leader.lead(3);
  leader.request(2, get("n", 30));
  expect(stage.take()).toEqual(["timestamp 1", "respond 2"]);
  leader.timestamp(1, 20);
  expect(stage.take()).toEqual(["not-leader 1"]);
});

test("who leads no more turns away what waits and what comes", () => {
  const stage = new LeaderStage();
  const { leader } = stage;
  leader.request(1, increment("n", 10));
  leader.request(2, get("n", 30));
  leader.stepDown();
  leader.request(3, get("n", 30));
  expect(stage.take()).toEqual(["timestamp 1", "not-leader 2", "not-leader 3"]);
});

test("writes into a range that a one-phase transaction has read wait for it, and it for them", () => {
  const stage = new LeaderStage();
  const { leader } = stage;
  const reads = [{ start: bytes("m"), end: bytes("p") }];
  leader.request(1, onePhase(10, "a", reads));
  leader.request(2, increment("n", 11));
  leader.request(3, onePhase(12, "b", reads));
  expect(stage.take()).toEqual(["timestamp 1", "timestamp 3"]);
  leader.timestamp(1, 20);
  stage.apply();
  leader.timestamp(3, 21);
  stage.apply();
  expect(stage.take()).toEqual(["respond 1", "respond 3", "timestamp 2"]);
});

test("what finds a newer version takes another timestamp by itself", () => {
  const stage = new LeaderStage();
  const { leader } = stage;
  stage.store.apply([{ kind: "data", key: bytes("n"), version: 25, value: bytes("7"), expiresAtMs: 0 }]);
  leader.request(1, increment("n", 10));
  stage.take();
  leader.timestamp(1, 20);
  stage.apply();
  expect(stage.take()).toEqual(["timestamp 1"]);
  leader.timestamp(1, 30);
  stage.apply();
  expect(leader.outputs).toMatchObject([{ kind: "respond", response: { outcome: { integer: 8n }, commitTs: 30 } }]);
});

test("operations on a hot key go on together: one after the other in the log, none waits for another's round", () => {
  const stage = new LeaderStage();
  const { leader } = stage;
  for (const token of [1, 2, 3, 4]) leader.request(token, increment("n", 10 + token));
  leader.request(5, get("n", 90));
  expect(stage.take()).toEqual(["timestamp 1", "timestamp 2", "timestamp 3", "timestamp 4"]);
  for (const token of [1, 2, 3, 4]) leader.timestamp(token, 20 + token);
  expect(leader.outputs.map(({ kind, token }) => `${kind} ${token}`)).toEqual(
    [1, 2, 3, 4].map((token) => `propose ${token}`),
  );
  leader.request(6, increment("n", 15));
  for (let i = 0; i < 4; i++) stage.apply();
  // The read waited for the four that were there when it came, and not for the fifth.
  expect(stage.take()).toEqual(["timestamp 6", ...[1, 2, 3, 4, 5].map((token) => `respond ${token}`)]);
  leader.drop(6);
  expect(leader.table.claimCount).toBe(0);
});

test("what was dropped neither goes on nor keeps anybody waiting", () => {
  const stage = new LeaderStage();
  const { leader } = stage;
  leader.request(1, increment("n", 10));
  leader.request(2, get("n", 30));
  leader.request(3, get("n", 30));
  stage.take();
  leader.drop(2);
  leader.drop(1);
  leader.timestamp(1, 20);
  expect(stage.take()).toEqual(["respond 3"]);
});

test("the mirror of locks is what was applied, and what was loaded", () => {
  const stage = new LeaderStage();
  const { leader, store } = stage;
  const fixed = { kind: "prewrite", startTs: 10, primary: bytes("a"), ttlMs: 9, txnSize: 2, minCommitTs: 0 } as const;
  leader.request(1, { ...fixed, mutations: [put("a", "1"), put("b", "2")], checks: [] });
  stage.apply();
  leader.request(2, { kind: "rollback", startTs: 10, primary: bytes("a"), keys: [bytes("a")] });
  stage.apply();
  const everything = { start: bytes(""), end: null };
  expect(leader.table.locks()).toEqual(store.locksIn(everything, 9));
  const heir = new RegionLeader(store);
  heir.table.load(store.locksIn(everything, 9));
  expect(heir.table.locks()).toEqual(leader.table.locks());
});
