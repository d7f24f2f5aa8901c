// Goal: wherever a crash strikes, what was acknowledged is there after reopening, nothing is there that
// was never written, and what is there is a prefix of the history. Another crash during recovery changes
// nothing in that.
// Method: a fixed workload with flushes, compactions and two openings, ended inside one of its disk calls
// after another (here one in nineteen; the scenarios take all), by the end of the process or by power loss;
// then reopened, every other time with another crash on the way, and compared.
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "../../sim/disk/disk-faults.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { Durability, EngineOptions } from "./options.ts";
import { bytesOf, type TestEnv, TestWorld, textOf } from "./test-world.test-support.ts";

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
const stride = 19;

function keyOf(n: number): string {
  return keys[n % keys.length] ?? "";
}

function valueOf(n: number): string | null {
  return n % 7 === 0 ? null : `value ${n} ${".".repeat((n * 13) % 40)}`;
}

function stateAfter(n: number): Map<string, string> {
  const state = new Map<string, string>();
  for (let i = 1; i <= n; i++) {
    const value = valueOf(i);
    if (value === null) state.delete(keyOf(i));
    else state.set(keyOf(i), value);
    state.set("last", String(i));
  }
  return state;
}

/** Write n sets or deletes one key and says so under "last": the history is 1, 2, 3 and so on. */
class Workload {
  next = 1;
  acknowledged = 0;

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
    const value = valueOf(n);
    const batch = new Batch();
    if (value === null) batch.delete(bytesOf(keyOf(n)));
    else batch.set(bytesOf(keyOf(n)), bytesOf(value));
    batch.set(bytesOf("last"), bytesOf(String(n)));
    return new Promise((resolve, reject) => {
      engine.commit(batch, (error) => {
        if (error !== null) return reject(error);
        this.acknowledged = n;
        resolve();
      });
      this.next++;
    });
  }
}

type Ending = "process" | "power";

/** Runs `work` until it is over or its incarnation is; whether it got to its end. */
async function ranToEnd(world: TestWorld, env: TestEnv, work: Promise<unknown>): Promise<boolean> {
  let over = false;
  let failed = false;
  work.then(
    () => (over = true),
    () => (failed = true),
  );
  await world.until(() => over || failed || !env.alive());
  if (env.alive() && !over) await work;
  return over;
}

/** Ends a run inside disk call `n` and judges what is left; false when the run is over before. */
async function crashAt(n: number, ending: Ending, durability: Durability): Promise<boolean> {
  const world = new TestWorld(n, diskFaultsPowerLoss);
  const crash = (): void => (ending === "power" ? world.powerLoss() : world.processCrash());
  const env = world.boot();
  const workload = new Workload();
  env.crashInCalls(n, crash);
  if (await ranToEnd(world, env, workload.run(env, durability))) return false;

  const options = { ...tiny, durability };
  if (n % 2 === 0) {
    const second = world.boot();
    second.crashInCalls(1 + (n % 40), crash);
    await ranToEnd(world, second, openEngine(second, "/db", options));
  }
  const engine = await world.run(openEngine(world.boot(), "/db", options));
  const found = new Map<string, string>();
  for (const [key, value] of engine.iterator()) found.set(textOf(key) ?? "", textOf(value) ?? "");
  const survived = Number(found.get("last") ?? "0");
  const where = `call ${n}, ${ending}, ${durability}`;
  const promised = durability === "sync" || ending === "process" ? workload.acknowledged : 0;
  expect(survived, `${where}: acknowledged writes survive`).toBeGreaterThanOrEqual(promised);
  expect(survived, `${where}: nothing is invented`).toBeLessThan(workload.next);
  const expected = stateAfter(survived);
  expect(found, `${where}: a prefix of the history`).toEqual(expected);
  for (const key of keys) expect(textOf(engine.get(bytesOf(key))), where).toBe(expected.get(key) ?? null);
  await world.run(engine.close());
  expect(world.disk.openFiles, where).toBe(0);
  return true;
}

describe.each(["sync", "interval", "none"] as const)("a crash at a disk call, %s", (durability) => {
  test.each(["process", "power"] as const)("%s", async (ending) => {
    let n = ending === "power" ? 1 : 4;
    while (await crashAt(n, ending, durability)) n += stride;
    expect(n).toBeGreaterThan(300);
  });
});
