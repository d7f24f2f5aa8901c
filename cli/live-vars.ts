import type { VarTree, VarValue } from "../node/metrics-text.ts";
import { CommandError, UsageError, exitCode } from "./exit-code.ts";

const path = "/debug/vars";
const patienceMs = 5_000;

/** What the process at `url` counts. A host and port are enough. */
export async function readVars(url: string): Promise<VarTree> {
  const target = targetOf(url);
  let text: string;
  try {
    const response = await fetch(target, { signal: AbortSignal.timeout(patienceMs), redirect: "error" });
    text = await response.text();
    if (!response.ok) throw new CommandError(exitCode.unavailable, `--expvar: ${target} answers ${response.status}`);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    const why = error.cause instanceof Error ? error.cause.message : error.message;
    throw new CommandError(exitCode.unavailable, `--expvar: ${target} does not answer: ${why}`);
  }
  try {
    return JSON.parse(text) as VarTree;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CommandError(exitCode.unavailable, `--expvar: what ${target} answers is not JSON: ${error.message}`);
  }
}

function targetOf(url: string): string {
  const full = /^https?:\/\//.test(url) ? url : `http://${url}`;
  if (!URL.canParse(full)) throw new UsageError(`--expvar: ${url} is no URL`, "such as http://127.0.0.1:9200");
  const parsed = new URL(full);
  if (!parsed.pathname.endsWith(path)) parsed.pathname = `${parsed.pathname.replace(/\/$/, "")}${path}`;
  return parsed.href;
}

export function withoutRegions(vars: VarTree): VarTree {
  const { region, ...rest } = vars;
  if (region === undefined || region === null || typeof region !== "object" || isList(region)) return vars;
  const { list: _, ...totals } = region;
  return { ...rest, region: totals };
}

/** A line for each number and text, such as `Lsm.Levels[0].Tables  3`. */
export function varsText(vars: VarTree): string {
  const rows: [string, string][] = [];
  collect(rows, "", vars);
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

function collect(rows: [string, string][], name: string, value: VarValue): void {
  if (value === null || typeof value !== "object") {
    rows.push([name, String(value)]);
  } else if (isList(value)) {
    for (const [i, item] of value.entries()) collect(rows, `${name}[${i}]`, item);
  } else {
    for (const key of Object.keys(value)) {
      collect(rows, name === "" ? title(key) : `${name}.${title(key)}`, value[key] ?? null);
    }
  }
}

function isList(value: object): value is readonly VarTree[] {
  return Array.isArray(value);
}

function title(name: string): string {
  return name.split("_").map((part) => part.slice(0, 1).toUpperCase() + part.slice(1)).join("");
}
