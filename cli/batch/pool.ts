import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { assert } from "../../core/assert.ts";
import { type WorkerOrder, type WorkerReply, quit, ready } from "./protocol.ts";
import type { SeedReport } from "./run-seed.ts";

/** Seeds a worker has in hand: one running, one waiting, so that it never idles for a round trip. */
const seedsInHandMax = 2;
const watchMs = 500;
/** What a process may take to start, beyond the time of its first seed. */
const startupMsMax = 60_000;
const stderrTailChars = 2_000;

export interface PoolPlan {
  /** The module that a worker process runs; see `worker.ts`. */
  readonly worker: URL;
  readonly jobs: number;
  /** The next seed, or null: no more. */
  readonly next: () => WorkerOrder | null;
  /** A seed that takes longer than this much real time is a violation, and its process is killed. */
  readonly seedWallMsMax: number;
  readonly onReport: (report: SeedReport) => void;
  readonly nowMs: () => number;
}

interface Worker {
  readonly process: ChildProcess;
  /** In order; the first one is running. */
  readonly inHand: WorkerOrder[];
  /** When the first one in hand began; in the future while the process starts. */
  startedMs: number;
  cpuMs: number;
  stderrTail: string;
  overdue: boolean;
}

/**
 * Runs seeds in child processes. A child that dies or never returns takes one seed with it, which becomes a
 * violation of its own, and is replaced: no planted or real bug can stop a batch.
 */
export class Pool {
  readonly #plan: PoolPlan;
  readonly #workers = new Set<Worker>();
  #exhausted = false;
  #cpuMs = 0;
  #finished: () => void = () => {};

  constructor(plan: PoolPlan) {
    assert(plan.jobs >= 1, "a pool has a worker");
    this.#plan = plan;
  }

  /** Processor time of all workers up to their last reply, in milliseconds. */
  get cpuMs(): number {
    return this.#cpuMs;
  }

  /** Resolves when every seed handed out is reported and no more is to come. */
  async run(): Promise<void> {
    const finished = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    const watch = setInterval(() => this.#watch(), watchMs);
    for (let job = 0; job < this.#plan.jobs; job++) this.#spawn();
    await finished;
    clearInterval(watch);
  }

  /** Hands out no more seeds; those in hand are finished. */
  stop(): void {
    this.#exhausted = true;
    for (const worker of this.#workers) this.#feed(worker);
  }

  #spawn(carried: readonly WorkerOrder[] = []): void {
    const child = fork(fileURLToPath(this.#plan.worker), [], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    const worker: Worker = {
      process: child,
      inHand: [],
      startedMs: this.#plan.nowMs() + startupMsMax,
      cpuMs: 0,
      stderrTail: "",
      overdue: false,
    };
    this.#workers.add(worker);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      worker.stderrTail = (worker.stderrTail + text).slice(-stderrTailChars);
    });
    child.on("message", (message) => {
      if (message === ready) worker.startedMs = this.#plan.nowMs();
      else this.#replied(worker, message as WorkerReply);
    });
    child.on("error", (error) => {
      worker.stderrTail += error.message;
      // A process that never was is never told to be closed.
      if (child.pid === undefined) this.#died(worker, error.message);
    });
    child.on("close", (code, signal) => this.#died(worker, signal ?? `code ${code ?? "unknown"}`));
    for (const order of carried) this.#send(worker, order);
    this.#feed(worker);
  }

  #feed(worker: Worker): void {
    while (!this.#exhausted && worker.inHand.length < seedsInHandMax) {
      const order = this.#plan.next();
      if (order === null) this.#exhausted = true;
      else this.#send(worker, order);
    }
    // Not `disconnect()`: called by the parent, it keeps "close" from being told.
    if (worker.inHand.length === 0) worker.process.send(quit, () => {});
  }

  #send(worker: Worker, order: WorkerOrder): void {
    worker.inHand.push(order);
    // A send that fails is followed by "close", which accounts for what is in hand.
    worker.process.send(order, () => {});
  }

  #replied(worker: Worker, { report, cpuMs }: WorkerReply): void {
    const order = worker.inHand.shift();
    assert(order !== undefined, "a worker replies to an order");
    assert(order.seed === report.seed, "a worker replies in order");
    worker.startedMs = this.#plan.nowMs();
    this.#cpuMs += cpuMs - worker.cpuMs;
    worker.cpuMs = cpuMs;
    this.#plan.onReport(report);
    this.#feed(worker);
  }

  #died(worker: Worker, how: string): void {
    this.#workers.delete(worker);
    const [running, ...carried] = worker.inHand;
    if (running !== undefined) {
      const wallMs = Math.max(0, Math.round(this.#plan.nowMs() - worker.startedMs));
      const death = worker.overdue ? null : { how, tail: worker.stderrTail };
      this.#plan.onReport(lostSeed(running, wallMs, death));
      if (!this.#exhausted || carried.length > 0) this.#spawn(carried);
    }
    if (this.#workers.size === 0) this.#finished();
  }

  #watch(): void {
    const nowMs = this.#plan.nowMs();
    for (const worker of this.#workers) {
      if (worker.inHand.length === 0 || nowMs - worker.startedMs < this.#plan.seedWallMsMax) continue;
      worker.overdue = true;
      worker.process.kill("SIGKILL");
    }
  }
}

interface Death {
  readonly how: string;
  readonly tail: string;
}

/** What is known of a seed whose process did not live to tell. Without `death` it was killed for its time. */
function lostSeed(order: WorkerOrder, wallMs: number, death: Death | null): SeedReport {
  const message =
    death === null
      ? `the run did not end within ${wallMs} ms of real time: an endless loop without events?`
      : `the simulator's process ended with ${death.how}: ${death.tail.trim()}`;
  return {
    seed: order.seed,
    scenario: order.scenario ?? "",
    verdict: "violation",
    oracle: death === null ? "hang" : "process",
    message,
    story: [],
    why: "a run must end and must not take its process with it",
    traceHash: "",
    events: 0,
    calls: 0,
    simulatedMs: 0,
    wallMs,
    faults: {},
    reached: {},
    twice: false,
  };
}
