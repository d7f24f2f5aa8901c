import { memoryMetrics } from "../process-facts.ts";
import { storeDefaults } from "../store.ts";
import type { Finding, SuiteContext } from "../suite.ts";
import { ycsbKey } from "./ycsb.ts";

/** Opening a store of all the records that was closed in order, until the first answer. */
export async function openSuite(context: SuiteContext): Promise<readonly Finding[]> {
  const cacheBytes = context.scale.cacheMiB * 2 ** 20;
  const key = ycsbKey(0);
  const startedAt = performance.now();
  const store = await context.engine.open({ ...storeDefaults, directory: context.directory, cacheBytes });
  const openMs = performance.now() - startedAt;
  if (store.get(key) === undefined) throw new Error(`${context.engine.name}: the loaded store has no first record`);
  const firstGetMs = performance.now() - startedAt;
  const metrics = { openMs, firstGetMs, ...memoryMetrics() };
  await store.close();
  return [{ work: "open", metrics }];
}
