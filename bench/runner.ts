import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { MeasureOrder } from "./measure.ts";
import { rowOf, taskName } from "./plan.ts";
import { type Results, type Sample, writeResults } from "./results.ts";
import { Scratch } from "./scratch.ts";
import { engineNamed } from "./stores/engines.ts";
import type { Finding, Task } from "./suite.ts";
import { memoryFlags } from "./suites/memory.ts";

const script = join(import.meta.dirname, "main.ts");
const secondsPerTaskMax = 900;

export interface RunnerOptions {
  readonly directory: string;
  /** Where the results are kept after each task. */
  readonly path: string;
  readonly report: (line: string) => void;
}

/** Runs what `results` do not hold yet and returns them complete. A task that fails is reported and left out. */
export function runTasks(tasks: readonly Task[], start: Results, options: RunnerOptions): Results {
  const runner = new Runner(start, options);
  const done = new Set(start.samples.map((sample) => `${sample.task} ${sample.round}`));
  const pending = tasks.filter((task) => !done.has(`${taskName(task)} ${task.round}`));
  for (const [index, task] of pending.entries()) runner.run(task, `${index + 1}/${pending.length}`);
  return runner.finish();
}

class Runner {
  readonly #options: RunnerOptions;
  readonly #scratch: Scratch;
  readonly #startedAt = performance.now();
  #results: Results;

  constructor(start: Results, options: RunnerOptions) {
    this.#results = start;
    this.#options = options;
    this.#scratch = new Scratch(join(options.directory, "nokv-bench"));
  }

  run(task: Task, position: string): void {
    const startedAt = performance.now();
    const clock = new Date((startedAt - this.#startedAt) % 86_400_000).toISOString().slice(11, 19);
    let said: string;
    try {
      const findings = this.#measure(task);
      const samples = findings.map((finding) => sampleOf(task, finding));
      this.#results = { ...this.#results, samples: [...this.#results.samples, ...samples] };
      said = samples.map(brief).join("  ");
    } catch (error) {
      said = `failed: ${error instanceof Error ? error.message : String(error)}`;
      const failure = `${taskName(task)}, round ${task.round + 1}: ${said}`;
      this.#results = { ...this.#results, failures: [...this.#results.failures, failure] };
    }
    writeResults(this.#options.path, this.#results);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    this.#options.report(`${clock} ${position} round ${task.round + 1} ${taskName(task)}: ${said} (${seconds} s)`);
  }

  finish(): Results {
    this.#scratch.remove();
    return this.#results;
  }

  #measure(task: Task): readonly Finding[] {
    const { records } = this.#results.scale;
    if (!task.reopened) {
      const findings = this.#inFreshProcess(task, this.#scratch.fresh());
      if (task.work === "load") this.#scratch.keepLoaded(task.engine, records);
      return findings;
    }
    if (!this.#scratch.hasLoaded(task.engine, records)) {
      this.#inFreshProcess({ ...task, suite: "ycsb", work: "load", reopened: false }, this.#scratch.fresh());
      this.#scratch.keepLoaded(task.engine, records);
    }
    return this.#inFreshProcess(task, this.#scratch.reopened(engineNamed(task.engine), records));
  }

  #inFreshProcess(task: Task, directory: string): readonly Finding[] {
    // Dirty pages of an earlier run would be written back during this one.
    spawnSync("sync");
    const order: MeasureOrder = { task, scale: this.#results.scale, directory };
    const flags = task.suite === "memory" ? memoryFlags : [];
    const child = spawnSync(process.execPath, [...flags, script, "measure", JSON.stringify(order)], {
      encoding: "utf8",
      maxBuffer: 2 ** 26,
      timeout: secondsPerTaskMax * 1000,
      killSignal: "SIGKILL",
      stdio: ["ignore", "pipe", "pipe"],
    });
    // What was printed is whole and counts, also when a native peer aborts while its process ends.
    if (child.stdout.endsWith("]\n")) return JSON.parse(child.stdout) as readonly Finding[];
    const last = child.stderr.trimEnd().split("\n").find((line) => line.includes("Error")) ?? "";
    throw new Error(`ended with ${child.status ?? child.signal}: ${last}`);
  }
}

function sampleOf(task: Task, finding: Finding): Sample {
  const { longest, perSecond, ...rest } = finding;
  return {
    suite: task.suite,
    engine: rowOf(task),
    task: taskName(task),
    round: task.round,
    ...rest,
    ...(longest === undefined || longest === "" ? {} : { longest }),
    ...(perSecond === undefined ? {} : { perSecond }),
  };
}

function brief(sample: Sample): string {
  const { perSecond, openMs, heapBytes } = sample.metrics;
  if (perSecond !== undefined) return `${sample.work} ${Math.round(perSecond)}/s`;
  if (openMs !== undefined) return `${sample.work} ${openMs.toFixed(1)} ms`;
  return `${sample.work} ${Math.round(heapBytes ?? 0)} B`;
}
