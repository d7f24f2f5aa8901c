import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { describeCommit, describeMachine } from "./machine.ts";
import { ownEngine, planTasks } from "./plan.ts";
import { renderReport } from "./report.ts";
import { newestResults, readResults, type Results, resultsPath } from "./results.ts";
import { runTasks } from "./runner.ts";
import { availableEngines } from "./stores/engines.ts";
import { nullEngine } from "./stores/null.ts";
import { type Scale, scaleDefaults, type SuiteName, suiteNames } from "./suite.ts";

const scaleFlags: Readonly<Record<keyof Scale, string>> = {
  records: "records",
  operations: "operations",
  clients: "clients",
  capSeconds: "cap-seconds",
  dbBenchEntries: "dbbench-entries",
  durableSeconds: "durable-seconds",
  valueBytesTotal: "value-bytes",
  fillSeconds: "fill-seconds",
  cacheMiB: "cache-mib",
};

export const runUsage = `options:
  --suites A,B          of ${suiteNames.join(",")} (all)
  --engines A,B         of nokv, harness and the peers (nokv and all peers that are installed)
  --workloads ABCDEF    YCSB workloads; given alone, only they run
  --repeat N            fresh processes per figure (3); the table has medians, the results every run
  --quick               a fiftieth of everything: does it work
  --directory DIR       where the stores lie (the system's temporary directory)
  --resume              go on where the newest results of bench/results/ stop
  --dry                 print what would run
  --keep                a part of the comparison goes to bench/results/ too, as a whole one does, and not to the
                        system's temporary directory
${Object.entries(scaleFlags)
  .map(([name, flag]) => `  --${flag} N`.padEnd(24) + `(${scaleDefaults[name as keyof Scale]})`)
  .join("\n")}`;

interface Settings {
  readonly suites: readonly SuiteName[];
  readonly engines: readonly string[];
  readonly workloads: string;
  readonly rounds: number;
  readonly scale: Scale;
  readonly directory: string;
  readonly resume: boolean;
  readonly dry: boolean;
  readonly keep: boolean;
}

/** Measures what the words of the command line ask for, and prints the report. */
export function runCommand(words: readonly string[]): void {
  const settings = parse(words);
  const start = settings.resume ? resumed() : begun(settings);
  const { rounds } = start;
  const tasks = planTasks({ ...settings, rounds });
  if (settings.dry) {
    for (const task of tasks) console.log(JSON.stringify(task));
    return;
  }
  const kept = resultsPath(start);
  // Half an hour of measurements is never only printed.
  const path = settings.keep ? kept : join(tmpdir(), `nokv-bench-${basename(kept)}`);
  const { directory } = settings;
  const results = runTasks(tasks, start, { directory, path, report: (line) => console.error(line) });
  console.log(renderReport(results));
  console.log(`\n${path}`);
  if (results.failures.length > 0) process.exitCode = 1;
}

function parse(words: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...words],
    options: {
      suites: { type: "string" },
      engines: { type: "string" },
      workloads: { type: "string" },
      repeat: { type: "string" },
      quick: { type: "boolean", default: false },
      directory: { type: "string", default: tmpdir() },
      resume: { type: "boolean", default: false },
      dry: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      ...Object.fromEntries(Object.values(scaleFlags).map((flag) => [flag, { type: "string" as const }])),
    },
  });
  const given: Readonly<Record<string, unknown>> = values;
  const suites = values.suites ?? (values.workloads === undefined ? suiteNames.join(",") : "ycsb");
  return {
    suites: suites.split(",").map(suiteOf),
    engines: chooseEngines(values.engines),
    workloads: values.workloads ?? "ABCDEF",
    rounds: values.repeat === undefined ? (values.quick ? 1 : 3) : positive("--repeat", values.repeat),
    scale: chooseScale(given, values.quick),
    directory: values.directory,
    resume: values.resume,
    dry: values.dry,
    keep: values.keep || values.resume || isWhole(given),
  };
}

/** A comparison that anybody would want to read again. */
function isWhole(given: Readonly<Record<string, unknown>>): boolean {
  const parts = ["suites", "engines", "workloads", "records", "operations"];
  return given["quick"] !== true && parts.every((flag) => given[flag] === undefined);
}

function chooseScale(given: Readonly<Record<string, unknown>>, quick: boolean): Scale {
  const scale: Record<string, number> = {};
  for (const [name, flag] of Object.entries(scaleFlags)) {
    const normal = scaleDefaults[name as keyof Scale];
    const text = given[flag];
    const fewer = /clients|cacheMiB|Seconds/.test(name) ? normal : Math.ceil(normal / 50);
    scale[name] = typeof text === "string" ? positive(`--${flag}`, text) : quick ? fewer : normal;
  }
  if (quick && given["fill-seconds"] === undefined) scale["fillSeconds"] = 3;
  return { ...scaleDefaults, ...scale };
}

function suiteOf(text: string): SuiteName {
  const name = suiteNames.find((candidate) => candidate === text);
  if (name === undefined) throw new RangeError(`--suites ${text}: expected some of ${suiteNames.join(", ")}`);
  return name;
}

function chooseEngines(text: string | undefined): readonly string[] {
  const { engines, absent } = availableEngines();
  const names = engines.map(({ name }) => name);
  if (text !== undefined) {
    const wanted = text.split(",");
    const unknown = wanted.filter((name) => name !== nullEngine.name && !names.includes(name));
    if (unknown.length > 0) throw new RangeError(`--engines ${unknown.join(",")}: there are ${names.join(", ")}`);
    return wanted;
  }
  for (const reason of absent) console.error(`without ${reason}`);
  if (names.length === 1) console.error(`only ${ownEngine} will be measured; its peers: pnpm bench peers install`);
  return names;
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${flag} ${text}: expected a positive integer`);
  return value;
}

function begun(settings: Settings): Results {
  const { engines } = availableEngines();
  const labels = [...engines, nullEngine].filter(({ name }) => settings.engines.includes(name));
  return {
    commit: describeCommit(),
    date: new Date().toISOString().slice(0, 19).replaceAll(":", ""),
    machine: describeMachine(settings.directory),
    scale: settings.scale,
    rounds: settings.rounds,
    engines: Object.fromEntries(labels.map(({ name, label }) => [name, label])),
    samples: [],
    failures: [],
  };
}

/** Tasks that failed are tried again. */
function resumed(): Results {
  const path = newestResults();
  if (path === null) throw new Error("there is nothing to resume in bench/results/");
  const results = readResults(path);
  const commit = describeCommit();
  if (results.commit !== commit) throw new Error(`${path} is of commit ${results.commit}, this tree is ${commit}`);
  return { ...results, failures: [] };
}
