// Goal: SCAN returns every key that is there throughout, whatever is written meanwhile; cursors are bounded.
// Method: transcripts, and random writes between pages against the promise itself.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { latin, memoryGateway, type RawClient, request } from "../gateway.test-support.ts";
import { type Reply, textOf } from "../reply.ts";
import { ReplyParser } from "../reply-parser.ts";

interface Page {
  readonly cursor: string;
  readonly keys: readonly string[];
}

function text(reply: Reply | undefined): string {
  return reply?.kind === "bulk" ? textOf(reply.bytes) : `not a bulk: ${reply?.kind}`;
}

function scan(raw: RawClient, cursor: string, ...options: string[]): Page {
  const parser = new ReplyParser();
  parser.feed(latin(raw.ask(request("SCAN", cursor, ...options))));
  const reply = parser.next();
  if (reply?.kind !== "array") return { cursor: "error", keys: [] };
  const [next, page] = reply.items;
  return { cursor: text(next), keys: page?.kind === "array" ? page.items.map(text) : [] };
}

/** A whole scan; `between` runs after every page. */
function scanAll(
  raw: RawClient,
  options: readonly string[],
  between: (page: Page) => void = () => undefined,
): string[] {
  const seen: string[] = [];
  for (let cursor = "0"; ;) {
    const page = scan(raw, cursor, ...options);
    seen.push(...page.keys);
    cursor = page.cursor;
    if (cursor === "0" || cursor === "error") return seen;
    between(page);
  }
}

function fill(raw: RawClient, count: number): string[] {
  const keys = Array.from({ length: count }, (_, i) => `key:${String(i).padStart(4, "0")}`);
  raw.ask(keys.map((key) => request("SET", key, "v")).join(""));
  return keys;
}

describe("SCAN", () => {
  test("pages of any size cover all keys once", () => {
    const raw = memoryGateway().client();
    const keys = fill(raw, 137);
    for (const count of ["1", "10", "136", "137", "138", "9223372036854775807"]) {
      expect(scanAll(raw, ["COUNT", count])).toEqual(keys);
    }
    expect(scanAll(raw, [])).toEqual(keys);
    expect(scan(raw, "0").keys.length).toBe(10);
  });

  test("an empty database, and one whose keys have expired", () => {
    const { world, client } = memoryGateway();
    const raw = client();
    expect(scan(raw, "0")).toEqual({ cursor: "0", keys: [] });
    raw.ask("SET a 1 PX 1\r\n");
    world.clock.advance(1);
    expect(scan(raw, "0")).toEqual({ cursor: "0", keys: [] });
  });

  test("MATCH and TYPE filter, COUNT counts what was looked at", () => {
    const raw = memoryGateway().client();
    fill(raw, 30);
    expect(scan(raw, "0", "MATCH", "*:0005", "COUNT", "10").keys).toEqual(["key:0005"]);
    expect(scanAll(raw, ["match", "key:00?5"])).toEqual(["key:0005", "key:0015", "key:0025"]);
    expect(scanAll(raw, ["TYPE", "string", "COUNT", "7"]).length).toBe(30);
    expect(scanAll(raw, ["TYPE", "hash", "COUNT", "7"])).toEqual([]);
    expect(raw.ask(request("SCAN", "0", "MATCH", "x".repeat(1025)))).toBe(
      "-ERR pattern is longer than 1024 bytes\r\n",
    );
  });

  test("COUNT cannot ask for more than the limit", () => {
    const raw = memoryGateway({ scanKeysMax: 5 }).client();
    fill(raw, 12);
    expect(scan(raw, "0", "COUNT", "1000").keys.length).toBe(5);
    expect(scanAll(raw, ["COUNT", "1000"]).length).toBe(12);
  });

  test("a page ends early when the pattern is hard work", () => {
    const raw = memoryGateway().client();
    const keys = Array.from({ length: 20 }, (_, i) => `${"a".repeat(8000)}${i}`);
    raw.ask(keys.map((key) => request("SET", key, "v")).join(""));
    const pattern = `*${"a".repeat(500)}b`;
    const page = scan(raw, "0", "MATCH", pattern, "COUNT", "1000");
    expect([page.cursor === "0", page.keys]).toEqual([false, []]);
    expect(scanAll(raw, ["MATCH", pattern, "COUNT", "1000"])).toEqual([]);
  });

  test("a cursor may be used again; a forgotten or invented one is an error", () => {
    const raw = memoryGateway({ scanCursorsMax: 2 }).client();
    fill(raw, 30);
    const first = scan(raw, "0", "COUNT", "5");
    expect(scan(raw, first.cursor)).toMatchObject({ keys: scan(raw, first.cursor).keys });
    scan(raw, "0");
    scan(raw, "0");
    expect(raw.ask(`SCAN ${first.cursor}\r\nSCAN 12345\r\nSCAN 1e3\r\nSCAN 99999999999999999999\r\n`)).toBe(
      "-ERR invalid cursor\r\n".repeat(4),
    );
  });

  test("what is there throughout is returned, and nothing that never was", () => {
    const name = fc.integer({ min: 0, max: 30 }).map((i) => `k${String(i).padStart(2, "0")}`);
    const write = fc.record({ key: name, removes: fc.boolean() });
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 25 }),
        fc.array(fc.array(write, { maxLength: 4 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        (start, writes, count) => {
          const raw = memoryGateway().client();
          for (const key of start) raw.ask(request("SET", key, "v"));
          const throughout = new Set(start);
          const ever = new Set(start);
          let turn = 0;
          const seen = scanAll(raw, ["COUNT", String(count)], () => {
            for (const { key, removes } of writes[turn++] ?? []) {
              raw.ask(removes ? request("DEL", key) : request("SET", key, "w"));
              if (removes) throughout.delete(key);
              else ever.add(key);
            }
          });
          expect([...throughout].filter((key) => !seen.includes(key))).toEqual([]);
          expect(seen.filter((key) => !ever.has(key))).toEqual([]);
        },
      ),
    );
  });
});

describe("KEYS, DBSIZE, FLUSHALL", () => {
  test("they see all keys, in slices", () => {
    const raw = memoryGateway({ scanKeysMax: 3 }).client();
    const keys = fill(raw, 10);
    raw.take();
    expect(raw.ask("KEYS *\r\n")).toBe(request(...keys));
    expect(raw.ask("KEYS key:000[13]\r\nDBSIZE\r\n")).toBe(`${request("key:0001", "key:0003")}:10\r\n`);
    expect(raw.ask("FLUSHALL\r\nDBSIZE\r\nFLUSHDB ASYNC\r\nFLUSHALL SYNC\r\nFLUSHALL NOW\r\n")).toBe(
      "+OK\r\n:0\r\n+OK\r\n+OK\r\n-ERR syntax error\r\n",
    );
    expect(raw.ask("KEYS *\r\n")).toBe("*0\r\n");
  });

  test("KEYS refuses more than it may return", () => {
    const raw = memoryGateway({ keysMax: 5 }).client();
    fill(raw, 10);
    raw.take();
    expect(raw.ask("KEYS *\r\nKEYS *3\r\n")).toBe(
      `-ERR KEYS matches more than 5 keys, use SCAN\r\n${request("key:0003")}`,
    );
  });
});
