import { Histogram } from "../histogram.ts";
import { processorSeconds } from "../child.ts";
import { sleep } from "../sleep.ts";
import type { KvClient, System } from "./system.ts";

export const workloadNames = ["put-1", "put-64", "get-64", "incr-hot-64", "txn-2-keys-64"] as const;
export type WorkloadName = (typeof workloadNames)[number];

/** What one workload came to on one system. */
export interface Figure {
  readonly system: string;
  readonly workload: WorkloadName;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Microseconds of processor time that all servers together took per operation. */
  readonly processorUs: number;
  readonly failures: number;
}

const valueBytes = 100;
const keys = 10_000;

/** Keys of all regions: the first letter is any. */
function keyOf(number: number): string {
  return `${String.fromCharCode(97 + (number % 26))}${String(number % keys).padStart(8, "0")}`;
}

type Step = (client: KvClient, number: number) => Promise<unknown>;

function stepOf(workload: WorkloadName): Step {
  const value = new Uint8Array(valueBytes).fill(120);
  switch (workload) {
    case "put-1":
    case "put-64":
      return (client, number) => client.put(keyOf(number), value);
    case "get-64":
      return (client, number) => client.get(keyOf(number));
    case "incr-hot-64":
      return (client) => client.increment("hot");
    case "txn-2-keys-64":
      return (client, number) => client.putTwo(keyOf(number), keyOf(number * 7 + 13), value);
  }
}

/** As many operations as `seconds` hold, each client one after the other. */
export async function runWorkload(system: System, workload: WorkloadName, seconds: number): Promise<Figure> {
  const clients = await Promise.all(Array.from({ length: workload === "put-1" ? 1 : 64 }, () => system.connect()));
  const step = stepOf(workload);
  const latency = new Histogram();
  let number = 0;
  let done = 0;
  let failures = 0;
  const usedBefore = processorSeconds(system.pids());
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  const act = async (client: KvClient): Promise<void> => {
    while (performance.now() < endMs) {
      const beginMs = performance.now();
      try {
        await step(client, number++);
        done++;
      } catch {
        failures++;
        await sleep(1);
      }
      latency.add((performance.now() - beginMs) * 1e6);
    }
  };
  await Promise.all(clients.map(act));
  const tookSeconds = (performance.now() - startMs) / 1_000;
  const processorUs = ((processorSeconds(system.pids()) - usedBefore) * 1e6) / Math.max(1, done);
  for (const client of clients) client.close();
  return {
    system: system.name,
    workload,
    perSecond: done / tookSeconds,
    p50Us: latency.quantile(0.5) / 1_000,
    p99Us: latency.quantile(0.99) / 1_000,
    processorUs,
    failures,
  };
}

/** For each kill of whoever leads the key, milliseconds until a put succeeds again; ascending. */
export async function failovers(system: System, kills: number): Promise<number[]> {
  const { killLeader } = system;
  if (killLeader === null) return [];
  const value = new Uint8Array(valueBytes);
  const took: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    await putUntilDone(system, value);
    const startMs = performance.now();
    const restart = await killLeader("m");
    await putUntilDone(system, value);
    took.push(performance.now() - startMs);
    await restart();
    await sleep(2_000);
  }
  return took.toSorted((a, b) => a - b);
}

async function putUntilDone(system: System, value: Uint8Array): Promise<void> {
  for (;;) {
    try {
      const client = await system.connect();
      try {
        await client.put("m", value);
        return;
      } finally {
        client.close();
      }
    } catch {
      await sleep(5);
    }
  }
}
