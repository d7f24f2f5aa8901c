/**
 * An environment for tests of the engine: the simulator's disk, one clock by hand, jobs run in small steps.
 */
import { Failpoints } from "../../failpoints/failpoints.ts";
import { type DiskFaults, diskFaultsNone } from "../../sim/disk/disk-faults.ts";
import type { DiskFence, DiskOperation } from "../../sim/disk/disk-world.ts";
import { ManualWorld } from "../../sim/disk/manual-world.ts";
import { HastyDisk } from "../../sim/disk/hasty-disk.ts";
import { SimDisk } from "../../sim/disk/sim-disk.ts";
import type { Clock, Timer } from "../env/clock.ts";
import { type Disk, DiskError, type DiskErrorCode } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import type { Job, JobDone, JobMachine, Jobs } from "../env/jobs.ts";
import type { Network } from "../env/network.ts";
import type { TraceFields } from "../env/trace.ts";
import { startJob } from "../lsm/job-starter.ts";

/** What every call throws once its incarnation is dead. */
export class Crashed extends Error {
  override readonly name = "Crashed";
}

/** 2025-01-01 UTC. */
export const startMs = 1_735_689_600_000;

export class TestWorld {
  readonly events: ManualWorld;
  readonly faults: DiskFaults;
  readonly disk: SimDisk;
  wallMs = startMs;
  /** Bytes a job works through between other events. */
  /** What jobs were given way, in all. */
  gaveWayUs = 0;
  jobSliceBytes = 4096;
  #incarnation: TestEnv | null = null;

  constructor(seed = 1, faults: Partial<DiskFaults> = {}) {
    this.events = new ManualWorld(seed);
    this.faults = { ...diskFaultsNone, ...faults };
    this.disk = new SimDisk(this.events, this.faults);
  }

  /** A new incarnation; the one before is dead from now on. */
  boot(): TestEnv {
    this.processCrash();
    this.#incarnation = new TestEnv(this);
    return this.#incarnation;
  }

  /** The present incarnation. */
  get live(): TestEnv {
    if (this.#incarnation === null) throw new Error("nothing was booted");
    return this.#incarnation;
  }

  /** Another process beside the present incarnation. */
  neighbour(): TestEnv {
    return new TestEnv(this);
  }

  processCrash(): void {
    this.#incarnation?.kill();
    this.disk.processCrash();
  }

  powerLoss(variant = 0): void {
    this.#incarnation?.kill();
    this.disk.powerLoss(variant);
  }

  /** Runs events until `promise` settles. Throws when nothing is left to happen before. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => {});
    await this.until(() => settled);
    return await watched;
  }

  /** Runs events until `isOver`. Throws when nothing is left to happen before. */
  async until(isOver: () => boolean): Promise<void> {
    for (;;) {
      await turns(turnsPerEvent);
      if (isOver()) return;
      if (this.#step()) continue;
      await turns(turnsAtTheEnd);
      if (!isOver()) throw new Error("stuck: nothing is left to happen");
    }
  }

  /** Runs everything that is due within `ms`. */
  async pass(ms: number): Promise<void> {
    let over = false;
    this.events.schedule(ms * 1000, () => {
      over = true;
    });
    await this.until(() => over);
  }

  #step(): boolean {
    try {
      return this.events.step();
    } catch (error) {
      // The end of an incarnation unwinds up to here.
      if (error instanceof Crashed) return true;
      throw error;
    }
  }
}

/** Enough for the promises of one event to settle, and for a long chain of them when nothing else is left. */
const turnsPerEvent = 12;
const turnsAtTheEnd = 200;

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/** One incarnation: its environment, and its disk's fence. */
export class TestEnv implements Env, DiskFence {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly jobs: Jobs;
  readonly failpoints: Failpoints;
  readonly network: Network = noNetwork;
  readonly random: Env["random"];
  readonly trace: Env["trace"];
  readonly traced: string[] = [];
  /** Disk calls so far. */
  callCount = 0;
  /** Called before each disk call; what it returns is thrown, and the call has no effect. */
  refuse: (operation: DiskOperation, path: string) => DiskErrorCode | null = () => null;
  readonly #world: TestWorld;
  #alive = true;
  #crashAt = Number.MAX_SAFE_INTEGER;
  #crash: () => void = () => {};

