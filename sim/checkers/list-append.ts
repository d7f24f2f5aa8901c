import { DependencyGraph } from "./dependency-graph.ts";

/** What a transaction asked for: one order of all, or one snapshot of its own and no lost writes. */
export type IsolationLevel = "serializable" | "snapshot";

/** A value is a list of tokens, each appended once in a run. */
export type ListStep =
  | { readonly kind: "append"; readonly key: string; readonly token: string }
  | { readonly kind: "read"; readonly key: string; readonly list: readonly string[] };

export interface ListTxn {
  readonly name: string;
  readonly level: IsolationLevel;
  readonly calledUs: number;
  /** Infinity: nobody was told. */
  readonly returnedUs: number;
  readonly outcome: "committed" | "aborted" | "unknown";
  /** Of one whose outcome is not known, reads that were answered before. */
  readonly steps: readonly ListStep[];
}

/** `oracle`: which promise is broken. */
export interface ListVerdict {
  readonly oracle: "list-append" | "snapshot-isolation" | "serializability";
  readonly message: string;
}

/** The order in which one key was appended to. */
interface KeyOrder {
  readonly tokens: readonly string[];
  readonly places: ReadonlyMap<string, number>;
}

/**
 * Transactions that append to lists and read them, in the manner of Elle: a list tells the order of all that was
 * written to it, so every dependency is known, and what no order explains is a cycle. Everything that was appended must
 * have been read by somebody in the end.
 */
export class ListHistory {
  readonly #txns: readonly ListTxn[];
  readonly #writers = new Map<string, number>();
  readonly #orders = new Map<string, KeyOrder>();

  constructor(txns: readonly ListTxn[]) {
    this.#txns = txns;
  }

  /** Null: as promised. */
  judge(): ListVerdict | null {
    const wrong = this.#readWrites() ?? this.#readOrders() ?? this.#findLost();
    if (wrong !== null) return { oracle: "list-append", message: wrong };
    const graph = this.#graph();
    const torn = graph.cycle("no-adjacent-rw");
    if (torn !== null) return { oracle: "snapshot-isolation", message: this.#told(torn) };
    const skewed = graph.cycle("any", (at) => this.#txns[at]?.level === "serializable");
    return skewed === null ? null : { oracle: "serializability", message: this.#told(skewed) };
  }

  /** Some order that snapshots allow and no serial one explains: write skew. Of a history that was judged. */
  isSkewed(): boolean {
    return this.#graph().cycle("any") !== null;
  }

  #readWrites(): string | null {
    for (const [at, { name, steps }] of this.#txns.entries()) {
      for (const step of steps) {
        if (step.kind !== "append") continue;
        const mark = markOf(step.key, step.token);
        if (this.#writers.has(mark)) return `${name} appends ${step.token} to ${step.key}, which was appended before`;
        this.#writers.set(mark, at);
      }
    }
    return null;
  }

  /** Of each key the longest list that was read; all others begin it. */
  #readOrders(): string | null {
    const longest = new Map<string, readonly string[]>();
    for (const { key, list } of this.#reads()) {
      if (list.length > (longest.get(key)?.length ?? -1)) longest.set(key, list);
    }
    for (const [key, tokens] of longest) {
      const places = new Map(tokens.map((token, place) => [token, place]));
      if (places.size < tokens.length) return `${key} has something twice: ${tokens.join(",")}`;
      this.#orders.set(key, { tokens, places });
    }
    for (const { name, key, list } of this.#reads()) {
      const tokens = longest.get(key) ?? [];
      if (list.some((token, place) => tokens[place] !== token)) {
        return `${name} reads ${key} = ${list.join(",")}, others ${tokens.join(",")}`;
      }
      const wrong = this.#judgeRead(name, key, list);
      if (wrong !== null) return wrong;
    }
    return null;
  }

  /** Nothing aborted, and nothing half. */
  // oxlint-disable-next-line max-params
  #judgeRead(name: string, key: string, list: readonly string[]): string | null {
    for (const token of list) {
      const writer = this.#txns[this.#writers.get(markOf(key, token)) ?? -1];
      if (writer === undefined) return `${name} reads ${token} in ${key}, which nobody appended`;
      if (writer.outcome === "aborted") return `${name} reads ${token} in ${key}, of ${writer.name}, which was refused`;
    }
    const last = list.at(-1);
    if (last === undefined) return null;
    const writer = this.#txns[this.#writers.get(markOf(key, last)) ?? -1];
    if (writer === undefined || writer.name === name) return null;
    const all = writer.steps.filter((step) => step.kind === "append" && step.key === key);
    const final = all.at(-1);
    if (final?.kind === "append" && final.token !== last) return `${name} reads half of ${writer.name} in ${key}`;
    return null;
  }

  /** Whoever was told that it committed is in the lists, whole; nobody is there in parts. */
  #findLost(): string | null {
    for (const { name, outcome, steps } of this.#txns) {
      const appends = steps.filter((step) => step.kind === "append");
      const seen = appends.filter(({ key, token }) => this.#orders.get(key)?.places.has(token) === true);
      if (outcome === "aborted" || seen.length === appends.length) continue;
      const lost = appends.find((append) => !seen.includes(append));
      if (outcome === "unknown" && seen.length === 0) continue;
      return `${name} appended ${lost?.token} to ${lost?.key}, and it is not there`;
    }
    return null;
  }

  #counts({ outcome, steps }: ListTxn): boolean {
    if (outcome !== "unknown") return outcome === "committed";
    return steps.some(({ kind, key, ...step }) => {
      return kind === "append" && "token" in step && this.#orders.get(key)?.places.has(step.token) === true;
    });
  }

