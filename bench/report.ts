import { nokvBudgetMiB } from "./stores/nokv.ts";
import { ownEngine } from "./plan.ts";
import { type Results, type Spread, spreadIn } from "./results.ts";
import { nullEngine } from "./stores/null.ts";
import { storeDefaults } from "./store.ts";

export interface Row {
  readonly work: string;
  /** The least ratio to the best peer that counts as reached; none was set where it is absent. */
  readonly target?: number;
}

export interface Group {
  readonly title: string;
  readonly metric: string;
  readonly unit: string;
  readonly lowerIsBetter?: boolean;
  /** A figure near zero says nothing as a divisor. */
  readonly noRatio?: boolean;
  readonly rows: readonly Row[];
}

const works = (...names: readonly string[]): readonly Row[] => names.map((work) => ({ work }));

/** What the comparison is about. */
export const groups: readonly Group[] = [
  {
    title: "YCSB",
    metric: "perSecond",
    unit: "operations per second",
    rows: [
      { work: "load", target: 4 },
      { work: "A", target: 3 },
      { work: "B", target: 1.6 },
      { work: "C", target: 1 },
      { work: "D", target: 1.8 },
      { work: "E", target: 4.5 },
      { work: "F", target: 3 },
      { work: "B warm", target: 2.3 },
      { work: "C warm", target: 1.4 },
      ...works("A warm", "D warm", "E warm", "F warm"),
    ],
  },
  {
    title: "Durable puts of 100 bytes",
    metric: "perSecond",
    unit: "puts per second",
    rows: [
      { work: "1 writer", target: 0.8 },
      { work: "64 writers", target: 6 },
    ],
  },
  {
    title: "LevelDB's db_bench",
    metric: "perSecond",
    unit: "entries per second",
    rows: works(
      "fillseq",
      "fillbatch",
      "fillrandom",
      "overwrite",
      "readrandom",
      "readseq",
      "readreverse",
      "scan100",
    ),
  },
  {
    title: "Large values",
    metric: "megabytesPerSecond",
    unit: "MB per second",
    rows: works("4 KiB write", "4 KiB read", "64 KiB write", "64 KiB read"),
  },
  {
    title: "Bytes written per byte put",
    metric: "writtenPerByte",
    unit: "ratio",
    lowerIsBetter: true,
    rows: works("load", "4 KiB write", "64 KiB write", "fill"),
  },
  {
    title: "Space per live byte",
    metric: "spacePerByte",
    unit: "ratio",
    lowerIsBetter: true,
    rows: works("4 KiB write", "64 KiB write"),
  },
  { title: "Open", metric: "openMs", unit: "ms", lowerIsBetter: true, rows: works("open", "reopen") },
  {
    title: "99.9th percentile of the latency",
    metric: "p999Us",
    unit: "µs",
    lowerIsBetter: true,
    rows: works("load", "A", "B", "C", "D", "E", "F", "fill"),
  },
  {
    title: "Longest operation",
    metric: "maxMs",
    unit: "ms",
    lowerIsBetter: true,
    rows: works("load", "A", "B", "C", "D", "E", "F", "fill"),
  },
  {
    title: "JavaScript heap allocated per operation (nothing: the harness)",
    metric: "heapBytes",
    unit: "bytes",
    lowerIsBetter: true,
    noRatio: true,
    rows: works("nothing", "get", "put"),
  },
  {
    title: "Array buffers allocated per operation",
    metric: "bufferBytes",
    unit: "bytes",
    lowerIsBetter: true,
    noRatio: true,
    rows: works("nothing", "get", "put"),
  },
  {
    title: "Memory without mapped files",
    metric: "anonMiB",
    unit: "MiB",
    lowerIsBetter: true,
    rows: works("A", "C", "E", "fill"),
  },
  {
    title: "The same, without what the harness took before",
    metric: "ownMiB",
    unit: "MiB",
    lowerIsBetter: true,
    rows: works("A", "C", "E"),
  },
  { title: "CPU", metric: "cpuUs", unit: "µs per operation", lowerIsBetter: true, rows: works("A", "B", "C", "E") },
];

