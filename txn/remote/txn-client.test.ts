// Goal: a client finds its way, tries again what can be, and says what became of everything, once. Method: stories over
// stores in memory that lose, delay and refuse what a test names; requests and answers in their real bytes.
import { describe, expect, test } from "vitest";
import type { NokvError } from "../../core/errors.ts";
import type { Mutation } from "../../core/kv/kv.ts";
import { bytes, text } from "../percolator/stage.test-support.ts";
import { MemoryCluster } from "./memory-cluster.test-support.ts";
import type { AtomicResult } from "./txn-client.ts";

function add(key: string, delta = 1n): Mutation {
  return { kind: "increment", key: bytes(key), delta };
}

/** What became of operations, in order, and when: `name: answer`. */
class Log {
  readonly lines: string[] = [];
  readonly #cluster: MemoryCluster;

  constructor(cluster: MemoryCluster) {
    this.#cluster = cluster;
  }

  get(key: string, timeoutMs = 10_000): { cancel(): void } {
    return this.#cluster.client.get(bytes(key), { timeoutMs }, (error, entry) => {
      this.lines.push(`get ${key}: ${error?.code ?? (entry === null ? "-" : text(entry.value))}`);
    });
  }

  add(key: string, timeoutMs = 10_000): { cancel(): void } {
    return this.#cluster.client.atomic(add(key), { timeoutMs }, (error, result) => {
      this.lines.push(`add ${key}: ${shown(error, result)}`);
    });
  }

  after(ms: number): string[] {
    this.#cluster.clock.advance(ms);
    return this.lines.splice(0);
  }
}

function shown(error: NokvError | null, result: AtomicResult | null): string {
  if (error !== null) return error.code;
  return result?.kind === "decided" ? String(result.outcome.integer) : "spread";
}

function stage(...bounds: string[]): { cluster: MemoryCluster; log: Log } {
  const cluster = new MemoryCluster({ attemptMs: 500 }, ...bounds);
  return { cluster, log: new Log(cluster) };
}

test("what one turn asks of a region is one request, reads and writes apart, and one question about the region", () => {
  const { cluster, log } = stage();
  for (const key of ["a", "b", "c"]) {
    log.add(key);
    log.get(key);
  }
  expect(log.after(10).toSorted()).toEqual(["add a: 1", "add b: 1", "add c: 1", "get a: -", "get b: -", "get c: -"]);
  expect(cluster.story).toEqual(["route", "get,get,get@1", "atomic,atomic,atomic@1"]);
  log.get("z");
  expect(log.after(10)).toEqual(["get z: -"]);
  expect(cluster.story.slice(3)).toEqual(["get@1"]);
});

test("increments of one key in one turn are one request, and each has its number", () => {
  const { cluster, log } = stage();
  for (let i = 0; i < 100; i++) log.add("k");
  expect(log.after(10).map((line) => line.slice(7))).toEqual(Array.from({ length: 100 }, (_, i) => String(i + 1)));
  expect(cluster.story.length).toBe(2);
});

test("reads whose answers together are more than a response holds are asked for in parts", () => {
  const { cluster, log } = stage();
  const tooMuch = { kind: "undetermined", reason: "answers of 2000000 bytes" } as const;
  cluster.intervene = ({ commands }) => (commands.length > 2 ? { kind: "fail", error: tooMuch } : null);
  for (const key of ["a", "b", "c", "d", "e"]) log.get(key);
  expect(log.after(20).length).toBe(5);
  expect(cluster.story).toEqual(["route", "get,get,get,get,get@1", "get,get,get@1", "get,get@1", "get,get@1", "get@1"]);
});

describe("who leads", () => {
  test("a store that knows better is believed at once", () => {
    const { cluster, log } = stage();
    cluster.leaders.set(101, 3);
    cluster.staleLeaders.set(101, 1);
    log.add("k");
    expect(log.after(5)).toEqual(["add k: 1"]);
    log.add("k");
    expect(log.after(5)).toEqual(["add k: 2"]);
    expect(cluster.story).toEqual(["route", "atomic@1", "atomic@3", "atomic@3"]);
  });

  test("nobody knows: one after the other is asked, until somebody leads", () => {
    const { cluster, log } = stage();
    cluster.leaders.set(101, 0);
    log.add("k");
    expect(log.after(100)).toEqual([]);
    cluster.leaders.set(101, 2);
    expect(log.after(600)).toEqual(["add k: 1"]);
    expect(new Set(cluster.story)).toEqual(new Set(["route", "atomic@1", "atomic@2", "atomic@3"]));
  });

  test("a leader that does not answer is passed over, and avoided for a while", () => {
    const { cluster, log } = stage();
    cluster.leaders.set(101, 2);
    const down = { kind: "unreachable", retryAfterMs: 0, reason: "down" } as const;
    cluster.intervene = ({ store }) => (store === 1 ? { kind: "fail", error: down } : null);
    cluster.staleLeaders.set(101, 1);
    log.get("k");
    expect(log.after(50)).toEqual(["get k: -"]);
    for (const each of ["get k: -", "get k: -"]) {
      log.get("k");
      expect(log.after(50)).toEqual([each]);
    }
    expect(cluster.story).toEqual(["route", "get@1", "get@2", "get@2", "get@2"]);
  });
});

