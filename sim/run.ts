import type { JobStarter } from "../core/env/jobs.ts";
import { type CallTap, CallLog } from "./call-log.ts";
import { describeError } from "./defect.ts";
import { EventLoop } from "./event-loop.ts";
import { NodeCrashed } from "./incarnation.ts";
import { KeyedRandom } from "./keyed-random.ts";
import { RunRecord, ViolationThrown } from "./run-record.ts";
import type { Scenario } from "./scenario.ts";
import { AmbientError, setTraps } from "./traps.ts";
import { World } from "./world.ts";

/** What the simulator asks of the real process that runs it. `host/settle.ts` has it for Node.js. */
export interface SimHost {
  /** Runs microtasks until none is left. Must work from within a macrotask. */
  settle(): void;
  /**
   * Reports promises rejected without a handler, and only to `report`, until the returned function is called.
   */
  onUnhandledRejection(report: (reason: unknown) => void): () => void;
  /**
   * Makes what only the real process has (its files, sockets, threads) throw until the returned function is called;
   * `report` hears of each touch first. Missing: nobody does.
   */
  setTraps?(report: (message: string) => void): () => void;
}

export interface SimulateOptions {
  /**
   * Receives a line for each story line, fault, crash, boot and `env.trace` event. Does not change the run.
   */
  readonly trace?: (line: string) => void;
  /** With `trace`: a line for each recorded env call number in [from, to] and its result. */
  readonly traceCalls?: { readonly from: number; readonly to: number };
  /** Stops cleanly after so many events, for looking at a run's beginning. */
  readonly until?: number;
}

export type Verdict = "clean" | "violation";

export interface SimResult {
  readonly seed: number;
  readonly scenario: string;
  readonly verdict: Verdict;
  /**
   * Who found the violation: an oracle of the scenario, or the simulator's own: "stuck" (nothing left to
   * happen, scenario not finished), "runaway" (bounds on events or time), "exception" (assertion, unexpected
   * error, unhandled rejection), "ambient" (real clock, randomness or I/O was touched). Null when clean.
   */
  readonly oracle: string | null;
  readonly message: string | null;
  readonly story: readonly string[];
  /** 16 hexadecimal digits over every env call and its result. */
  readonly traceHash: string;
  /** The hash after each 1,000 recorded env calls. */
  readonly checkpoints: readonly string[];
  readonly events: number;
  readonly calls: number;
  readonly simulatedMs: number;
  /** Injections by fault kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** How often each of what the scenario `reaches` was, 0 included. */
  readonly reached: Readonly<Record<string, number>>;
  /** The scenario's. */
  readonly why: string;
}

/** A run that takes more events than this does not end. */
export const eventsMax = 5_000_000;
/** Nor does one that takes more virtual time than this: 30 days. */
const virtualUsMax = 30 * 24 * 3_600 * 1_000_000;

export interface RunOrder {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly host: SimHost;
  /** How background jobs start; the product's, or a test's. */
  readonly startJob: JobStarter;
  readonly options: SimulateOptions;
}

/** Runs one seed to its end. What `simulate` does, for any kind of job. */
export function runToEnd(order: RunOrder): SimResult {
  const { scenario, seed, host, startJob, options } = order;
  const calls = new CallLog(callTap(options));
  const record = new RunRecord(calls, options.trace ?? null, scenario.reaches ?? []);
  const loop = new EventLoop(KeyedRandom.ofSeed(seed));
  refuseMicrotask(host);
  const stopListening = host.onUnhandledRejection((reason) => unhandled(reason, loop, record));
  const touched = (message: string): void => record.violate("ambient", message);
  const removeTraps = setTraps(touched);
  const removeTrapsOfHost = host.setTraps?.(touched);
  try {
    const world = new World({ seed, loop, record, startJob, bend: scenario.bend ?? null });
    const run = new Run(loop, record, host);
    run.begin(scenario, world);
    run.pump(options.until ?? Number.MAX_SAFE_INTEGER);
  } finally {
    removeTrapsOfHost?.();
    removeTraps();
    stopListening();
  }
  return {
    seed,
    scenario: scenario.name,
    verdict: record.violation === null ? "clean" : "violation",
    oracle: record.violation?.oracle ?? null,
    message: record.violation?.message ?? null,
    story: record.storyLines(),
    traceHash: calls.digest(),
    checkpoints: calls.checkpoints,
    events: loop.turnCount,
    calls: calls.calls,
    simulatedMs: Math.floor(loop.nowUs / 1_000),
    faults: record.counts.toRecord(),
    reached: record.reached(),
    why: scenario.why,
  };
}

/** The loop of one run. */
class Run {
  readonly #loop: EventLoop;
  readonly #record: RunRecord;
  readonly #host: SimHost;
  #finished = false;

  constructor(loop: EventLoop, record: RunRecord, host: SimHost) {
    this.#loop = loop;
    this.#record = record;
    this.#host = host;
  }

  begin(scenario: Scenario, world: World): void {
    this.#loop.after(0, this.#loop.worldLife, () => {
      // A scenario that throws before its first await fails like one that rejects.
      void Promise.resolve(world)
        .then((given) => scenario.run(given))
        .then(
          () => {
            this.#finished = true;
          },
          (error: unknown) => {
            this.#scenarioFailed(error);
          },
        );
    });
  }

  pump(until: number): void {
    const loop = this.#loop;
    const record = this.#record;
    while (!this.#finished && record.violation === null && loop.turnCount < until) {
      const event = loop.hasForeground ? loop.next() : null;
      if (event === null) {
        record.violate("stuck", "nothing is left to happen, and the scenario has not finished");
        return;
      }
      record.at(loop.nowUs);
      record.calls.turn(loop.nowUs, event.life.processor.id);
      try {
        event.run?.();
      } catch (error) {
        this.#turnFailed(error);
      }
      this.#host.settle();
      this.#bound();
    }
  }

  #bound(): void {
    const { turnCount, nowUs } = this.#loop;
    if (turnCount > eventsMax) this.#record.violate("runaway", `more than ${eventsMax} events`);
    if (nowUs > virtualUsMax) this.#record.violate("runaway", "more than 30 days of virtual time");
  }

  #turnFailed(error: unknown): void {
    if (error instanceof NodeCrashed || error instanceof ViolationThrown) return;
    if (error instanceof AmbientError) return;
    this.#record.violate("exception", describeError(error));
  }

  #scenarioFailed(error: unknown): void {
    const escaped = error instanceof NodeCrashed;
    const hint = escaped ? "a crash reached the scenario outside machine.run: " : "";
    this.#record.violate("exception", hint + describeError(error));
  }
}

/** Of a dead incarnation nobody awaits anything, so its rejections have no handler and no meaning. */
function unhandled(reason: unknown, loop: EventLoop, record: RunRecord): void {
  if (reason instanceof NodeCrashed || loop.deathInTurn) return;
  record.violate("exception", `unhandled rejection: ${describeError(reason)}`);
}

/** Inside a microtask the drain does nothing, and events would overtake the promises of those before them. */
function refuseMicrotask(host: SimHost): void {
  let settled = false;
  void Promise.resolve().then(() => {
    settled = true;
  });
  host.settle();
  if (settled) return;
  throw new Error("simulate must be called from a macrotask: see runInMacrotask in host/settle.ts");
}

function callTap(options: SimulateOptions): CallTap | null {
  if (options.trace === undefined || options.traceCalls === undefined) return null;
  return { from: options.traceCalls.from, to: options.traceCalls.to, line: options.trace };
}
