// Goal: the gateway behaves as one map, whatever is pipelined, however the bytes are cut and in whatever
// order the store completes. Method: random requests as raw bytes against a model written over plain strings,
// which knows nothing of the product; the clock is moved between requests.
import fc from "fast-check";
import { expect, test } from "vitest";
import { MapKv } from "../../core/kv/map-kv.ts";
import { memoryGateway, request, SlowKv } from "./gateway.test-support.ts";

interface Entry {
  readonly value: string;
  readonly expiresAtMs: number;
}

const ok = "+OK\r\n";
const nil = "$-1\r\n";
const notInteger = "-ERR value is not an integer or out of range\r\n";
const bulk = (value: string | undefined): string =>
  value === undefined ? nil : `$${value.length}\r\n${value}\r\n`;
const integer = (value: number | bigint | boolean): string =>
  `:${Number(value) === value ? value : BigInt(value)}\r\n`;

/** What Redis's documentation says, for well-formed requests. */
class Model {
  nowMs = 0;
  readonly #entries = new Map<string, Entry>();

  answer(tokens: readonly string[]): string {
    const [name = "", key = "", first = "", ...rest] = tokens;
    switch (name) {
      case "GET":
        return bulk(this.#get(key)?.value);
      case "SET":
        return this.#set(key, first, rest);
      case "SETNX":
        return integer(this.#set(key, first, ["NX"]) === ok);
      case "GETSET":
        return this.#set(key, first, ["GET"]);
      case "GETDEL": {
        const old = this.#get(key);
        this.#entries.delete(key);
        return bulk(old?.value);
      }
      case "APPEND": {
        const old = this.#get(key);
        const value = (old?.value ?? "") + first;
        this.#entries.set(key, { value, expiresAtMs: old?.expiresAtMs ?? 0 });
        return integer(value.length);
      }
      case "STRLEN":
        return integer(this.#get(key)?.value.length ?? 0);
      case "INCRBY":
        return this.#add(key, BigInt(first));
      case "DECR":
        return this.#add(key, -1n);
      case "PEXPIRE":
        return this.#expire(key, this.nowMs + Number(first), rest[0]);
      case "PERSIST": {
        const old = this.#get(key);
        if (old === undefined || old.expiresAtMs === 0) return integer(0);
        this.#entries.set(key, { ...old, expiresAtMs: 0 });
        return integer(1);
      }
      case "PTTL": {
        const old = this.#get(key);
        if (old === undefined) return integer(-2);
        return integer(old.expiresAtMs === 0 ? -1 : old.expiresAtMs - this.nowMs);
      }
      default:
        return this.#many(name, tokens.slice(1));
    }
  }

  #many(name: string, keys: readonly string[]): string {
    switch (name) {
      case "MGET":
        return `*${keys.length}\r\n${keys.map((key) => bulk(this.#get(key)?.value)).join("")}`;
      case "MSET":
        for (let i = 0; i < keys.length; i += 2) this.#set(keys[i] ?? "", keys[i + 1] ?? "", []);
        return ok;
      case "EXISTS":
        return integer(keys.filter((key) => this.#get(key) !== undefined).length);
      case "DEL":
        return integer(
          keys.filter((key) => this.#get(key) !== undefined && this.#entries.delete(key)).length,
        );
      case "DBSIZE":
        return integer(this.#live().length);
      case "KEYS": {
        const live = this.#live();
        return `*${live.length}\r\n${live.map(bulk).join("")}`;
      }
      case "FLUSHALL":
        this.#entries.clear();
        return ok;
      default:
        return "+PONG\r\n";
    }
  }

  #get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAtMs === 0 || entry.expiresAtMs > this.nowMs) return entry;
    return undefined;
  }

  #live(): string[] {
    return [...this.#entries.keys()].filter((key) => this.#get(key) !== undefined).toSorted();
  }

  #set(key: string, value: string, options: readonly string[]): string {
    const old = this.#get(key);
    const returns = options.includes("GET");
    const refused =
      (options.includes("NX") && old !== undefined) || (options.includes("XX") && old === undefined);
    if (!refused) {
      const px = options.indexOf("PX");
      const kept = options.includes("KEEPTTL") ? (old?.expiresAtMs ?? 0) : 0;
      this.#entries.set(key, { value, expiresAtMs: px < 0 ? kept : this.nowMs + Number(options[px + 1]) });
    }
    if (returns) return bulk(old?.value);
    return refused ? nil : ok;
  }

  #add(key: string, delta: bigint): string {
    const old = this.#get(key);
    const text = old?.value ?? "0";
    if (!/^(0|-?[1-9]\d*)$/.test(text) || text.length > 18) return notInteger;
    const value = (BigInt(text) + delta).toString();
    this.#entries.set(key, { value, expiresAtMs: old?.expiresAtMs ?? 0 });
    return `:${value}\r\n`;
  }

  #expire(key: string, atMs: number, option: string | undefined): string {
    const old = this.#get(key);
    if (old === undefined) return integer(0);
    const present = old.expiresAtMs === 0 ? Infinity : old.expiresAtMs;
    if (option === "NX" && present !== Infinity) return integer(0);
    if (option === "XX" && present === Infinity) return integer(0);
    if (option === "GT" && atMs <= present) return integer(0);
    if (option === "LT" && atMs >= present) return integer(0);
    this.#entries.set(key, { ...old, expiresAtMs: atMs });
    return integer(1);
  }
}

const key = fc.constantFrom("a", "b", "\r\n\xff");
const value = fc.constantFrom("", "0", "7", "-12", "word", "1.5", "\0\r\n$5\r\n", "x".repeat(300));
const ms = fc.constantFrom("1", "2", "3", "1000");
const setOptions = fc
  .tuple(
    fc.constantFrom([], ["NX"], ["XX"]),
    fc.constantFrom([], ["GET"]),
    fc.oneof(
      fc.constant<string[]>([]),
      fc.constant(["KEEPTTL"]),
      ms.map((text) => ["PX", text]),
    ),
  )
  .map((parts) => parts.flat());
const tokens: fc.Arbitrary<string[]> = fc.oneof(
  key.map((k) => ["GET", k]),
  fc.tuple(key, value, setOptions).map(([k, v, options]) => ["SET", k, v, ...options]),
  fc.tuple(fc.constantFrom("SETNX", "GETSET", "APPEND"), key, value).map((parts) => [...parts]),
  fc
    .tuple(fc.constantFrom("GETDEL", "STRLEN", "DECR", "PERSIST", "PTTL"), key)
    .map((parts): string[] => [...parts]),
  fc.tuple(key, fc.constantFrom("1", "-5", "100000000000")).map(([k, delta]) => ["INCRBY", k, delta]),
  fc
    .tuple(
      key,
      fc.constantFrom("1", "2", "3", "0", "-1"),
      fc.constantFrom([], ["NX"], ["XX"], ["GT"], ["LT"]),
    )
    .map(([k, left, option]) => ["PEXPIRE", k, left, ...option]),
  fc
    .tuple(fc.constantFrom("MGET", "EXISTS", "DEL"), fc.array(key, { minLength: 1 }))
    .map(([name, keys]): string[] => [name, ...keys]),
  fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }).map((pairs) => ["MSET", ...pairs.flat()]),
  fc.constantFrom<string[]>(["DBSIZE"], ["KEYS", "*"], ["PING"], ["FLUSHALL"]),
);
const step = fc.oneof(
  { weight: 8, arbitrary: tokens.map((request) => ({ kind: "request" as const, request })) },
  { weight: 1, arbitrary: fc.nat(2).map((passed) => ({ kind: "time" as const, passed })) },
  { weight: 2, arbitrary: fc.nat(9).map((index) => ({ kind: "release" as const, index })) },
);

