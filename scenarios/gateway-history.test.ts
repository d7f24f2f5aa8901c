import { expect, test } from "vitest";
import type { World } from "../sim/world.ts";
import { GatewayHistory, Lane } from "./gateway-history.ts";
import { get, increment, put } from "./gateway-requests.ts";

// Goal: what clients saw is turned into histories that allow exactly what an unknown outcome allows: an effect
// until the process that may have received the request died, never later.

class Stage {
  nowUs = 0;
  readonly problems: string[] = [];
  readonly history: GatewayHistory;

  constructor() {
    const world = {
      fail: (oracle: string, message: string): void => void this.problems.push(`${oracle}: ${message}`),
    };
    Object.defineProperty(world, "nowUs", { get: () => this.nowUs });
    const keys = { plain: ["plain"], mixed: ["mixed"], counters: ["counter"] };
    this.history = new GatewayHistory(world as unknown as World, keys);
  }

  /** SET `key`: acknowledged, or of unknown outcome. */
  put(key: string, value: string, lane: Lane, known: boolean): void {
    const sent = this.history.begin(put(key, value, "always"), lane);
    this.nowUs++;
    if (known) this.history.replied(sent, [{ kind: "put", value, condition: "always", applied: true }]);
    else this.history.lost(sent);
    this.nowUs++;
  }

  read(key: string, value: string | null, lane: Lane): void {
    const sent = this.history.begin(get(key), lane);
    this.nowUs++;
    this.history.replied(sent, [{ kind: "read", value }]);
    this.nowUs++;
  }

  verdict(): readonly string[] {
    this.history.judge();
    return this.problems;
  }
}

for (const key of ["plain", "mixed"]) {
  test(`${key}: what was lost with a process may have happened before it died`, () => {
    const stage = new Stage();
    stage.put(key, "a", new Lane(1), true);
    stage.put(key, "b", new Lane(1), false);
    stage.history.ended(1);
    stage.read(key, "b", new Lane(2));
    expect(stage.verdict()).toEqual([]);
  });

  test(`${key}: and may not have happened, but then not later either`, () => {
    const stage = new Stage();
    stage.put(key, "a", new Lane(1), true);
    stage.put(key, "b", new Lane(1), false);
    stage.history.ended(1);
    stage.nowUs++;
    stage.read(key, "a", new Lane(2));
    expect(stage.verdict()).toEqual([]);
    stage.read(key, "b", new Lane(2));
    expect(stage.verdict().join()).toMatch(/linearizability: .*has no place/);
  });

  test(`${key}: while the process lives it may still happen`, () => {
    const stage = new Stage();
    stage.put(key, "a", new Lane(1), true);
    stage.put(key, "b", new Lane(1), false);
    stage.read(key, "a", new Lane(1));
    stage.read(key, "b", new Lane(1));
    expect(stage.verdict()).toEqual([]);
  });
}

test("what was sent to a dead process never happens", () => {
  const stage = new Stage();
  const lane = new Lane(1);
  stage.history.ended(1);
  stage.nowUs = 10;
  stage.put("plain", "a", lane, false);
  stage.nowUs = 20;
  stage.read("plain", "a", new Lane(2));
  expect(stage.verdict().join()).toMatch(/ledger: .*definitely refused/);
});

test("an acknowledged write that is gone is told at once", () => {
  const stage = new Stage();
  stage.put("plain", "a", new Lane(1), true);
  stage.history.ended(1);
  stage.read("plain", null, new Lane(2));
  expect(stage.problems.join()).toMatch(/ledger: .*lost write/);
});

test("counters count what was acknowledged, and allow what was lost", () => {
  const stage = new Stage();
  const lane = new Lane(1);
  const one = stage.history.begin(increment("counter", 1), lane);
  stage.nowUs++;
  stage.history.replied(one, [{ kind: "increment", delta: 1, result: 1 }]);
  stage.history.lost(stage.history.begin(increment("counter", 1), lane));
  stage.history.judgeCounter("counter", "2");
  expect(stage.problems).toEqual([]);
  stage.history.judgeCounter("counter", "0");
  expect(stage.problems.join()).toMatch(/counters: .*ends at 0/);
});
