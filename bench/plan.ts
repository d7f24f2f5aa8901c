import type { Task, SuiteName } from "./suite.ts";
import { nullEngine } from "./stores/null.ts";
import { workloadNames } from "./suites/ycsb.ts";

export interface PlanOptions {
  readonly engines: readonly string[];
  readonly suites: readonly SuiteName[];
  /** Letters of YCSB workloads. */
  readonly workloads: string;
  readonly rounds: number;
}

export const ownEngine = "nokv";

/** What one suite runs in one round: pieces of work, each with whom and on what. */
interface Entry {
  readonly work: string;
  readonly own: readonly ("fresh" | "reopened")[];
  readonly peers: readonly ("fresh" | "reopened")[];
  readonly firstRoundOnly?: boolean;
}

/**
 * This engine is measured as the original measures itself, right after its load, and once more on a store that
 * was loaded and closed before, which is how the slower peers are measured: their loads take too long to repeat.
 */
function entriesOf(suite: SuiteName, workloads: string): readonly Entry[] {
  switch (suite) {
    case "ycsb":
      return [
        { work: "load", own: [], peers: ["fresh"] },
        ...workloadNames
          .filter((name) => workloads.includes(name))
          .map((work): Entry => ({ work, own: ["fresh", "reopened"], peers: ["reopened"] })),
      ];
    case "durable":
      return ["1 writer", "64 writers"].map((work) => ({ work, own: ["fresh"], peers: ["fresh"] }));
    case "values":
      return ["4 KiB", "64 KiB"].map((work) => ({ work, own: ["fresh"], peers: ["fresh"] }));
    case "open":
      return [{ work: "open", own: ["reopened"], peers: ["reopened"] }];
    case "fill":
      return [{ work: "fill", own: ["fresh"], peers: [], firstRoundOnly: true }];
    case "dbbench":
      return [{ work: "set", own: ["fresh"], peers: ["fresh"] }];
    case "memory":
      return [{ work: "allocations", own: ["fresh"], peers: ["fresh"] }];
  }
}

/**
 * Every process of the comparison in its order: rounds outside, engines inside and in another order each round, so
 * that a machine which becomes slower meanwhile becomes so for all of them.
 */
export function planTasks(options: PlanOptions): readonly Task[] {
  const rounds = Array.from({ length: options.rounds }, (_, round) => round);
  return rounds.flatMap((round) =>
    options.suites.flatMap((suite) =>
      entriesOf(suite, options.workloads)
        .filter(({ firstRoundOnly }) => firstRoundOnly !== true || round === 0)
        .flatMap((entry) =>
          rotated(options.engines, round).flatMap((engine) => tasksOf({ suite, engine, round }, entry)),
        ),
    ),
  );
}

function tasksOf({ suite, engine, round }: Pick<Task, "suite" | "engine" | "round">, entry: Entry): readonly Task[] {
  // The harness alone keeps nothing that could be loaded, reopened or measured on a disk.
  const alone = suite === "ycsb" && entry.work !== "load" ? (["fresh"] as const) : [];
  const others = engine === ownEngine ? entry.own : entry.peers;
  const kinds = engine === nullEngine.name ? alone : others;
  return kinds.map((kind) => ({ suite, work: entry.work, engine, reopened: kind === "reopened", round }));
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const start = by % Math.max(1, items.length);
  return [...items.slice(start), ...items.slice(0, start)];
}

/** The name under which a task's findings are kept: a reopened store of this engine is a row of its own. */
export function rowOf(task: Task): string {
  return task.engine === ownEngine && task.reopened && task.suite === "ycsb" ? `${ownEngine} reopened` : task.engine;
}

/** The same for the same task, whatever run it belongs to. */
export function taskName(task: Task): string {
  return `${task.suite} ${task.work} ${rowOf(task)}`;
}