describe("what changes", () => {
  test("a region that was split is found again by what the store says", () => {
    const { cluster, log } = stage();
    log.add("a");
    log.add("z");
    log.after(10);
    cluster.layOut(2, "m");
    for (const { id } of cluster.regions) cluster.leaders.set(id, 2);
    cluster.leaders.set(201, 1);
    cluster.story.length = 0;
    log.add("a");
    log.add("z");
    expect(log.after(20).toSorted()).toEqual(["add a: 2", "add z: 2"]);
    expect(cluster.story).toEqual(["atomic,atomic@1", "atomic@1", "atomic@2"]);
  });

  test("keys of two regions take more than one decision, and nothing happens", () => {
    const { cluster, log } = stage("m");
    const results: string[] = [];
    const keys = [bytes("a"), bytes("z")];
    cluster.client.atomic({ kind: "delete", keys }, {}, (error, result) => results.push(shown(error, result)));
    expect(log.after(10)).toEqual([]);
    expect(results).toEqual(["spread"]);
    expect(cluster.story.filter((line) => line !== "route")).toEqual([]);
  });
});

describe("what cannot be known", () => {
  test("an answer that is lost is asked for again under the same name: it happens once", () => {
    const { cluster, log } = stage();
    let losses = 3;
    cluster.intervene = () => (losses-- > 0 ? { kind: "lose-answer" } : null);
    log.add("k");
    expect(log.after(2_000)).toEqual(["add k: 1"]);
    log.get("k");
    expect(log.after(10)).toEqual(["get k: 1"]);
  });

  test("a write whose answers are all lost may have happened, a read did not", () => {
    const { cluster, log } = stage();
    cluster.intervene = () => ({ kind: "lose-answer" });
    log.add("k", 1_000);
    log.get("k", 1_000);
    expect(log.after(1_000).toSorted()).toEqual(["add k: NOKV_UNDETERMINED", "get k: NOKV_BUSY"]);
  });

  test("a write that never left, or was refused each time, did not happen", () => {
    const { cluster, log } = stage();
    cluster.intervene = () => ({ kind: "fail", error: { kind: "unreachable", retryAfterMs: 0, reason: "down" } });
    log.add("k", 1_000);
    expect(log.after(1_000)).toEqual(["add k: NOKV_BUSY"]);
    cluster.intervene = () => ({ kind: "fail", error: { kind: "server-busy", retryAfterMs: 9, reason: "full" } });
    log.add("k", 1_000);
    expect(log.after(1_000)).toEqual(["add k: NOKV_BUSY"]);
    cluster.intervene = () => ({ kind: "swallow" });
    log.add("k", 1_000);
    expect(log.after(1_000)).toEqual(["add k: NOKV_UNDETERMINED"]);
  });

  test("a silent leader does not take all the time of an operation", () => {
    const { cluster, log } = stage();
    cluster.leaders.set(101, 2);
    cluster.staleLeaders.set(101, 1);
    cluster.intervene = ({ store }) => (store === 1 ? { kind: "swallow" } : null);
    log.add("k", 300);
    expect(log.after(299)).toEqual(["add k: 1"]);
  });

  test("one lost answer is not forgotten for later refusals", () => {
    const { cluster, log } = stage();
    let asked = 0;
    const busy = { kind: "server-busy", retryAfterMs: 9, reason: "full" } as const;
    cluster.intervene = () => (asked++ === 0 ? { kind: "lose-answer" } : { kind: "fail", error: busy });
    log.add("k", 1_000);
    expect(log.after(1_000)).toEqual(["add k: NOKV_UNDETERMINED"]);
  });

  test("without the Coordinator, reads of what is known go on, and writes have no name", () => {
    const { cluster, log } = stage();
    log.add("k");
    log.after(10);
    cluster.coordinatorIsDown = true;
    log.get("k");
    log.add("k", 500);
    expect(log.after(10)).toEqual(["get k: 1"]);
    expect(log.after(500)).toEqual(["add k: NOKV_BUSY"]);
  });
});

