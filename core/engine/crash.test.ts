// Goal: wherever a crash strikes, what was acknowledged is there after reopening, nothing is there that was
// never written, and what is there is a prefix of the history.
// Method: a fixed workload with flushes, compactions and two openings, ended inside each of its disk calls in
// turn, by the end of the process or by power loss in several variants; then reopened and compared.
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "../../sim/disk/disk-faults.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { Durability, EngineOptions } from "./options.ts";
import { bytesOf, Crashed, type TestEnv, TestWorld, textOf } from "./test-world.test-support.ts";

const tiny: Partial<EngineOptions> = {
  memtableBytes: 512,
  tableBytes: 1024,
  blockBytes: 128,
  level0TablesMax: 2,
  manifestBytesMax: 1024,
  immutableMemtablesMax: 1,
  walGroupBytesMax: 256,
};
const keys = ["a", "b", "c", "d", "e"];

/** Every write gets the next number as its value: the history is the numbers 1, 2, 3 and so on. */
class Workload {
  next = 1;
  acknowledged = 0;
  /** The batch of write n: which keys it sets, or deletes. */
  static batch(n: number): Batch {
    const batch = new Batch();
    const key = bytesOf(keys[n % keys.length] ?? "");
    if (n % 7 === 0) batch.delete(key);
    else batch.set(key, bytesOf(`value ${n} ${".".repeat((n * 13) % 40)}`));
    batch.set(bytesOf("last"), bytesOf(String(n)));
    return batch;
  }

  static stateAfter(n: number): Map<string, string> {
    const state = new Map<string, string>();
    for (let i = 1; i <= n; i++) {
      const key = keys[i % keys.length] ?? "";
      if (i % 7 === 0) state.delete(key);
      else state.set(key, `value ${i} ${".".repeat((i * 13) % 40)}`);
      state.set("last", String(i));
    }
    return state;
  }

  async run(env: TestEnv, durability: Durability): Promise<void> {
    for (let opening = 0; opening < 2; opening++) {
      const engine = await openEngine(env, "/db", { ...tiny, durability });
      for (let i = 0; i < 30; i++) {
        const first = this.#commit(engine);
        if (i % 3 === 0) await Promise.all([first, this.#commit(engine)]);
        else await first;
        if (i === 20) await engine.flush();
      }
      if (opening === 0) await engine.close();
      else await engine.compact();
    }
  }

  #commit(engine: Engine): Promise<void> {
    const n = this.next;
    return new Promise((resolve, reject) => {
      engine.commit(Workload.batch(n), (error) => {
        if (error === null) this.acknowledged = n;
        if (error === null) resolve();
        else reject(error);
      });
      this.next++;
    });
  }
}

function contents(engine: Engine): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of engine.iterator()) found.set(textOf(key) ?? "", textOf(value) ?? "");
  return found;
}

type Ending = "process" | "power";

/** Ends a run inside disk call `n`; null when it is over before. */
async function crashAt(n: number, ending: Ending, durability: Durability, seed: number): Promise<string | null> {
  const world = new TestWorld(seed, diskFaultsPowerLoss);
  const env = world.boot();
  const workload = new Workload();
  env.crashInCalls(n, () => (ending === "power" ? world.powerLoss() : world.processCrash()));
  const running = workload.run(env, durability);
  let over = false;
  let failure: unknown = null;
  running.then(
    () => (over = true),
    (error: unknown) => (failure = error),
  );
  await world.until(() => over || failure !== null || !env.alive());
  if (failure !== null && !(failure instanceof Crashed)) throw failure;
  if (over) return null;
  const engine = await world.run(openEngine(world.boot(), "/db", { ...tiny, durability }));
  const found = contents(engine);
  const survived = Number(found.get("last") ?? "0");
  const where = `call ${n}, ${ending}, ${durability}, seed ${seed}`;
  const promised = durability === "sync" || ending === "process" ? workload.acknowledged : 0;
  expect(survived, `${where}: acknowledged writes survive`).toBeGreaterThanOrEqual(promised);
  expect(survived, `${where}: nothing is invented`).toBeLessThan(workload.next);
  expect(found, `${where}: a prefix of the history`).toEqual(Workload.stateAfter(survived));
  for (const key of keys) {
    expect(textOf(engine.get(bytesOf(key))), where).toBe(Workload.stateAfter(survived).get(key) ?? null);
  }
  await world.run(engine.close());
  return where;
}

describe.each(["sync", "interval", "none"] as const)("a crash at every disk call, %s", (durability) => {
  test.each(["process", "power"] as const)("%s", async (ending) => {
    let n = 1;
    for (; n < 5000; n++) {
      if ((await crashAt(n, ending, durability, n)) === null) break;
    }
    expect(n).toBeGreaterThan(300);
  });
});
