import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Child, listening, processorSeconds } from "../child.ts";
import { describeCommit, describeMachine } from "../machine.ts";

const usage = `usage: node bench/gateway/main.ts [options]

The embedded gateway beside redis-server, asked by redis-benchmark.

  --rounds N    medians of so many (3)
  --requests N  of each test (200000)
  --keep        a file in bench/results/gateway/

Two pairs: "synced", where both sync before they answer, and "in memory", where neither waits for the disk.`;

const port = 23_690;
const root = join(import.meta.dirname, "../..");
const clients = 50;
const pipelines = [1, 16] as const;
const tests = ["set", "get"] as const;

interface Server {
  readonly name: "nokv" | "redis";
  readonly level: "synced" | "in memory";
  readonly words: (directory: string) => readonly [string, ...string[]];
}

const ownWords = (directory: string): string[] => [
  join(root, "cli/main.ts"), "redis", "--addr", `127.0.0.1:${port}`, "--workdir", join(directory, "data"),
];
const redisWords = ["redis-server", "--port", String(port), "--save", "", "--appendonly"] as const;

const servers: readonly Server[] = [
  { name: "nokv", level: "synced", words: (at) => [process.execPath, ...ownWords(at), "--durability", "sync"] },
  {
    name: "redis",
    level: "synced",
    words: (at) => [...redisWords, "yes", "--appendfsync", "always", "--dir", at],
  },
  { name: "nokv", level: "in memory", words: (at) => [process.execPath, ...ownWords(at), "--durability", "none"] },
  { name: "redis", level: "in memory", words: (at) => [...redisWords, "no", "--dir", at] },
];

interface Figure {
  readonly name: string;
  readonly level: string;
  readonly test: string;
  readonly pipeline: number;
  readonly perSecond: number;
  readonly processorUs: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    requests: { type: "string", default: "200000" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const figures: Figure[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  for (const server of servers) figures.push(...(await measure(server)));
}
console.log(table());
if (values.keep) keep();

async function measure({ name, level, words }: Server): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "nokv-gateway-bench-"));
  const [command, ...rest] = words(directory);
  const child = new Child(command, rest, join(directory, "log"));
  await listening(port, 30);
  const found: Figure[] = [];
  for (const pipeline of pipelines) {
    for (const test of tests) {
      const before = processorSeconds([child.pid]);
      const perSecond = ask(test, pipeline);
      const processorUs = ((processorSeconds([child.pid]) - before) * 1e6) / Number(values.requests);
      console.error(`${name} ${level}: ${test} P=${pipeline} ${Math.round(perSecond)}/s, ${processorUs.toFixed(1)} us`);
      found.push({ name, level, test, pipeline, perSecond, processorUs });
    }
  }
  await child.kill("SIGTERM");
  rmSync(directory, { recursive: true, force: true });
  return found;
}

/** Requests per second, by what redis-benchmark says. */
function ask(test: string, pipeline: number): number {
  const words = [
    "-p", String(port), "-t", test, "-n", values.requests, "-c", String(clients), "-P", String(pipeline),
    "-r", "100000", "-d", "100", "--csv",
  ];
  const { stdout, error } = spawnSync("redis-benchmark", words, { encoding: "utf8" });
  if (error !== undefined) throw new Error(`redis-benchmark: ${error.message}`);
  const line = stdout.split("\n").find((text) => text.startsWith(`"${test.toUpperCase()}"`));
  const rate = Number(line?.split(",")[1]?.replaceAll('"', ""));
  if (!(rate > 0)) throw new Error(`redis-benchmark said: ${stdout}`);
  return rate;
}

function table(): string {
  const head = ["", "nokv /s", "us cpu", "redis /s", "us cpu", "ratio"];
  const rows = (["synced", "in memory"] as const).flatMap((level) =>
    pipelines.flatMap((pipeline) =>
      tests.map((test) => {
        const asked = figures.filter((at) => at.level === level && at.test === test && at.pipeline === pipeline);
        const of = (name: string): Figure[] => asked.filter((at) => at.name === name);
        const [own, peer] = [of("nokv"), of("redis")].map((list) => median(list, "perSecond"));
        const [ownUs, peerUs] = [of("nokv"), of("redis")].map((list) => median(list, "processorUs"));
        const cells = [Math.round(own ?? 0), ownUs?.toFixed(1), Math.round(peer ?? 0), peerUs?.toFixed(1)];
        return [`${level}, ${test.toUpperCase()}, P=${pipeline}`, ...cells, ((own ?? 0) / (peer ?? 1)).toFixed(2)];
      }),
    ),
  );
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function median(list: readonly Figure[], what: "perSecond" | "processorUs"): number {
  const sorted = list.map((figure) => figure[what]).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function keep(): void {
  const directory = join(root, "bench/results/gateway");
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${new Date().toISOString().replaceAll(":", "").slice(0, 17)}.json`);
  const facts = { machine: describeMachine(tmpdir()), commit: describeCommit(), settings: values };
  writeFileSync(path, `${JSON.stringify({ ...facts, figures }, null, 1)}\n`);
  console.log(`\n${path}`);
}
