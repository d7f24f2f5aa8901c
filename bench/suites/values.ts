import { statSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runPhase } from "../phase.ts";
import { bytesWritten, memoryMetrics } from "../process-facts.ts";
import { storeDefaults } from "../store.ts";
import type { Finding, SuiteContext } from "../suite.ts";
import { ValueSource } from "../value-source.ts";
import { Xorshift } from "../xorshift.ts";
import { ycsbKey } from "./ycsb.ts";

const secondsMax = 20;

/** Values that a store may keep apart from their keys: written in random order, overwritten by half, then read. */
export async function valuesSuite(context: SuiteContext): Promise<readonly Finding[]> {
  const { scale, directory, work } = context;
  const valueBytes = Number(work.split(" ")[0]) * 1024;
  const count = Math.max(16, Math.floor(scale.valueBytesTotal / valueBytes));
  const store = await context.engine.open({ ...storeDefaults, directory, cacheBytes: scale.cacheMiB * 2 ** 20 });
  const keys = Array.from({ length: count }, (_, id) => ycsbKey(id));
  const key = (id: number): Uint8Array => keys[id] ?? new Uint8Array(0);
  const random = new Xorshift(7);
  let next = 0;
  const before = bytesWritten();
  const operations = count + Math.floor(count / 2);
  const writes = await runPhase(store, { operations, clients: scale.clients, secondsMax }, (client) => {
    const values = new ValueSource(client + 1, valueBytes);
    return () => store.set(key(next < count ? next++ : random.below(count)), values.next());
  });
  const done = writes.metrics["operations"] ?? 0;
  const writtenPerByte = (bytesWritten() - before) / (done * valueBytes);
  const writeMetrics = { ...writes.metrics, ...megabytes(writes.metrics, valueBytes), writtenPerByte };
  let misses = 0;
  const reads = await runPhase(store, { operations: 2 * count, clients: 1, secondsMax }, () => () => {
    if (store.get(key(random.below(count))) === undefined) misses++;
    return undefined;
  });
  const readMetrics = { ...reads.metrics, ...megabytes(reads.metrics, valueBytes), misses, ...memoryMetrics() };
  await store.close();
  const spacePerByte = directoryBytes(directory) / (Math.min(done, count) * valueBytes);
  return [
    { work: `${work} write`, metrics: { ...writeMetrics, spacePerByte }, longest: writes.longest },
    { work: `${work} read`, metrics: readMetrics },
  ];
}

function megabytes(metrics: Readonly<Record<string, number>>, valueBytes: number): { megabytesPerSecond: number } {
  return { megabytesPerSecond: ((metrics["perSecond"] ?? 0) * valueBytes) / 1e6 };
}

export function directoryBytes(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).blocks * 512, 0);
}