const options = fc.record({
  inFlightMax: fc.constantFrom(1, 4, 8192),
  requestsPerTurnMax: fc.constantFrom(1, 3, 1024),
  scanKeysMax: fc.constantFrom(1, 1000),
  outputBytesPause: fc.constantFrom(1, 100, 1_048_576),
});

test("one map", () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      cuts,
      options,
      fc.boolean(),
      (steps, sizes, limits, resp3) => {
        const kvs: SlowKv[] = [];
        const { world, client } = memoryGateway(limits, (made) => {
          kvs.push(new SlowKv(new MapKv(() => made.clock.wallMs())));
          return kvs[0] as SlowKv;
        });
        const slow = kvs[0] as SlowKv;
        let turn = 0;
        world.network.cut = () => sizes[turn++ % sizes.length] ?? 1;
        const raw = client();
        if (resp3) raw.ask("HELLO 3\r\n");
        raw.take();
        const model = new Model();
        model.nowMs = world.clock.wallMs();
        let expected = "";
        const settle = (): void => {
          do {
            world.clock.run();
            slow.releaseAll();
          } while (world.clock.run() || slow.held > 0);
        };
        for (const each of steps) {
          if (each.kind === "request") {
            const answer = model.answer(each.request);
            expected += resp3 ? answer.replaceAll(nil, "_\r\n") : answer;
            raw.send(request(...each.request));
          } else if (each.kind === "release") {
            world.clock.run();
            slow.release(each.index % Math.max(1, slow.held));
          } else {
            // What was sent must have been executed before the clock moves, for its instant to be known.
            settle();
            world.clock.advance(each.passed);
            model.nowMs = world.clock.wallMs();
          }
        }
        settle();
        expect(raw.take()).toBe(expected);
      },
    ),
    { numRuns: 400 },
  );
});
