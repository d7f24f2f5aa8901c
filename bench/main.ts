import { spawnSync } from "node:child_process";
import { cpus, tmpdir, totalmem } from "node:os";
import { parseArgs } from "node:util";
import type { Durability } from "../core/engine/options.ts";
import { NokvStore } from "./nokv-store.ts";
import { type PhaseResult, Ycsb, type WorkloadName, workloadNames, ycsbDefaults } from "./ycsb.ts";

const usage = `usage: pnpm bench [--workloads ABCDEF] [--records N] [--operations N] [--clients N]
                  [--durability none|interval|sync] [--repeat N] [--warm] [--directory DIR] [--json]

Loads N records of 1,000 bytes, then runs each YCSB workload, every one in a process and a directory of its own.
--warm runs each workload a second time on the same store and reports that too.`;

interface Report {
  readonly workload: WorkloadName;
  readonly load: PhaseResult;
  readonly run: PhaseResult;
  readonly warm: PhaseResult | null;
  readonly rssMiB: number;
  readonly counts: Readonly<Record<string, number>>;
}

interface Settings {
  readonly names: readonly WorkloadName[];
  readonly records: number;
  readonly operations: number;
  readonly clients: number;
  readonly durability: Durability;
  readonly repeat: number;
  readonly warm: boolean;
  readonly directory: string;
  readonly json: boolean;
  readonly inProcess: boolean;
}

async function main(): Promise<void> {
  const settings = parse();
  if (settings.inProcess) {
    const name = settings.names[0];
    if (name === undefined) throw new RangeError("one workload");
    process.stdout.write(`${JSON.stringify(await measure(settings, name))}\n`);
    return;
  }
  const reports: Report[] = [];
  if (!settings.json) printHeader(settings);
  for (const name of settings.names) {
    const runs = Array.from({ length: settings.repeat }, () => measureInFreshProcess(settings, name));
    runs.sort((a, b) => a.run.perSecond - b.run.perSecond);
    const median = runs[Math.floor(runs.length / 2)];
    if (median === undefined) continue;
    reports.push(median);
    if (!settings.json) printRow(median);
  }
  if (settings.json) {
    const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, memory: totalmem() };
    process.stdout.write(`${JSON.stringify({ machine, settings, reports }, null, 2)}\n`);
  }
}

function parse(): Settings {
  const { values } = parseArgs({
    options: {
      workloads: { type: "string", default: "ABCDEF" },
      records: { type: "string", default: String(ycsbDefaults.records) },
      operations: { type: "string", default: String(ycsbDefaults.operations) },
      clients: { type: "string", default: String(ycsbDefaults.clients) },
      durability: { type: "string", default: "none" },
      repeat: { type: "string", default: "1" },
      warm: { type: "boolean", default: false },
      directory: { type: "string", default: tmpdir() },
      json: { type: "boolean", default: false },
      "in-process": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  const { durability } = values;
  if (durability !== "none" && durability !== "interval" && durability !== "sync") {
    throw new RangeError(`--durability ${durability}: expected none, interval or sync`);
  }
  return {
    names: workloadNames.filter((name) => values.workloads.includes(name)),
    records: positive("--records", values.records),
    operations: positive("--operations", values.operations),
    clients: positive("--clients", values.clients),
    durability,
    repeat: positive("--repeat", values.repeat),
    warm: values.warm,
    directory: values.directory,
    json: values.json,
    inProcess: values["in-process"],
  };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${flag} ${text}: expected a positive integer`);
  return value;
}

async function measure(settings: Settings, name: WorkloadName): Promise<Report> {
  const store = await NokvStore.open(settings.directory, settings.durability);
  const ycsb = new Ycsb(store, { ...ycsbDefaults, ...settings });
  const load = await ycsb.load();
  const run = await ycsb.run(name);
  const warm = settings.warm ? await ycsb.run(name) : null;
  const rssMiB = Math.round(process.memoryUsage.rss() / 2 ** 20);
  const counts = store.counts();
  await store.close();
  return { workload: name, load, run, warm, rssMiB, counts };
}

function measureInFreshProcess(settings: Settings, name: WorkloadName): Report {
  // Dirty pages of an earlier run would be written back during this one.
  spawnSync("sync");
  const { records, operations, clients, durability, directory } = settings;
  const flags = ["--in-process", "--workloads", name, "--durability", durability, "--directory", directory];
  flags.push("--records", String(records), "--operations", String(operations), "--clients", String(clients));
  if (settings.warm) flags.push("--warm");
  const child = spawnSync(process.execPath, [import.meta.filename, ...flags], {
    encoding: "utf8",
    maxBuffer: 2 ** 24,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (child.status !== 0) throw new Error(`workload ${name} ended with ${child.status ?? child.signal}`);
  return JSON.parse(child.stdout) as Report;
}

function printHeader(settings: Settings): void {
  const { records, operations, clients, durability } = settings;
  console.log(`${records} records of ${ycsbDefaults.valueBytes} bytes, ${operations} operations,`);
  console.log(`${clients} clients, durability ${durability}, node ${process.version}, ${cpus().length} cores`);
  console.log("");
  const latencies = ["p50 µs", "p99 µs", "p99.9 µs", "max ms"];
  const columns = ["load ops/s", "ops/s", "warm ops/s", "CPU µs/op", ...latencies, "RSS MiB"];
  console.log(`| workload | ${columns.join(" | ")} |`);
  console.log(`|---|${"---:|".repeat(columns.length)}`);
}

function printRow(report: Report): void {
  const { run, load, warm } = report;
  const whole = (value: number): string => Math.round(value).toString();
  const cells = [
    report.workload,
    whole(load.perSecond),
    whole(run.perSecond),
    warm === null ? "" : whole(warm.perSecond),
    run.cpuMicrosPerOperation.toFixed(2),
    run.p50Us.toFixed(1),
    run.p99Us.toFixed(1),
    run.p999Us.toFixed(1),
    run.maxMs.toFixed(1),
    String(report.rssMiB),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

await main();
