import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type Bar, renderBars, renderLine } from "./chart.ts";
import { ownEngine } from "./plan.ts";
import { enginesOf, type Group, groups } from "./report.ts";
import { type Results, spreadIn } from "./results.ts";
import { nullEngine } from "./stores/null.ts";

const root = join(import.meta.dirname, "..");
const chartsDirectory = join(root, "docs/charts");

/** File names of the charts, and the groups of the report that they show. */
const barCharts: readonly (readonly [file: string, title: string, direction: string])[] = [
  ["ycsb", "YCSB", "more is better"],
  ["durable", "Durable puts of 100 bytes", "more is better"],
  ["db-bench", "LevelDB's db_bench", "more is better"],
  ["large-values", "Large values", "more is better"],
  ["tail-latency", "99.9th percentile of the latency", "less is better"],
];

/** Draws what the results have figures for, and returns the paths of the charts. */
export function drawCharts(results: Results, directory = chartsDirectory): readonly string[] {
  mkdirSync(directory, { recursive: true });
  const paths: string[] = [];
  const draw = (file: string, svg: string): void => {
    const path = join(directory, `${file}.svg`);
    writeFileSync(path, svg);
    paths.push(relative(root, path));
  };
  for (const [file, title, direction] of barCharts) {
    const group = groups.find((candidate) => candidate.title === title);
    const svg = group === undefined ? null : barsOf(results, group, direction);
    if (svg !== null) draw(file, svg);
  }
  const fill = results.samples.find((sample) => sample.work === "fill" && sample.engine === ownEngine);
  if (fill?.perSecond !== undefined && fill.perSecond.length > 1) {
    draw(
      "fill",
      renderLine({
        title: "Random puts of 1,000 bytes, as fast as the store takes them",
        subtitle: source(results),
        unit: "puts in each second",
        values: fill.perSecond.slice(0, -1),
      }),
    );
  }
  return paths;
}

function barsOf(results: Results, group: Group, direction: string): string | null {
  const engines = enginesOf(results, group).filter((name) => name !== nullEngine.name);
  const panels = group.rows
    .map(({ work }) => ({
      title: work,
      bars: engines.flatMap((label): Bar[] => {
        const spread = spreadIn(results, label, work, group.metric);
        if (spread === null) return [];
        return [{ label, value: spread.median, min: spread.min, max: spread.max, own: label.startsWith(ownEngine) }];
      }),
    }))
    .filter(({ bars }) => bars.length > 0);
  if (panels.length === 0) return null;
  const subtitle = `${direction}; ${source(results)}`;
  return renderBars({ title: group.title, subtitle, unit: group.unit, panels });
}

function source({ commit, machine, rounds }: Results): string {
  return `medians of ${rounds}, ${machine.cores} cores, Node.js ${machine.node}, commit ${commit}`;
}
