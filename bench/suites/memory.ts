import { runPhase, type Operate } from "../phase.ts";
import { storeDefaults } from "../store.ts";
import type { Finding, SuiteContext } from "../suite.ts";
import { ValueSource } from "../value-source.ts";
import { Xorshift } from "../xorshift.ts";
import { ycsbKey, ycsbDefaults } from "./ycsb.ts";

const records = 10_000;
const operations = 20_000;

/** Node.js flags of the process that counts: a young generation so large that nothing is collected meanwhile. */
export const memoryFlags: readonly string[] = [
  "--expose-gc",
  "--min-semi-space-size=64",
  "--max-semi-space-size=64",
];

/**
 * Bytes that one operation of one client allocates: on the JavaScript heap, the harness's own included and
 * reported apart, and outside of it in array buffers.
 */
export async function memorySuite(context: SuiteContext): Promise<readonly Finding[]> {
  const store = await context.engine.open({ ...storeDefaults, directory: context.directory });
  const keys = Array.from({ length: records }, (_, id) => ycsbKey(id));
  const key = (id: number): Uint8Array => keys[id] ?? new Uint8Array(0);
  const values = new ValueSource(1, ycsbDefaults.valueBytes);
  const random = new Xorshift(5);
  const work: Readonly<Record<string, Operate>> = {
    nothing: () => undefined,
    put: () => store.set(key(random.below(records)), values.next()),
    get: () => {
      store.get(key(random.below(records)));
      return undefined;
    },
  };
  const findings: Finding[] = [];
  // The first pass of each warms the code up and fills the store.
  for (const measured of [false, true]) {
    for (const [name, operate] of Object.entries(work)) {
      const perOperation = await allocated(() =>
        runPhase(store, { operations, clients: 1, secondsMax: 30 }, () => operate),
      );
      if (measured) findings.push({ work: name, metrics: perOperation });
    }
  }
  await store.close();
  return findings;
}

async function allocated(action: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
  globalThis.gc?.();
  const before = process.memoryUsage();
  await action();
  const after = process.memoryUsage();
  return {
    heapBytes: (after.heapUsed - before.heapUsed) / operations,
    bufferBytes: (after.arrayBuffers - before.arrayBuffers) / operations,
  };
}
