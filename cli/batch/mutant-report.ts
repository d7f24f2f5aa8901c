import { type OriginalBug, originalBugs } from "../../sim/mutants/original-bugs.ts";
import { classicMistakes } from "../../sim/mutants/classic-mistakes.ts";
import { findings } from "../../sim/mutants/findings.ts";
import type { MutantTopic } from "../../sim/mutants/index.ts";
import { classicMistakesTable } from "./classic-mistakes-table.ts";
import type { MutantResult } from "./mutant-run.ts";

/** What the documents say of the planted bugs, as Markdown. All figures come from `results`. */
export interface PlantedBugs {
  readonly topics: readonly MutantTopic[];
  readonly results: readonly MutantResult[];
}

const beginMark = "<!-- begin: planted bugs -->";
const endMark = "<!-- end: planted bugs -->";

/** `document` with the part between its marks written anew; null: it has none. */
export function renewed(document: string, planted: PlantedBugs): string | null {
  const begin = document.indexOf(beginMark);
  const end = document.indexOf(endMark);
  if (begin < 0 || end < begin) return null;
  return `${document.slice(0, begin)}${beginMark}\n\n${overview(planted)}\n${document.slice(end)}`;
}

/** By topic: how many, the median and the hardest in seeds, and who saw them first. */
export function overview({ topics, results }: PlantedBugs): string {
  const known = resultsByName(results);
  const rows = topics.flatMap(({ topic, mutants }) => {
    const measured = mutants.flatMap(({ name }) => known.get(name) ?? []);
    return measured.length === 0 ? [] : [overviewRow(topic, measured)];
  });
  const found = results.filter(({ verdict }) => verdict === "killed");
  const missed = results
    .filter(({ verdict }) => verdict !== "killed")
    .map(({ name, seeds }) => `\`${name}\` (${seeds} seeds)`);
  const unmeasured = topics.flatMap(({ mutants }) => mutants).filter(({ name }) => !known.has(name));
  const cpuSeconds = Math.round(results.reduce((sum, result) => sum + result.cpuSeconds, 0));
  const seeds = found.map((result) => result.seeds).toSorted((a, b) => a - b);
  return [
    `${found.length} of ${results.length} planted bugs are found, in ${cpuSeconds} CPU-seconds together. Half of them`,
    `need no more than ${quantile(seeds, 50)} seeds, nine tenths no more than ${quantile(seeds, 90)}, ` +
      `the hardest ${seeds.at(-1) ?? 0}.`,
    missed.length === 0 ? "" : `Not found within the budget: ${missed.join(", ")}.`,
    unmeasured.length === 0 ? "" : `Planted since and not measured here: ${unmeasured.length}.`,
    "",
    "| about | bugs | found | median seeds | hardest | seeds | CPU s | seen first by |",
    "|---|---:|---:|---:|---|---:|---:|---|",
    ...rows,
    "",
  ].filter((line, i, lines) => line !== "" || lines[i - 1] !== "").join("\n");
}

/** Every planted bug, the map of the original's, and that of the mistakes of clusters. */
export function plantedBugsDocument(planted: PlantedBugs): string {
  const known = resultsByName(planted.results);
  const parts = planted.topics.map(({ topic, mutants }) => {
    const rows = mutants.map(({ name, why }) => {
      const result = known.get(name);
      const figures = result === undefined ? "not measured | | " : figuresOf(result);
      return `| ${name} | ${why} | ${figures} |`;
    });
    const head = "| bug | what a user would suffer | oracle | seeds | CPU s |\n|---|---|---|---:|---:|";
    return `## ${topic.slice(0, 1).toUpperCase()}${topic.slice(1)}\n\n${head}\n${rows.join("\n")}\n`;
  });
  const intro = [
    "# Planted bugs",
    "",
    "Written by `npx -y pnpm@12 mutants --results sim/mutants/results.jsonl --document`, never by hand: seeds and",
    "processor time to the first failing seed, and the oracle that saw it. See [SIMULATION.md](../SIMULATION.md).",
    "",
  ].join("\n");
  const classic = classicMistakesTable(classicMistakes, { results: known, findings });
  return [intro, ...parts, originalTable(originalBugs), classic].join("\n");
}

function originalTable(bugs: readonly OriginalBug[]): string {
  const rows = bugs.map(({ id, what, planted, note }) => {
    const names = planted.map((name) => `\`${name}\``).join(", ");
    return `| ${id} | ${what} | ${names === "" ? "none" : names} | ${note} |`;
  });
  const head = "| | the original's defect | planted here | |\n|---|---|---|---|";
  const intro = "The storage defects of the original system, and planted bugs of the same kind.";
  return `## The original's storage bugs\n\n${intro}\n\n${head}\n${rows.join("\n")}\n`;
}

function overviewRow(topic: string, measured: readonly MutantResult[]): string {
  const found = measured.filter(({ verdict }) => verdict === "killed").toSorted((a, b) => a.seeds - b.seeds);
  const hardest = found.at(-1);
  const cpuSeconds = Math.round(measured.reduce((sum, result) => sum + result.cpuSeconds, 0));
  const median = quantile(found.map(({ seeds }) => seeds), 50);
  const cells = [topic, measured.length, found.length, median, hardest?.name ?? "", hardest?.seeds ?? "", cpuSeconds];
  return `| ${cells.join(" | ")} | ${oracleCounts(found)} |`;
}

/** The most frequent first, equal ones by name. */
function oracleCounts(found: readonly MutantResult[]): string {
  const counts = new Map<string, number>();
  for (const { oracle } of found) counts.set(oracle ?? "", (counts.get(oracle ?? "") ?? 0) + 1);
  const sorted = [...counts].toSorted(([aName, a], [bName, b]) => b - a || (aName < bName ? -1 : 1));
  return sorted.map(([oracle, count]) => `${oracle} ${count}`).join(", ");
}

function figuresOf({ verdict, oracle, seeds, cpuSeconds }: MutantResult): string {
  const by = verdict === "killed" ? (oracle ?? "") : "**not found**";
  return `${by} | ${seeds} | ${cpuSeconds.toFixed(1)}`;
}

/** The least of `sorted` that `percent` of them do not exceed. */
function quantile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
}

function resultsByName(results: readonly MutantResult[]): ReadonlyMap<string, MutantResult> {
  return new Map(results.map((result) => [result.name, result]));
}
