// Goal: of a group whoever leads is asked, also while nobody does, and a request that may have been executed is never
// told as refused. Method: members that answer as a table says, and a clock by hand.
import { expect, test } from "vitest";
import { TestWorld } from "../../core/engine/test-world.test-support.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import type { Assessment } from "../assess.ts";
import { CoordinatorClient } from "./client.ts";
import { type Caller, memberAttemptMs } from "./group-caller.ts";
import { coordinatorIdOf } from "./methods.ts";
import { toRpcError } from "./errors.ts";
import { CoordinatorError } from "../coordinator-error.ts";
import { encode } from "../../core/bytes/layout.ts";
import { publishedLayout, rangeLayout } from "./messages.ts";

const ids = [1, 2, 3].map(coordinatorIdOf);
const none = new Uint8Array(0);
const refused: RpcError = { kind: "unreachable", retryAfterMs: 0, reason: "nobody listens" };
const lost: RpcError = { kind: "connection-lost", reason: "it died" };
const silent: RpcError = { kind: "deadline-exceeded", sent: true };
const mismatch = toRpcError(new CoordinatorError("EPOCH_MISMATCH", "the epoch is 5"));
const event = { kind: "ConfigSet", name: "a", value: "b" } as const;

function notLeader(member: number): RpcError {
  return { kind: "not-leader", regionId: 0, leaderStore: member === 0 ? 0 : coordinatorIdOf(member), leaderPeer: 0 };
}

type Answer = RpcError | Uint8Array;

class Stage implements Caller {
  readonly world = new TestWorld();
  readonly env = this.world.boot();
  readonly asked: number[] = [];
  readonly client = new CoordinatorClient(this.env.clock, this, ids);
  /** Until any of them answers. */
  delayUs = 100;
  /** Of members 1 to 3. */
  answers: readonly Answer[];

  constructor(answers: readonly Answer[]) {
    this.answers = answers;
  }

  call: Caller["call"] = (storeId, order, done) => {
    const at = ids.indexOf(storeId);
    this.asked.push(at + 1);
    const answer = this.answers[at] ?? refused;
    const isSilent = !(answer instanceof Uint8Array) && answer.kind === "deadline-exceeded";
    const limitUs = order.timeoutMs * 1_000;
    const isLate = this.delayUs > limitUs;
    this.env.clock.after(isSilent || isLate ? limitUs : this.delayUs, () => {
      if (isLate) done(silent, none);
      else if (answer instanceof Uint8Array) done(null, answer);
      else done(answer, none);
    });
    return { cancel: () => {} };
  };

  ids(timeoutMs = 2_000): Promise<unknown> {
    return this.world.run(
      new Promise((resolve) => {
        this.client.allocateIds(3, timeoutMs, (error, range) => resolve(error === null ? range : error.code));
      }),
    );
  }

  publish(epoch: number): Promise<unknown> {
    return this.world.run(
      new Promise((resolve) => this.client.publish(event, epoch, (error, value) => resolve(error?.code ?? value))),
    );
  }
}

const range = encode(rangeLayout, { first: 7, count: 3 });

test("a member that does not lead says who does, and that one is asked first from then on", async () => {
  const stage = new Stage([notLeader(3), refused, range]);
  expect(await stage.ids()).toEqual({ first: 7, count: 3 });
  expect(stage.asked).toEqual([1, 3]);
  expect(await stage.ids()).toEqual({ first: 7, count: 3 });
  expect(stage.asked).toEqual([1, 3, 3]);
});

test("who is dead is passed over, although the others still name it as their leader", async () => {
  const stage = new Stage([refused, notLeader(1), notLeader(1)]);
  const answer = stage.ids();
  stage.env.clock.after(700_000, () => {
    stage.answers = [refused, notLeader(3), range];
  });
  expect(await answer).toEqual({ first: 7, count: 3 });
  // Asked again and again, but not without a pause.
  expect(stage.asked.length).toBeLessThan(40);
});

test("who says nothing holds up a request for a while only", async () => {
  const stage = new Stage([silent, range, range]);
  const startedUs = stage.env.clock.monotonicUs();
  expect(await stage.ids()).toEqual({ first: 7, count: 3 });
  expect(stage.env.clock.monotonicUs() - startedUs).toBeLessThan((memberAttemptMs + 50) * 1_000);
});

test("members that are farther away than an attempt takes are given more time", async () => {
  const stage = new Stage([notLeader(2), range, notLeader(2)]);
  stage.delayUs = memberAttemptMs * 3_000;
  expect(await stage.ids(20_000)).toEqual({ first: 7, count: 3 });
});

test("when nobody leads until the deadline, it did not happen, unless an attempt had no answer", async () => {
  const stage = new Stage([notLeader(0), notLeader(0), refused]);
  expect(await stage.ids(300)).toBe("ID_UNAVAILABLE");
  expect(await stage.publish(0)).toBe("ROOT_UNAVAILABLE");
  const unknown = toRpcError(new CoordinatorError("ROOT_UNDETERMINED", "it does not lead any more"));
  for (const answer of [lost, unknown]) {
    stage.answers = [notLeader(0), answer, refused];
    expect(await stage.publish(0)).toBe("ROOT_UNDETERMINED");
  }
});

test("an epoch that an earlier attempt may have raised itself does not refuse the request", async () => {
  const stage = new Stage([mismatch, mismatch, mismatch]);
  expect(await stage.publish(4)).toBe("EPOCH_MISMATCH");
  const again = new Stage([lost, mismatch, mismatch]);
  expect(await again.publish(4)).toBe("ROOT_UNDETERMINED");
  const assessment: Assessment = {
    status: "OPEN", reason: "OPEN_APPLY", decision: "APPLY", accepted: true, retryClass: "NONE", detail: "",
  };
  const done = encode(publishedLayout, { accepted: true, assessment, token: { term: 1, index: 1 } });
  expect(await new Stage([lost, done, done]).publish(0)).toMatchObject({ accepted: true });
});

test("a member that has too much to do says nothing of what an earlier attempt did", async () => {
  const busy = toRpcError(new CoordinatorError("BUSY", "too many events are proposed and not decided"));
  expect(await new Stage([busy, busy, busy]).publish(0)).toBe("BUSY");
  expect(await new Stage([lost, busy, busy]).publish(0)).toBe("ROOT_UNDETERMINED");
});

test("a client that closes ends what waits for its next attempt", async () => {
  const stage = new Stage([notLeader(0), notLeader(0), notLeader(0)]);
  const answer = stage.ids(60_000);
  stage.client.close();
  expect(await answer).toBe("ID_UNAVAILABLE");
  expect(stage.asked.length).toBe(1);
});
