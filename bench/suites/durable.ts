import { runPhase } from "../phase.ts";
import { storeDefaults } from "../store.ts";
import type { Finding, SuiteContext } from "../suite.ts";
import { ValueSource } from "../value-source.ts";
import { dbBenchKey } from "./db-bench.ts";

const valueBytes = 100;

/** Puts of 100 bytes, each on the device before it is acknowledged, by as many writers as `work` says. */
export async function durableSuite(context: SuiteContext): Promise<readonly Finding[]> {
  const clients = Number(context.work.split(" ")[0]);
  const store = await context.engine.open({ ...storeDefaults, directory: context.directory, durable: true });
  let next = 0;
  const phase = { operations: Number.MAX_SAFE_INTEGER, clients, secondsMax: context.scale.durableSeconds };
  const { metrics, longest } = await runPhase(store, phase, (client) => {
    const values = new ValueSource(client + 1, valueBytes);
    return () => store.set(dbBenchKey(next++), values.next());
  });
  await store.close();
  return [{ work: context.work, metrics, longest }];
}