  constructor(world: TestWorld) {
    this.#world = world;
    this.disk = world.disk.attach(this);
    this.clock = new TestClock(world, this);
    this.jobs = new TestJobs(world, this);
    this.random = { u32: (stream, entity, ordinal) => world.events.draw(stream, entity >>> 0, ordinal) };
    this.trace = {
      enabled: true,
      emit: (event: string, fields: TraceFields) => {
        this.traced.push(`${event} ${JSON.stringify(fields)}`);
      },
    };
    this.failpoints = new Failpoints({
      draw: (_name, visit) => visit % 100,
      crash: (name): never => {
        this.kill();
        world.disk.processCrash();
        throw new Crashed(name);
      },
    });
  }

  /** Ends the incarnation inside the n-th disk call from now, before it has an effect. */
  crashInCalls(n: number, run: () => void): void {
    this.#crashAt = this.callCount + n;
    this.#crash = run;
  }

  kill(): void {
    this.#alive = false;
  }

  /** Throws when this incarnation is over. */
  check(): void {
    if (!this.#alive) throw new Crashed("a dead incarnation went on");
  }

  alive(): boolean {
    return this.#alive;
  }

  call(operation: DiskOperation, path: string): void {
    this.check();
    this.callCount++;
    const refusal = this.refuse(operation, path);
    if (refusal !== null) throw new DiskError(refusal, operation, path);
    if (this.callCount < this.#crashAt) return;
    this.kill();
    this.#crash();
    throw new Crashed(`${operation} ${path}`);
  }

  payload(): void {}

  result(): void {}

  /** Runs `run` as an event of this incarnation: not at all once it is dead. */
  later(delayUs: number, run: () => void): void {
    this.#world.events.schedule(delayUs, () => {
      if (this.#alive) run();
    });
  }
}

class TestClock implements Clock {
  readonly #world: TestWorld;
  readonly #env: TestEnv;

  constructor(world: TestWorld, env: TestEnv) {
    this.#world = world;
    this.#env = env;
  }

  monotonicUs(): number {
    return this.#world.events.nowUs;
  }

  wallMs(): number {
    return this.#world.wallMs;
  }

  wallUncertaintyMs(): number {
    return 0;
  }

  after(delayUs: number, run: () => void): Timer {
    let cancelled = false;
    this.#env.later(delayUs, () => {
      if (!cancelled) run();
    });
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  }

  soon(run: () => void): void {
    this.#env.later(0, run);
  }
}

class TestJobs implements Jobs {
  readonly #world: TestWorld;
  readonly #env: TestEnv;
  /** Of each job under way: works until its end, and tells it. */
  readonly #running = new Set<() => void>();

  constructor(world: TestWorld, env: TestEnv) {
    this.#world = world;
    this.#env = env;
  }

  shared(sizeBytes: number): Uint8Array {
    return new Uint8Array(sizeBytes);
  }

  giveWay(us: number): void {
    this.#world.gaveWayUs += us;
  }

  /** No time passes. */
  standBy(): boolean {
    const [finish] = this.#running;
    finish?.();
    return finish !== undefined;
  }

  run(job: Job, done: JobDone): void {
    const disk = new HastyDisk(this.#env.disk);
    let machine: JobMachine | null = null;
    let scheduled = false;
    let ended = false;
    const later = (): void => {
      if (scheduled) return;
      scheduled = true;
      this.#env.later(1, () => {
        scheduled = false;
        step();
      });
    };
    const end = (error: Error | null): void => {
      ended = true;
      this.#running.delete(finish);
      done(error, error === null ? (machine?.result ?? null) : null);
    };
    const step = (): void => {
      if (ended) return;
      try {
        machine ??= startJob(disk, structuredClone(job), later);
        const state = machine.step(this.#world.jobSliceBytes);
        if (state === "more") return later();
        if (state === "waiting") return;
      } catch (error) {
        if (!(error instanceof Error) || error instanceof Crashed) throw error;
        return end(error);
      }
      end(null);
    };
    const finish = (): void => {
      while (!ended) {
        disk.finishSyncs();
        step();
      }
    };
    this.#running.add(finish);
    later();
  }
}

const noNetwork: Network = {
  listen: () => {
    throw new Error("no network in this test");
  },
  connect: () => {
    throw new Error("no network in this test");
  },
};

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array | null | undefined): string | null {
  return bytes === null || bytes === undefined ? null : new TextDecoder().decode(bytes);
}
