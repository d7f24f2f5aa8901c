/** A system small enough that all of its states can be visited. */
export interface Explored<S> {
  readonly first: S;
  /** Two states with one key are the same state, but for names. */
  key(state: S): string;
  /** What may happen next, each with a name for people. */
  next(state: S): readonly Step<S>[];
  /** What must never be so, or null. */
  wrong(state: S): string | null;
  /** Where everything ends well. From every state some way must lead to one of these. */
  settled(state: S): boolean;
}

export interface Step<S> {
  readonly name: string;
  /** A string: the step itself breaks what must hold. */
  readonly state: S | string;
}

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  /** The longest of the shortest ways to a state. */
  readonly depth: number;
  /** False: the bound on states came first. */
  readonly isComplete: boolean;
  /** What is wrong, and the shortest way there; null: nothing. */
  readonly fault: { readonly what: string; readonly way: readonly string[] } | null;
}

interface Visit {
  readonly parent: number;
  readonly name: string;
  readonly depth: number;
}

/** Breadth first, so that a fault is shown by a shortest way. Visits at most `statesMax` states. */
export function explore<S>(system: Explored<S>, statesMax: number): Exploration {
  const seen = new Map<string, number>([[system.key(system.first), 0]]);
  const visits: Visit[] = [{ parent: -1, name: "", depth: 0 }];
  let frontier: { readonly at: number; readonly state: S }[] = [{ at: 0, state: system.first }];
  const settled: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  let steps = 0;
  const wayTo = (at: number, last: string): string[] => {
    const way = last === "" ? [] : [last];
    for (let i = at; i > 0; i = (visits[i] as Visit).parent) way.unshift((visits[i] as Visit).name);
    return way;
  };
  const ended = (isComplete: boolean, fault: Exploration["fault"]): Exploration => {
    const depth = (visits.at(-1) as Visit).depth;
    return { states: visits.length, steps, depth, isComplete, fault };
  };
  while (frontier.length > 0) {
    const found: typeof frontier = [];
    for (const { at, state } of frontier) {
      const what = system.wrong(state);
      if (what !== null) return ended(false, { what, way: wayTo(at, "") });
      if (system.settled(state)) settled.push(at);
      for (const { name, state: after } of system.next(state)) {
        steps++;
        if (typeof after === "string") return ended(false, { what: after, way: wayTo(at, name) });
        const key = system.key(after);
        let index = seen.get(key);
        if (index === undefined) {
          index = visits.length;
          seen.set(key, index);
          visits.push({ parent: at, name, depth: (visits[at] as Visit).depth + 1 });
          found.push({ at: index, state: after });
        }
        from.push(at);
        to.push(index);
      }
      if (visits.length > statesMax) return ended(false, null);
    }
    frontier = found;
  }
  const stuck = firstStuck(visits.length, settled, from, to);
  return ended(true, stuck < 0 ? null : { what: "no way leads to an end from here", way: wayTo(stuck, "") });
}

/** The first state from which nothing settled can be reached; -1: there is none. */
// oxlint-disable-next-line max-params
function firstStuck(count: number, settled: readonly number[], from: readonly number[], to: readonly number[]): number {
  const reaches = new Uint8Array(count);
  const into = edgesInto(count, from, to);
  const waiting = [...settled];
  for (const at of waiting) reaches[at] = 1;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (let i = into.starts[at] as number; i < (into.starts[at + 1] as number); i++) {
      const before = into.sources[i] as number;
      if (reaches[before] === 1) continue;
      reaches[before] = 1;
      waiting.push(before);
    }
  }
  return reaches.indexOf(0);
}

interface Incoming {
  readonly starts: Int32Array;
  readonly sources: Int32Array;
}

function edgesInto(count: number, from: readonly number[], to: readonly number[]): Incoming {
  const starts = new Int32Array(count + 1);
  for (const at of to) starts[at + 1] = (starts[at + 1] as number) + 1;
  for (let i = 0; i < count; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  const fill = starts.slice();
  const sources = new Int32Array(from.length);
  for (let i = 0; i < from.length; i++) {
    const at = to[i] as number;
    const place = fill[at] as number;
    sources[place] = from[i] as number;
    fill[at] = place + 1;
  }
  return { starts, sources };
}
