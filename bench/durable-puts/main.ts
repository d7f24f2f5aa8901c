import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { open } from "../../host/open.ts";
import { Histogram } from "../histogram.ts";

/*
 * Small writes that wait for the device: how many commits a second, for one writer and for many.
 *
 * usage: node bench/durable-puts/main.ts [--writers 1,16,64,256] [--seconds N] [--value-bytes N] [--directory DIR]
 */

const { values } = parseArgs({
  options: {
    writers: { type: "string", default: "1,16,64,256" },
    seconds: { type: "string", default: "3" },
    "value-bytes": { type: "string", default: "100" },
    directory: { type: "string", default: tmpdir() },
  },
});

async function measure(writers: number, seconds: number, valueBytes: number): Promise<void> {
  const directory = mkdtempSync(join(values.directory, "nokv-durable-"));
  const db = await open(join(directory, "db"), { durability: "sync" });
  const latencies = new Histogram();
  const value = new Uint8Array(valueBytes).fill(120);
  let commits = 0;
  let counting = false;
  let over = false;
  const write = async (writer: number): Promise<void> => {
    const key = new TextEncoder().encode(`key${String(writer).padStart(13, "0")}`);
    for (let i = 0; !over; i++) {
      // Sixteen bytes, spread over the key space.
      new DataView(key.buffer).setUint32(3, Math.imul(i * 1021 + writer, 0x9e3779b1));
      const startedAt = performance.now();
      await db.set(key, value);
      if (!counting) continue;
      commits++;
      latencies.add((performance.now() - startedAt) * 1e6);
    }
  };
  const loops = Array.from({ length: writers }, (_, writer) => write(writer));
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(500);
  const before = { at: performance.now(), cpu: process.cpuUsage(), stats: db.stats() };
  counting = true;
  await pause(seconds * 1000);
  counting = false;
  const elapsed = (performance.now() - before.at) / 1000;
  const cpu = process.cpuUsage(before.cpu);
  const stats = db.stats();
  over = true;
  await Promise.all(loops);
  await db.close();
  rmSync(directory, { recursive: true, force: true });
  const syncs = stats.walSyncs - before.stats.walSyncs;
  const cells = [
    writers, Math.round(commits / elapsed), (latencies.quantile(0.5) / 1000).toFixed(0),
    (latencies.quantile(0.99) / 1000).toFixed(0), (latencies.quantile(0.999) / 1000).toFixed(0),
    (latencies.max / 1e6).toFixed(1), ((cpu.user + cpu.system) / commits).toFixed(2),
    (commits / syncs).toFixed(1), ((stats.walBytes - before.stats.walBytes) / commits).toFixed(0),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

const columns = ["writers", "commits/s", "p50 µs", "p99 µs", "p99.9 µs", "max ms", "CPU µs", "per sync", "log bytes"];
console.log(`| ${columns.join(" | ")} |\n|${"---:|".repeat(columns.length)}`);
for (const text of values.writers.split(",")) {
  await measure(Number(text), Number(values.seconds), Number(values["value-bytes"]));
}
