/** Statistics of a process as a tree: names in snake case; a list has objects whose first field names them. */
export interface VarTree {
  readonly [name: string]: VarValue;
}

export type VarValue = number | string | boolean | null | VarTree | readonly VarTree[];

interface Sample {
  readonly labels: string;
  readonly value: number;
}

/**
 * The numbers of `tree` as Prometheus reads them: `{lsm: {levels: [{level: 0, tables: 3}]}}` becomes
 * `nokv_lsm_levels_tables{level="0"} 3`. Texts are left out, truths are 1 and 0. No types are claimed: what is a
 * counter says so by its name.
 */
export function metricsText(tree: VarTree, prefix = "nokv"): string {
  const metrics = new Map<string, Sample[]>();
  collect(metrics, prefix, "", tree);
  const lines: string[] = [];
  for (const [name, samples] of [...metrics].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push(`# TYPE ${name} untyped`);
    for (const { labels, value } of samples) lines.push(`${name}${labels === "" ? "" : `{${labels}}`} ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

// oxlint-disable-next-line max-params
function collect(metrics: Map<string, Sample[]>, path: string, labels: string, value: VarValue): void {
  if (value === null || typeof value === "string") return;
  if (typeof value === "number" || typeof value === "boolean") {
    const samples = metrics.get(path) ?? [];
    samples.push({ labels, value: Number(value) });
    metrics.set(path, samples);
    return;
  }
  if (isList(value)) {
    for (const item of value) collectItem(metrics, path, labels, item);
    return;
  }
  for (const name of Object.keys(value).toSorted()) {
    collect(metrics, `${path}_${metricName(name)}`, labels, value[name] ?? null);
  }
}

// oxlint-disable-next-line max-params
function collectItem(metrics: Map<string, Sample[]>, path: string, labels: string, item: VarTree): void {
  const [label, ...names] = Object.keys(item);
  if (label === undefined) return;
  const id = item[label];
  if (typeof id !== "string" && typeof id !== "number") return;
  const own = `${metricName(label)}="${escapeLabel(String(id))}"`;
  const all = labels === "" ? own : `${labels},${own}`;
  for (const name of names) collect(metrics, `${path}_${metricName(name)}`, all, item[name] ?? null);
}

function isList(value: VarTree | readonly VarTree[]): value is readonly VarTree[] {
  return Array.isArray(value);
}

function metricName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, "_").toLowerCase();
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
