import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeCommit, describeMachine } from "../machine.ts";
import { etcd } from "./etcd.ts";
import { nokv } from "./nokv.ts";
import { redis } from "./redis.ts";
import type { Contestant } from "./system.ts";
import { type Figure, failovers, runWorkload, workloadNames } from "./workloads.ts";

const usage = `usage: node bench/cluster/main.ts [options]

Three stores and a gateway, beside a three-node etcd and Redis.

  --systems A,B    of nokv, etcd, redis (all that are installed)
  --rounds N       medians of so many (3)
  --seconds N      for each workload (5)
  --warm-up N      seconds of puts before (10)
  --kills N        of leaders, to time the failover (20); 0: none
  --keep           a file in bench/results/cluster/`;

const contestants: readonly Contestant[] = [nokv, etcd, redis];

interface Outcome {
  readonly figures: readonly Figure[];
  readonly failoverMs: Readonly<Record<string, readonly number[]>>;
  readonly versions: Readonly<Record<string, string>>;
}

const { values } = parseArgs({
  options: {
    systems: { type: "string", default: contestants.map(({ name }) => name).join(",") },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    "warm-up": { type: "string", default: "10" },
    kills: { type: "string", default: "20" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const present = contestants.filter((contestant) => {
  if (!values.systems.split(",").includes(contestant.name)) return false;
  const reason = contestant.absent();
  if (reason !== null) console.error(`absent: ${reason}`);
  return reason === null;
});
const root = mkdtempSync(join(tmpdir(), "nokv-cluster-bench-"));
const outcome = await measure();
rmSync(root, { recursive: true, force: true });
console.log(table(outcome));
if (values.keep) {
  const directory = join(import.meta.dirname, "../results/cluster");
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${new Date().toISOString().replaceAll(":", "").slice(0, 17)}.json`);
  const facts = { machine: describeMachine(tmpdir()), commit: describeCommit(), settings: values };
  writeFileSync(path, `${JSON.stringify({ ...facts, ...outcome }, null, 1)}\n`);
  console.log(`\n${path}`);
}
process.exit(0);

/** Every round runs every system, so that a slow minute of the machine meets all of them. */
async function measure(): Promise<Outcome> {
  const figures: Figure[] = [];
  const failoverMs: Record<string, readonly number[]> = {};
  const versions: Record<string, string> = {};
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const contestant of present) {
      const directory = join(root, `${contestant.name}-${round}`);
      const system = await contestant.start(directory);
      versions[system.name] = system.version;
      await runWorkload(system, "put-64", Number(values["warm-up"]));
      for (const workload of workloadNames) {
        const figure = await runWorkload(system, workload, Number(values.seconds));
        console.error(`${round} ${lineOf(figure)}`);
        figures.push(figure);
      }
      if (round === 0 && Number(values.kills) > 0) {
        failoverMs[system.name] = await failovers(system, Number(values.kills));
      }
      await system.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return { figures, failoverMs, versions };
}

function lineOf({ system, workload, perSecond, p50Us, p99Us, processorUs, failures }: Figure): string {
  const rate = `${Math.round(perSecond)}/s, p50 ${Math.round(p50Us)} us, p99 ${Math.round(p99Us)} us`;
  return `${system} ${workload}: ${rate}, ${Math.round(processorUs)} us of processor, ${failures} failed`;
}

function table({ figures, failoverMs }: Outcome): string {
  const names = present.map(({ name }) => name);
  const head = ["", ...names.flatMap((name) => [`${name} /s`, "us cpu"]), "nokv : etcd"];
  const rows = workloadNames.map((workload) => {
    const rates = names.map((name) => medianOf(figures, name, workload, "perSecond"));
    const costs = names.map((name) => medianOf(figures, name, workload, "processorUs"));
    const [own, peer] = ["nokv", "etcd"].map((name) => rates[names.indexOf(name)] ?? Number.NaN);
    const ratio = ((own ?? Number.NaN) / (peer ?? Number.NaN)).toFixed(2);
    return [workload, ...rates.flatMap((rate, i) => [Math.round(rate), Math.round(costs[i] ?? 0)]), ratio];
  });
  const failover = Object.entries(failoverMs).flatMap(([name, list]) =>
    list.length === 0 ? [] : [`failover of ${name}: ${describe(list)}`],
  );
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).concat("", failover).join("\n");
}

function describe(ascending: readonly number[]): string {
  const at = (share: number): number => Math.round(ascending[Math.floor((ascending.length - 1) * share)] ?? 0);
  return `${ascending.length} kills, median ${at(0.5)} ms, longest ${at(1)} ms`;
}

type Measured = "perSecond" | "processorUs";

// oxlint-disable-next-line max-params
function medianOf(figures: readonly Figure[], system: string, workload: string, what: Measured): number {
  const found = figures.filter((figure) => figure.system === system && figure.workload === workload);
  const sorted = found.map((figure) => figure[what]).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
