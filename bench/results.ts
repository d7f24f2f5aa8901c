import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Machine } from "./machine.ts";
import type { Finding, Scale, Task } from "./suite.ts";

/** One finding of one process. */
export interface Sample extends Finding, Omit<Task, "work" | "reopened"> {
  /** The task that found it; `work` is what it found out about. */
  readonly task: string;
}

export interface Results {
  readonly commit: string;
  readonly date: string;
  readonly machine: Machine;
  readonly scale: Scale;
  readonly rounds: number;
  /** By engine: package, version, and how it is called. */
  readonly engines: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
  /** Tasks that ended without a finding, and why. */
  readonly failures: readonly string[];
}

const resultsDirectory = join(import.meta.dirname, "results");

export function resultsPath(results: Results): string {
  return join(resultsDirectory, `${results.date}-${results.commit.replace("+", "-changed")}.json`);
}

/** One sample per line: a difference of two files shows which figures changed. */
export function writeResults(path: string, results: Results): void {
  const { samples, ...head } = results;
  const lines = samples.map((sample) => `    ${JSON.stringify(sample, rounded)}`);
  const text = JSON.stringify({ ...head, samples: [] }, null, 2);
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, `${text.replace(/"samples": \[\]/, () => `"samples": [\n${lines.join(",\n")}\n  ]`)}\n`);
  renameSync(temporary, path);
}

/** Four digits: more would be noise. */
function rounded(_key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isInteger(value)) return value;
  return Number(value.toPrecision(4));
}

export function readResults(path: string): Results {
  return JSON.parse(readFileSync(path, "utf8")) as Results;
}

/** The path of the file whose run began last; null when there is none. */
export function newestResults(directory = resultsDirectory): string | null {
  let newest: string | null = null;
  let newestDate = "";
  for (const name of readDirectory(directory).filter((entry) => entry.endsWith(".json")).toSorted()) {
    const { date } = readResults(join(directory, name));
    if (date < newestDate) continue;
    newest = join(directory, name);
    newestDate = date;
  }
  return newest;
}

function readDirectory(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** The middle value, the lower one of two. Null without values. */
export function spreadOf(values: readonly number[]): Spread | null {
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  const [min] = sorted;
  const max = sorted.at(-1);
  if (median === undefined || min === undefined || max === undefined) return null;
  return { median, min, max, count: sorted.length };
}

/** How one metric of one piece of work came out over all processes. */
export function spreadIn(results: Results, engine: string, work: string, metric: string): Spread | null {
  const values = results.samples
    .filter((sample) => sample.engine === engine && sample.work === work)
    .flatMap((sample) => sample.metrics[metric] ?? []);
  return spreadOf(values);
}