export interface Ratio {
  readonly ratio: number;
  readonly peer: string;
}

/** Above 1: this engine is so many times better than the best peer. Null when either has no figure. */
export function ratioToBestPeer(results: Results, group: Group, work: string): Ratio | null {
  const own = spreadIn(results, ownEngine, work, group.metric);
  if (own === null || group.noRatio === true) return null;
  let best: Ratio | null = null;
  for (const peer of peersOf(results)) {
    const spread = spreadIn(results, peer, work, group.metric);
    if (spread === null) continue;
    const ratio = group.lowerIsBetter === true ? spread.median / own.median : own.median / spread.median;
    if (best === null || ratio < best.ratio) best = { ratio, peer };
  }
  return best;
}

function peersOf(results: Results): readonly string[] {
  return Object.keys(results.engines).filter((name) => name !== ownEngine && name !== nullEngine.name);
}

/** All engines with a figure, this one first. */
export function enginesOf(results: Results, group: Group): readonly string[] {
  const names = [ownEngine, `${ownEngine} reopened`, ...peersOf(results), nullEngine.name];
  return names.filter((name) =>
    group.rows.some(({ work }) => spreadIn(results, name, work, group.metric) !== null),
  );
}

/** The whole comparison as Markdown. */
export function renderReport(results: Results): string {
  const { machine, scale } = results;
  const head = [
    `Commit ${results.commit}, ${results.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ` +
      `Linux ${machine.kernel}, ${machine.fileSystem}, Node.js ${machine.node}.`,
    `${scale.records} records, ${scale.operations} operations, ${scale.clients} clients, ` +
      `caches ${scale.cacheMiB} MiB; medians of up to ${results.rounds} processes (least to most).`,
    ...Object.values(results.engines).map((label) => `- ${label}`),
  ];
  const sections = groups.flatMap((group) => renderGroup(results, group));
  return [...head, ...sections, ...renderNotes(results)].join("\n");
}

function renderGroup(results: Results, group: Group): readonly string[] {
  const engines = enginesOf(results, group);
  if (engines.length === 0) return [];
  const lines = ["", `## ${group.title}, ${group.unit}`, ""];
  lines.push(`| | ${engines.join(" | ")} | to the best peer | asked |`, `|---|${"---:|".repeat(engines.length + 2)}`);
  for (const { work, target } of group.rows) {
    const spreads = engines.map((engine) => spreadIn(results, engine, work, group.metric));
    if (spreads.every((spread) => spread === null)) continue;
    const best = ratioToBestPeer(results, group, work);
    const ratio = best === null ? "" : `${best.ratio.toFixed(2)} (${best.peer})`;
    const asked = target === undefined ? "" : `≥ ${target}`;
    lines.push(`| ${work} | ${spreads.map(cell).join(" | ")} | ${ratio} | ${asked} |`);
  }
  return lines;
}

function cell(spread: Spread | null): string {
  if (spread === null) return "";
  const { median, min, max, count } = spread;
  return count === 1 ? figure(median) : `${figure(median)} (${figure(min)}–${figure(max)})`;
}

export function figure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return Number(value.toPrecision(3)).toString();
}

function renderNotes(results: Results): readonly string[] {
  const own = results.samples.filter((sample) => sample.engine === ownEngine && sample.longest !== undefined);
  const stalls = own
    .filter(({ work }) => work === "A" || work === "fill" || work === "load")
    .map(({ work, round, longest }) => `- ${work}, round ${round + 1}: ${longest}`);
  const budget = nokvBudgetMiB({ ...storeDefaults, directory: "", cacheBytes: results.scale.cacheMiB * 2 ** 20 });
  return [
    "",
    `Configured memory of this engine: ${Math.round(budget)} MiB of memtables and caches.`,
    ...(stalls.length === 0 ? [] : ["", "Longest operations of this engine, and its background meanwhile:", ""]),
    ...new Set(stalls),
    ...(results.failures.length === 0 ? [] : ["", "Without a figure:", ""]),
    ...results.failures.map((failure) => `- ${failure}`),
  ];
}
