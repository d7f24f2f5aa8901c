import { KeySlab } from "../key-slab.ts";
import { runPhase } from "../phase.ts";
import { bytesWritten, memoryMetrics } from "../process-facts.ts";
import { storeDefaults } from "../store.ts";
import type { Finding, SuiteContext } from "../suite.ts";
import { ValueSource } from "../value-source.ts";
import { Xorshift } from "../xorshift.ts";
import { directoryBytes } from "./values.ts";
import { ycsbKey, ycsbDefaults } from "./ycsb.ts";

/**
 * Puts of 1,000 bytes at random keys for a fixed time, as fast as the store takes them: what its background can
 * keep up with, and how it tells writers that it cannot.
 */
export async function fillSuite(context: SuiteContext): Promise<readonly Finding[]> {
  const { scale, engine, directory } = context;
  const { valueBytes } = ycsbDefaults;
  const store = await engine.open({ ...storeDefaults, directory, cacheBytes: scale.cacheMiB * 2 ** 20 });
  const slab = new KeySlab();
  const keys = Array.from({ length: 2 * scale.records }, (_, id) => slab.keep(ycsbKey(id)));
  const random = new Xorshift(11);
  const before = bytesWritten();
  const phase = { operations: Number.MAX_SAFE_INTEGER, clients: scale.clients, secondsMax: scale.fillSeconds };
  const { metrics, longest, perSecond } = await runPhase(store, phase, (client) => {
    const values = new ValueSource(client + 1, valueBytes);
    return () => store.set(keys[random.below(keys.length)] ?? new Uint8Array(0), values.next());
  });
  const writtenPerByte = (bytesWritten() - before) / ((metrics["operations"] ?? 0) * valueBytes);
  const counts = store.counts();
  const memory = memoryMetrics();
  await store.close();
  const diskMiB = directoryBytes(directory) / 2 ** 20;
  const facts = { writtenPerByte, diskMiB, stalls: counts["stallCount"] ?? 0, ...memory };
  return [{ work: "fill", metrics: { ...metrics, ...facts }, longest, perSecond }];
}
