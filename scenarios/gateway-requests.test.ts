import { expect, test } from "vitest";
import type { Reply } from "../net/redis/reply.ts";
import { Dice } from "../sim/dice.ts";
import { KeyedRandom } from "../sim/keyed-random.ts";
import type { GatewayRequest } from "./gateway-requests.ts";
import { GatewayCommands, get, getTwins, increment, mget, put, twins } from "./gateway-requests.ts";

// Goal: what a reply says is read correctly, and a reply that no server gives is told.

const bulk = (text: string): Reply => ({ kind: "bulk", bytes: new TextEncoder().encode(text) });
const integer = (value: number): Reply => ({ kind: "integer", value: BigInt(value) });
const ok: Reply = { kind: "simple", text: "OK" };
const nil: Reply = { kind: "null" };

function says(request: GatewayRequest, reply: Reply): unknown {
  return request.parts[0]?.known(reply);
}

test("reads", () => {
  expect(says(get("k"), bulk("v"))).toEqual({ kind: "read", value: "v" });
  expect(says(get("k"), nil)).toEqual({ kind: "read", value: null });
  expect(says(get("k"), ok)).toMatch(/replies simple/);
  const both = mget(["a", "b"]);
  const reply: Reply = { kind: "array", items: [bulk("1"), nil] };
  expect(both.parts.map((part) => [part.key, part.known(reply)])).toEqual([
    ["a", { kind: "read", value: "1" }],
    ["b", { kind: "read", value: null }],
  ]);
  expect(both.parts[1]?.known({ kind: "array", items: [bulk("1")] })).toMatch(/replies array/);
});

test("writes under a condition", () => {
  expect(says(put("k", "v", "absent"), ok)).toMatchObject({ applied: true, condition: "absent" });
  expect(says(put("k", "v", "absent"), nil)).toMatchObject({ applied: false });
  expect(says(put("k", "v", "always"), nil)).toMatch(/replies null/);
});

test("counters", () => {
  expect(says(increment("k", 1), integer(4))).toEqual({ kind: "increment", delta: 1, result: 4 });
  const rejected: Reply = { kind: "error", text: "ERR value is not an integer or out of range" };
  expect(says(increment("k", 1), rejected)).toMatchObject({ result: "rejected" });
});

test("half of a write to the twins shows", () => {
  const whole: Reply = { kind: "array", items: [bulk("v"), bulk("v")] };
  const torn: Reply = { kind: "array", items: [bulk("v"), nil] };
  expect(says(getTwins(), whole)).toEqual({ kind: "read", value: "v" });
  expect(says(getTwins(), torn)).toMatch(/torn/);
});

test("commands stay within the groups of their keys", () => {
  const dice = new Dice(KeyedRandom.ofSeed(5).stream("commands"), 0);
  const keys = { plain: ["p1", "p2"], mixed: ["m1"], counters: ["c1"] };
  let values = 0;
  const commands = new GatewayCommands(dice, keys, () => `v${++values}`);
  const seen = new Set<string>();
  for (let i = 0; i < 500; i++) {
    const request = commands.next();
    for (const part of request.parts) {
      seen.add(`${part.key[0]} ${request.tokens[0]}`);
      if (keys.plain.includes(part.key)) expect(["SET", "GET", "DEL", "MGET"]).toContain(request.tokens[0]);
      if (keys.counters.includes(part.key)) expect(["INCR", "GET", "MGET"]).toContain(request.tokens[0]);
      if (part.key === twins) expect(["MSET", "MSETNX", "MGET", "DEL"]).toContain(request.tokens[0]);
    }
  }
  expect(seen.size).toBeGreaterThan(15);
});
