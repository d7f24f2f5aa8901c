// Goal: what clients say on connect, and what tools ask, is answered as Redis would. Method: transcripts.
import { describe, expect, test } from "vitest";
import { latin, memoryGateway, request } from "../gateway.test-support.ts";
import { type Reply, showReply } from "../reply.ts";
import { ReplyParser } from "../reply-parser.ts";

function replies(text: string): Reply[] {
  const parser = new ReplyParser();
  parser.feed(latin(text));
  const found: Reply[] = [];
  for (let reply = parser.next(); reply !== null; reply = parser.next()) found.push(reply);
  return found;
}

/** Each reply on one line. */
function transcript(...lines: readonly string[]): string[] {
  const raw = memoryGateway().client();
  return replies(raw.ask(lines.map((line) => `${line}\r\n`).join(""))).map(showReply);
}

describe("greetings of real clients", () => {
  test("ioredis 6", () => {
    const lines = ["hello 3", "client SETINFO LIB-VER 6.0.0", "client SETINFO LIB-NAME ioredis", "info"];
    const [hello, version, name, info] = transcript(...lines);
    expect(hello).toMatch(/^\{"server": "redis", "version": "7\.4\.0", "proto": \(integer\) 3/);
    expect([version, name]).toEqual(["OK", "OK"]);
    expect(info).toContain("loading:0\\r\\n");
  });

  test("node-redis 6", () => {
    const lines = [
      "HELLO 3 SETNAME worker",
      "CLIENT SETINFO LIB-NAME node-redis",
      "CLIENT SETINFO LIB-VER 6.3.1",
      "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type external-ip",
      "CLIENT GETNAME",
    ];
    expect(transcript(...lines).slice(1)).toEqual([
      "OK",
      "OK",
      "(error) ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.",
      '"worker"',
    ]);
  });

  test("redis-benchmark and others", () => {
    expect(
      transcript("CONFIG GET save", "CONFIG GET appendonly", "SELECT 0", "READONLY", "READWRITE"),
    ).toEqual(['["save", ""]', '["appendonly", "no"]', "OK", "OK", "OK"]);
  });
});

test("PING, ECHO, TIME, LASTSAVE", () => {
  expect(transcript("PING", "PING hi", "PING a b", "ECHO hi", "TIME", "LASTSAVE")).toEqual([
    "PONG",
    '"hi"',
    "(error) ERR wrong number of arguments for 'ping' command",
    '"hi"',
    '["1700000001", "0"]',
    "(integer) 1700000001",
  ]);
});

describe("CLIENT", () => {
  test("ids, names, switches", () => {
    expect(
      transcript(
        "CLIENT ID",
        "CLIENT GETNAME",
        "CLIENT SETNAME me",
        "CLIENT GETNAME",
        "CLIENT SETNAME ''",
        "CLIENT GETNAME",
        "CLIENT NO-EVICT ON",
        "CLIENT NO-TOUCH maybe",
        "CLIENT SETINFO color red",
        "CLIENT SETINFO lib-name 'a b'",
        "CLIENT REPLY perhaps",
        "CLIENT",
      ),
    ).toEqual([
      "(integer) 1",
      "(nil)",
      "OK",
      '"me"',
      "OK",
      "(nil)",
      "OK",
      "(error) ERR syntax error",
      "(error) ERR Unrecognized option 'color'",
      "(error) ERR lib-name cannot contain spaces, newlines or special characters.",
      "(error) ERR syntax error",
      "(error) ERR wrong number of arguments for 'client' command",
    ]);
  });

  test("INFO and LIST describe connections", () => {
    const gateway = memoryGateway();
    const [first, second] = [gateway.client(), gateway.client()];
    first.ask("HELLO 3 SETNAME one\r\n");
    gateway.world.clock.advance(2500);
    second.ask("GET a\r\n");
    const list = showReply(replies(second.ask("CLIENT LIST\r\n"))[0] as Reply);
    expect(list).toMatch(
      /id=1 addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:6380 fd=0 name=one age=2 idle=2 .*resp=3/,
    );
    expect(list).toMatch(/id=2 .*cmd=client\|list .*resp=2/);
    expect(second.ask("CLIENT LIST ID 1\r\n").split("id=").length).toBe(2);
    expect(second.ask("CLIENT LIST TYPE pubsub\r\n")).toBe("$0\r\n\r\n");
    expect(second.ask("CLIENT LIST TYPE x\r\nCLIENT LIST ID x\r\nCLIENT LIST x\r\n")).toBe(
      "-ERR Unknown client type 'x'\r\n-ERR Invalid client ID\r\n-ERR syntax error\r\n",
    );
    expect(first.ask("CLIENT INFO\r\n")).toMatch(/^=\d+\r\ntxt:id=1 /);
  });

  test("HELP lists the subcommands", () => {
    const [help] = transcript("CLIENT HELP");
    expect(help).toContain("CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    expect(help).toContain("SETNAME");
  });
});

describe("INFO", () => {
  test("sections by name, and all of them", () => {
    const raw = memoryGateway().client();
    raw.ask("MSET a 1 b 2\r\nNOPE\r\nGET\r\nGET a\r\n");
    expect(raw.ask("INFO keyspace\r\n")).toBe("$44\r\n# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\n\r\n");
    expect(raw.ask("INFO nothing\r\n")).toBe("$0\r\n\r\n");
    const all = raw.ask("INFO all\r\n");
    expect(all).toContain("redis_version:7.4.0\r\nserver_name:nokv\r\nredis_mode:standalone\r\n");
    expect(all).toContain("cmdstat_get:calls=1,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0");
    expect(all).toContain("total_error_replies:2\r\n");
    expect(all).not.toContain("nope");
    expect(raw.ask("INFO server clients\r\n")).toMatch(
      /# Server\r\n[^]*\r\n\r\n# Clients\r\nconnected_clients:1\r\n/,
    );
    expect(raw.ask("INFO\r\n")).not.toContain("# Commandstats");
    expect(raw.ask("CONFIG RESETSTAT\r\nINFO stats\r\n")).toContain("total_error_replies:0\r\n");
  });

  test("a large store is not counted for it", () => {
    const gateway = memoryGateway();
    Object.assign(gateway.server.gateway, { estimateKeys: () => 12_345_678 });
    expect(gateway.client().ask("INFO keyspace\r\n")).toContain("db0:keys=12345678,");
  });
});

test("CONFIG", () => {
  expect(
    transcript(
      "CONFIG GET maxmemory* DATABASES",
      "CONFIG GET nope",
      "CONFIG SET save ''",
      "CONFIG SET port 1",
      "CONFIG SET foo 1",
    ),
  ).toEqual([
    '["databases", "1", "maxmemory", "0", "maxmemory-policy", "noeviction"]',
    "[]",
    "OK",
    "(error) ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config",
    "(error) ERR Unknown option or number of arguments for CONFIG SET - 'foo'",
  ]);
  expect(memoryGateway({ password: "s3cret" }).client().ask("AUTH s3cret\r\nCONFIG GET *\r\n")).not.toContain(
    "s3cret",
  );
});

describe("COMMAND", () => {
  test("INFO has Redis's ten fields", () => {
    const [get, nothing, container] = replies(
      memoryGateway().client().ask("COMMAND INFO get nope client\r\n"),
    ).flatMap((reply) => (reply.kind === "array" ? reply.items.map(showReply) : []));
    expect(get).toBe(
      '["get", (integer) 2, [readonly, fast], (integer) 1, (integer) 1, (integer) 1, ' +
        "[@read, @string, @fast], [], " +
        '[["flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", (integer) 1]], ' +
        '"find_keys", ["type", "range", "spec", ["lastkey", (integer) 0, "keystep", (integer) 1, ' +
        '"limit", (integer) 0]]]], []]',
    );
    expect(nothing).toBe("(nil)");
    expect(container).toContain('["client|setname", (integer) 3');
  });

  test("COUNT, LIST, DOCS", () => {
    const [count, all, strings, filtered, docs] = transcript(
      "COMMAND COUNT",
      "COMMAND",
      "COMMAND LIST FILTERBY PATTERN *incr*",
      "COMMAND LIST FILTERBY ACLCAT admin",
      "COMMAND DOCS ttl nope",
    );
    expect(count).toBe(`(integer) ${(all ?? "").match(/\["[a-z]+", \(integer\) -?\d+, \[/g)?.length}`);
    expect(strings).toBe('["incr", "incrby"]');
    expect(filtered).toContain("config|get");
    expect(docs).toBe(
      '["ttl", ["summary", "Returns the expiration time in seconds of a key.", "since", "2.8.0", ' +
        '"group", "generic"]]',
    );
  });

  test("GETKEYS", () => {
    expect(
      transcript(
        "COMMAND GETKEYS SET a b",
        "COMMAND GETKEYS MSET a 1 b 2",
        "COMMAND GETKEYS MGET a b c",
        "COMMAND GETKEYS OBJECT ENCODING k",
        "COMMAND GETKEYS PING x",
        "COMMAND GETKEYS NOPE x",
        "COMMAND GETKEYS GET a b",
      ),
    ).toEqual([
      '["a"]',
      '["a", "b"]',
      '["a", "b", "c"]',
      '["k"]',
      "(error) ERR The command has no key arguments",
      "(error) ERR Invalid command specified",
      "(error) ERR Invalid number of arguments specified for command",
    ]);
  });
});

test("OBJECT, MEMORY, SLOWLOG", () => {
  expect(
    transcript(
      `SET a 12`,
      `SET b ${"x".repeat(45)}`,
      "SET c short",
      "OBJECT ENCODING a",
      "OBJECT ENCODING b",
      "OBJECT ENCODING c",
      "OBJECT ENCODING none",
      "OBJECT REFCOUNT a",
      "OBJECT IDLETIME a",
      "MEMORY USAGE a",
      "MEMORY USAGE a SAMPLES 5",
      "MEMORY USAGE a SAMPLES x",
      "MEMORY USAGE a b",
      "MEMORY USAGE none",
      "SLOWLOG GET",
      "SLOWLOG GET -2",
      "SLOWLOG LEN",
      "SLOWLOG RESET",
    ).slice(3),
  ).toEqual([
    '"int"',
    '"raw"',
    '"embstr"',
    "(nil)",
    "(integer) 1",
    "(integer) 0",
    "(integer) 28",
    "(integer) 28",
    "(error) ERR value is not an integer or out of range",
    "(error) ERR syntax error",
    "(nil)",
    "[]",
    "(error) ERR count should be greater than or equal to -1",
    "(integer) 0",
    "OK",
  ]);
  expect(transcript("OBJECT FREQ none", "SET a 1", "OBJECT FREQ a")[2]).toMatch(
    /^\(error\) ERR An LFU maxmemory policy/,
  );
});

test("strings", () => {
  const raw = memoryGateway().client();
  expect(raw.ask(request("MSET", "a", "1", "b", "2", "a", "3") + request("MGET", "a", "b", "none"))).toBe(
    "+OK\r\n*3\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n",
  );
  expect(raw.ask("MSETNX c 1 a 2\r\nEXISTS c\r\nMSETNX c 1 d 2\r\nEXISTS c d c none\r\n")).toBe(
    ":0\r\n:0\r\n:1\r\n:3\r\n",
  );
  expect(raw.ask("DEL a a none\r\nUNLINK b c\r\nTYPE d\r\nTYPE a\r\nTOUCH d d a\r\n")).toBe(
    ":1\r\n:2\r\n+string\r\n+none\r\n:2\r\n",
  );
  expect(raw.ask("SETNX a 1\r\nSETNX a 2\r\nGETSET a 3\r\nGETSET new 1\r\nGETDEL a\r\nGETDEL a\r\n")).toBe(
    ":1\r\n:0\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n$-1\r\n",
  );
  expect(
    raw.ask(
      "SET a 1 NX GET\r\nSET a 2 NX GET\r\nSET a 3 XX GET\r\nGET a\r\nSET none 1 XX GET\r\nEXISTS none\r\n",
    ),
  ).toBe("$-1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n3\r\n$-1\r\n:0\r\n");
});

test("a value may not grow beyond the limit", () => {
  const raw = memoryGateway({ bulkBytesMax: 100 }, undefined).client();
  expect(raw.ask(request("APPEND", "k", "x".repeat(100)) + request("STRLEN", "k"))).toBe(":100\r\n:100\r\n");
});