  #graph(): DependencyGraph {
    const graph = new DependencyGraph(this.#txns.length);
    for (const [key, { tokens }] of this.#orders) {
      const writers = tokens.map((token) => this.#writers.get(markOf(key, token)) ?? 0);
      for (let at = 1; at < writers.length; at++) graph.add(writers[at - 1] ?? 0, writers[at] ?? 0, "ww");
      for (const [reader, txn] of this.#txns.entries()) {
        if (!this.#counts(txn)) continue;
        for (const step of txn.steps) {
          if (step.kind === "read" && step.key === key) link(graph, reader, step.list.length, writers);
        }
      }
    }
    for (const [before, { returnedUs, ...first }] of this.#txns.entries()) {
      if (first.outcome !== "committed") continue;
      for (const [after, second] of this.#txns.entries()) {
        if (returnedUs < second.calledUs && this.#counts(second)) graph.add(before, after, "time");
      }
    }
    return graph;
  }

  *#reads(): Generator<{ readonly name: string; readonly key: string; readonly list: readonly string[] }> {
    for (const { name, outcome, steps } of this.#txns) {
      if (outcome !== "committed") continue;
      for (const step of steps) if (step.kind === "read") yield { name, key: step.key, list: step.list };
    }
  }

  #told(cycle: readonly string[]): string {
    return cycle
      .map((step) => {
        const [at, kind] = step.split(" ");
        const txn = this.#txns[Number(at)];
        return txn === undefined ? step : `${describe(txn)} -${kind}-> `;
      })
      .join("\n");
  }
}

/** `reader` saw the first `length` of what `writers` appended. What it appended itself it saw as well. */
// oxlint-disable-next-line max-params
function link(graph: DependencyGraph, reader: number, length: number, writers: readonly number[]): void {
  let seen = length;
  while (seen > 0 && writers[seen - 1] === reader) seen--;
  if (seen > 0) graph.add(writers[seen - 1] ?? 0, reader, "wr");
  if (length < writers.length) graph.add(reader, writers[length] ?? 0, "rw");
}

function markOf(key: string, token: string): string {
  return `${key} ${token}`;
}

function describe({ name, level, steps }: ListTxn): string {
  const told = steps.map((step) => {
    return step.kind === "append" ? `${step.key}+${step.token}` : `${step.key}=[${step.list.join(",")}]`;
  });
  return `${name} (${level}: ${told.join(" ")})`;
}
