import { Histogram } from "./histogram.ts";
import type { BenchStore } from "./store.ts";

export type Metrics = Readonly<Record<string, number>>;

export interface PhaseOptions {
  readonly operations: number;
  readonly clients: number;
  /** The phase ends after so much time even if operations remain. */
  readonly secondsMax: number;
}

/** One operation; its promise, or undefined when it is already done. */
export type Operate = () => Promise<unknown> | undefined;

export interface PhaseResult {
  readonly metrics: Metrics;
  /** What the store was doing during the longest operation; empty for a store that counts nothing. */
  readonly longest: string;
  /** Operations finished in each second. */
  readonly perSecond: readonly number[];
}

/** A client goes on within its turn at most so often: the event loop serves timers and completions of the store. */
const turnOperations = 1_024;
const longestWorthAskingMs = 2;

/**
 * Runs `clients` loops over one store until `operations` are done. A client whose operations complete at once
 * keeps the thread until its turn ends.
 */
export async function runPhase(
  store: BenchStore,
  options: PhaseOptions,
  client: (id: number) => Operate,
): Promise<PhaseResult> {
  const phase = new Phase(store, options);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: options.clients }, (_, id) => phase.run(client(id))));
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  return phase.result(seconds, cpu.user + cpu.system);
}

class Phase {
  readonly #store: BenchStore;
  readonly #options: PhaseOptions;
  readonly #latencies = new Histogram();
  readonly #startedAt = performance.now();
  readonly #perSecond: number[] = [];
  #started = 0;
  #finished = 0;
  #over = false;
  #counts: Readonly<Record<string, number>>;
  #longestMs = 0;
  #longest = "";

  constructor(store: BenchStore, options: PhaseOptions) {
    this.#store = store;
    this.#options = options;
    this.#counts = store.counts();
  }

  async run(operate: Operate): Promise<void> {
    const { operations, secondsMax } = this.#options;
    const deadline = this.#startedAt + secondsMax * 1000;
    let inTurn = 0;
    while (this.#started < operations && !this.#over) {
      this.#started++;
      const startedAt = performance.now();
      const pending = operate();
      if (pending !== undefined) await pending;
      const endedAt = performance.now();
      this.#latencies.add((endedAt - startedAt) * 1e6);
      if (endedAt - startedAt > this.#longestMs) this.#remember(startedAt, endedAt);
      this.#finished++;
      if (endedAt >= deadline) this.#over = true;
      if (++inTurn === turnOperations) {
        inTurn = 0;
        this.#turn(endedAt);
        await nextTurn();
      }
    }
  }

  #turn(now: number): void {
    const elapsed = (now - this.#startedAt) / 1000;
    this.#perSecond[Math.floor(elapsed)] = this.#finished;
    this.#counts = this.#store.counts();
  }

  #remember(startedAt: number, endedAt: number): void {
    this.#longestMs = endedAt - startedAt;
    if (this.#longestMs < longestWorthAskingMs) return;
    const seconds = ((startedAt - this.#startedAt) / 1000).toFixed(1);
    const changes = describeChange(this.#counts, this.#store.counts());
    this.#longest = `${this.#longestMs.toFixed(1)} ms at ${seconds} s: ${changes}`;
  }

  result(seconds: number, cpuMicros: number): PhaseResult {
    const latencies = this.#latencies;
    return {
      metrics: {
        operations: this.#finished,
        seconds,
        perSecond: this.#finished / seconds,
        cpuUs: cpuMicros / this.#finished,
        p50Us: latencies.quantile(0.5) / 1000,
        p95Us: latencies.quantile(0.95) / 1000,
        p99Us: latencies.quantile(0.99) / 1000,
        p999Us: latencies.quantile(0.999) / 1000,
        maxMs: latencies.max / 1e6,
      },
      longest: this.#longest,
      perSecond: differences(this.#perSecond),
    };
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Counts that say what the background was doing: how they changed, or how they stand. */
export function describeChange(before: Metrics, after: Metrics): string {
  const words: string[] = [];
  for (const [name, value] of Object.entries(after)) {
    const change = value - (before[name] ?? 0);
    if (/^(?:flushes|compactions|stallCount|walSyncs|throttle.*|stall.*)$/.test(name) && change > 0) {
      words.push(`${name} +${Number(change.toFixed(1))}`);
    }
    if (/^(?:immutableMemtables|level0Tables)$/.test(name)) words.push(`${name} ${value}`);
  }
  return words.join(", ");
}

/** From running totals, some of them missing, to what was added in each step. */
export function differences(totals: readonly (number | undefined)[]): readonly number[] {
  let last = 0;
  return Array.from(totals, (total) => {
    const now = total ?? last;
    const added = now - last;
    last = now;
    return added;
  });
}
