/** How one transaction must stand before another. "rw": the first read what the second one overwrote. */
export type DependencyKind = "ww" | "wr" | "rw" | "time";

interface Edge {
  readonly to: number;
  readonly kind: DependencyKind;
}

/** Which cycles count: all of them, or those in which no two "rw" edges follow each other. */
export type CycleKind = "any" | "no-adjacent-rw";

/**
 * Which of so many transactions must stand before which. A cycle is what no serial order explains; one without two
 * adjacent "rw" edges is what no snapshots explain: along every other edge a commit is before a start, and across an
 * "rw" edge a start is before a commit.
 */
export class DependencyGraph {
  readonly #edges: Edge[][];

  constructor(count: number) {
    this.#edges = Array.from({ length: count }, () => []);
  }

  add(from: number, to: number, kind: DependencyKind): void {
    if (from !== to) this.#edges[from]?.push({ to, kind });
  }

  /** A shortest cycle through the first transaction that is on one, among those that `counts` allows; null: none. */
  cycle(kind: CycleKind, counts: (at: number) => boolean = () => true): string[] | null {
    for (let start = 0; start < this.#edges.length; start++) {
      if (!counts(start)) continue;
      for (const byRw of kind === "any" ? [false] : [false, true]) {
        const found = this.#backTo(start, byRw, kind, counts);
        if (found !== null) return found;
      }
    }
    return null;
  }

  /**
   * Breadth first, over (transaction, whether it was reached by an "rw" edge), back to where it began. Of kind "any"
   * the second half of a state is always false.
   */
  // oxlint-disable-next-line max-params
  #backTo(start: number, byRw: boolean, kind: CycleKind, counts: (at: number) => boolean): string[] | null {
    const from = new Map<number, { readonly state: number; readonly kind: DependencyKind }>();
    const goal = stateOf(start, byRw);
    const queue = [goal];
    for (let state = queue.shift(); state !== undefined; state = queue.shift()) {
      for (const edge of this.#edges[state >> 1] ?? []) {
        const isRw = kind !== "any" && edge.kind === "rw";
        if (!counts(edge.to) || (isRw && (state & 1) === 1)) continue;
        const next = stateOf(edge.to, isRw);
        if (from.has(next)) continue;
        from.set(next, { state, kind: edge.kind });
        if (next === goal) return pathTo(goal, from);
        queue.push(next);
      }
    }
    return null;
  }
}

function stateOf(at: number, byRw: boolean): number {
  return at * 2 + (byRw ? 1 : 0);
}

/** As "number kind" of each step, in order; ends where it began. */
function pathTo(
  goal: number,
  from: ReadonlyMap<number, { readonly state: number; readonly kind: DependencyKind }>,
): string[] {
  const steps: string[] = [];
  let state = goal;
  do {
    const before = from.get(state);
    if (before === undefined) break;
    steps.unshift(`${before.state >> 1} ${before.kind}`);
    state = before.state;
  } while (state !== goal);
  return steps;
}
