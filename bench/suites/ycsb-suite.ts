import type { Metrics } from "../phase.ts";
import { bytesWritten, memoryMetrics } from "../process-facts.ts";
import { storeDefaults } from "../store.ts";
import type { Finding, SuiteContext } from "../suite.ts";
import { type WorkloadName, workloadNames, Ycsb, ycsbDefaults } from "./ycsb.ts";

/** Workloads that every engine runs a second time on what is warm by then. */
const warmForAll: ReadonlySet<string> = new Set(["B", "C"]);

/**
 * One workload. On an empty directory: load, run, run again, in one process as the original does. On a loaded
 * one: open, run, and, where the comparison asks for it, run again.
 */
export async function ycsbSuite(context: SuiteContext): Promise<readonly Finding[]> {
  const { engine, scale, work, reopened } = context;
  const cacheBytes = scale.cacheMiB * 2 ** 20;
  const openedAt = performance.now();
  const store = await engine.open({ ...storeDefaults, directory: context.directory, cacheBytes });
  const openMs = performance.now() - openedAt;
  const ycsb = new Ycsb(store, { ...ycsbDefaults, ...scale });
  const findings: Finding[] = [];
  const baseMiB = memoryMetrics()["anonMiB"] ?? 0;
  if (!reopened) {
    const before = bytesWritten();
    const { metrics, longest } = await ycsb.load();
    const written = (bytesWritten() - before) / (scale.records * ycsbDefaults.valueBytes);
    findings.push({ work: "load", metrics: { ...metrics, writtenPerByte: written, ...memorySince(baseMiB) }, longest });
  }
  const name = workloadNames.find((candidate) => candidate === work);
  if (name !== undefined) {
    const secondsMax = reopened ? scale.capSeconds : 2 * scale.capSeconds;
    const { metrics, longest } = await ycsb.run(name, secondsMax);
    findings.push({ work: name, metrics: { ...metrics, openMs, ...memorySince(baseMiB) }, longest });
    if (!reopened || warmForAll.has(name)) findings.push(await warm(ycsb, name, secondsMax / 2));
  }
  await store.close();
  return findings;
}

/** `ownMiB`: without what the harness took before, which is mostly keys. */
function memorySince(baseMiB: number): Metrics {
  const metrics = memoryMetrics();
  return { ...metrics, ownMiB: (metrics["anonMiB"] ?? 0) - baseMiB };
}

async function warm(ycsb: Ycsb, name: WorkloadName, secondsMax: number): Promise<Finding> {
  const { metrics, longest } = await ycsb.run(name, secondsMax);
  return { work: `${name} warm`, metrics: { ...metrics, ...memoryMetrics() }, longest };
}