describe("giving up", () => {
  test("a cancelled operation says what it can say, at once, and its request is called back", () => {
    const { cluster, log } = stage();
    cluster.intervene = () => ({ kind: "swallow" });
    const read = log.get("k");
    const write = log.add("k");
    log.after(5);
    expect(cluster.openCalls).toBe(2);
    read.cancel();
    write.cancel();
    read.cancel();
    expect(log.after(1).toSorted()).toEqual(["add k: NOKV_UNDETERMINED", "get k: NOKV_ABORTED"]);
    expect(cluster.openCalls).toBe(0);
    expect(cluster.client.active).toBe(0);
  });

  test("others in the same request are not disturbed", () => {
    const { cluster, log } = stage();
    cluster.intervene = () => ({ kind: "delay", ms: 100 });
    const first = log.get("a");
    log.get("b");
    log.after(5);
    first.cancel();
    expect(log.after(200)).toEqual(["get a: NOKV_ABORTED", "get b: -"]);
  });

  test("a client that is closed ends everything, once, and takes nothing more", () => {
    const { cluster, log } = stage();
    cluster.intervene = () => ({ kind: "swallow" });
    log.get("k");
    log.add("k");
    log.after(5);
    cluster.client.close();
    expect(log.after(0).toSorted()).toEqual(["add k: NOKV_UNDETERMINED", "get k: NOKV_CLOSED"]);
    log.get("k");
    expect(log.lines).toEqual([]);
    expect(log.after(20_000)).toEqual(["get k: NOKV_CLOSED"]);
    expect([cluster.client.active, cluster.openCalls]).toEqual([0, 0]);
  });
});

describe("lifetimes", () => {
  test("of the newest entry are judged by the present, and by what is there then", () => {
    const { cluster, log } = stage();
    const put = (value: string, ms: number): void => {
      const expiry = ms === 0 ? ({ kind: "never" } as const) : ({ kind: "after", ms } as const);
      const mutation = { kind: "put", key: bytes("k"), value: bytes(value), expiry, condition: "always" } as const;
      cluster.client.atomic({ ...mutation, returning: false }, {}, () => {});
      log.after(10);
    };
    put("brief", 100);
    log.get("k");
    expect(log.after(10)).toEqual(["get k: brief"]);
    log.after(100);
    log.get("k");
    expect(log.after(10)).toEqual(["get k: -"]);
    // It is read while it is the newest, and when it is judged another one has taken its place in time.
    put("brief", 5);
    cluster.latencyUs = 3_000;
    log.get("k");
    cluster.clock.advance(4);
    cluster.execute({
      kind: "atomic",
      opId: cluster.timestamp(),
      commitTs: 0,
      mutation: add("other"),
      valueBytesMax: 10,
    });
    expect(log.after(30)).toEqual(["get k: -"]);
  });
});

describe("transactions", () => {
  test("over two regions, with what one conflicts with", () => {
    const { cluster, log } = stage("m");
    const answers: string[] = [];
    cluster.client.begin({}, (_, a) => {
      cluster.client.begin({}, (__, b) => {
        for (const [name, txn] of [["a", a], ["b", b]] as const) {
          txn?.get(bytes("a"), (___, entry) => answers.push(`${name} ${entry === null ? "-" : text(entry.value)}`));
          txn?.put(bytes("a"), bytes(name));
          txn?.put(bytes("z"), bytes(name));
        }
        a?.commit((error) => {
          answers.push(`a ${error?.code ?? "committed"}`);
          b?.commit((failure) => answers.push(`b ${failure?.code ?? "committed"}`));
        });
      });
    });
    log.after(100);
    expect(answers).toEqual(["a -", "b -", "a committed", "b NOKV_ABORTED"]);
    for (const key of ["a", "z"]) log.get(key);
    expect(log.after(20)).toEqual(["get a: a", "get z: a"]);
    log.after(30_000);
    expect(cluster.client.active).toBe(0);
    expect(cluster.store.locksIn({ start: bytes(""), end: null }, 9)).toEqual([]);
  });

  test("one that is left alone ends with its time", () => {
    const { cluster, log } = stage();
    cluster.client.begin({ timeoutMs: 1_000 }, (_, txn) => {
      cluster.clock.after(2_000_000, () => {
        txn?.put(bytes("k"), bytes("late"));
        txn?.commit((error) => log.lines.push(`commit: ${error?.code}`));
      });
    });
    expect(log.after(5_000)).toEqual(["commit: NOKV_BUSY"]);
    expect(cluster.client.active).toBe(0);
  });
});
