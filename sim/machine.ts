import { assert } from "../core/assert.ts";
import type { Disk } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";
import type { JobStarter } from "../core/env/jobs.ts";
import { MachineClock, SimClock } from "./clock.ts";
import { describeError, isDefect } from "./defect.ts";
import { Dice } from "./dice.ts";
import type { DiskFaults } from "./disk/disk-faults.ts";
import { SimDisk } from "./disk/sim-disk.ts";
import type { EventLoop } from "./event-loop.ts";
import { type CrashKind, Incarnation, type IncarnationHost, NodeCrashed } from "./incarnation.ts";
import { SimJobs } from "./jobs.ts";
import { Life, type Processor } from "./life.ts";
import type { Host } from "./network/host.ts";
import { IncarnationNetwork } from "./network/incarnation-network.ts";
import type { SimNetwork } from "./network/sim-network.ts";
import { SimRandom } from "./random.ts";
import type { RunRecord } from "./run-record.ts";
import { SimFailpoints } from "./sim-failpoints.ts";
import { SimTrace } from "./trace.ts";

export type { CrashKind } from "./incarnation.ts";

/** How `Machine.run` ended. `failed` is an operating error; a defect ends the whole run instead. */
export type RunOutcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "crashed" }
  | { readonly kind: "failed"; readonly error: unknown };

/** Who arms crash points and failpoints: the nemesis. */
export interface MachineWatcher {
  booted(machine: Machine): void;
  /** A sync was reported complete: what a node does next, it does believing that its bytes are safe. */
  syncReported(machine: Machine): void;
}

export interface MachineParts {
  readonly name: string;
  readonly loop: EventLoop;
  readonly record: RunRecord;
  readonly network: SimNetwork;
  readonly diskFaults: DiskFaults;
  readonly startJob: JobStarter;
  readonly jobSliceBytesMax: number;
  readonly jobWorkers: number;
}

/** Where a monotonic clock starts counting: anywhere below this many microseconds. */
const clockOriginUsMax = 1_000_000_000;

interface Running {
  readonly incarnation: Incarnation;
  readonly env: Env;
  readonly disk: Disk;
  readonly failpoints: SimFailpoints;
}

/**
 * A simulated computer: a disk, clocks and a network address that outlive the incarnations of its one
 * process.
 */
export class Machine implements IncarnationHost {
  /** Also its host name on the network. */
  readonly name: string;
  readonly disk: SimDisk;
  /** The hardware's clocks, for faults. */
  readonly clock: MachineClock;
  readonly #parts: MachineParts;
  readonly #processor: Processor;
  readonly #host: Host;
  readonly #crashes = new Set<() => void>();
  readonly #downCallbacks: ((kind: CrashKind) => void)[] = [];
  #watcher: MachineWatcher | null = null;
  #running: Running | null = null;
  #incarnations = 0;
  #callsOfLast = 0;

  constructor(parts: MachineParts) {
    const { name, loop, record } = parts;
    this.name = name;
    this.#parts = parts;
    this.#processor = loop.processor();
    const hardware = new Life(this.#processor, false);
    this.#host = parts.network.addHost(name, hardware);
    const random = loop.random.fork(`machine/${name}`);
    this.clock = new MachineClock(random.u32("clock-origin", 0, 0) % clockOriginUsMax, 0);
    this.disk = new SimDisk(
      {
        draw: (stream, entity, ordinal) => random.u32(stream, entity, ordinal),
        count: (kind) => record.count(kind),
        schedule: (delayUs, run) => void loop.after(delayUs, hardware, run),
        charge: (us) => loop.charge(us),
      },
      parts.diskFaults,
    );
  }

  /** Starts a process: a fresh `Env`. The machine must be down. */
  boot(): Env {
    assert(this.#running === null, "a machine that is booted is down");
    const number = ++this.#incarnations;
    const { name, loop, record } = this.#parts;
    if (!this.#host.powered) {
      const origin = loop.random.u32(`machine/${name}/clock-origin`, 0, number) % clockOriginUsMax;
      this.clock.reboot(loop.nowUs, origin);
      this.#host.powerOn();
    }
    record.trace(`boot ${name}#${number}`);
    const life = new Life(this.#processor, false);
    const incarnation = new Incarnation(number, life, { machineName: name, loop, record, host: this });
    this.#running = this.#compose(incarnation);
    this.#watcher?.booted(this);
    return this.#running.env;
  }

  /** A process runs. */
  get up(): boolean {
    return this.#running !== null;
  }

  /** The running process's world. Throws when the machine is down. */
  get env(): Env {
    return this.#live().env;
  }

  /** The running process's failpoints, to arm by hand. Throws when the machine is down. */
  get failpoints(): SimFailpoints {
    return this.#live().failpoints;
  }

  /** How many processes have been booted; the present one's number. */
  get incarnation(): number {
    return this.#incarnations;
  }

  /** Env calls of the present (or last) incarnation. */
  get callCount(): number {
    return this.#running === null ? this.#callsOfLast : this.#running.incarnation.calls;
  }

  /**
   * Boots if down, then runs `work` on the machine's next turn. Settles with "crashed" when the incarnation
   * dies first, whatever `work` would have done; `work` then never continues past its next env call. An
   * AssertionError or other defect in `work` ends the run with a violation.
   */
  run<T>(work: (env: Env) => Promise<T>): Promise<RunOutcome<T>> {
    if (this.#running === null) this.boot();
    const { incarnation, env } = this.#live();
    return new Promise((resolve) => {
      const crashed = (): void => resolve({ kind: "crashed" });
      this.#crashes.add(crashed);
      const settle = (outcome: RunOutcome<T>): void => {
        // What a dead incarnation still computes is nobody's business.
        if (!this.#crashes.delete(crashed)) return;
        if (outcome.kind === "failed") this.#refuseDefect(outcome.error);
        resolve(outcome);
      };
      incarnation.after(0, () => {
        // Deferred by one microtask, so that a synchronous throw is a rejection like any other.
        void Promise.resolve(env)
          .then(work)
          .then(
            (value) => settle({ kind: "done", value }),
            (error: unknown) => settle({ kind: "failed", error }),
          );
      });
    });
  }

  /** Ends the process now. When it is already down, `power` still loses what was not durable. */
  crash(kind: CrashKind): void {
    if (this.#running !== null) {
      this.#die(kind);
    } else if (kind === "power" && this.#host.powered) {
      this.#parts.record.count("process.power-loss");
      this.disk.powerLoss();
      this.#host.powerOff();
    }
  }

  /** Ends the process inside its `n`-th env call from now (1: the next), before that call has any effect. */
  crashAtCall(n: number, kind: CrashKind): void {
    assert(n >= 1, "a call to come");
    this.#live().incarnation.crashAtCall(n, kind);
  }

  /** Tells of every env call of the running process, by its operation, before it has any effect; null: no more. */
  watchCalls(watcher: ((operation: string) => void) | null): void {
    this.#running?.incarnation.watchCalls(watcher);
  }

  /** Takes back `crashAtCall`. */
  spare(): void {
    this.#running?.incarnation.crashAtCall(0, "process");
  }

  /**
   * Called on the world's turn after each end of a process, with how it ended. For the scenario's restarts.
   */
  onDown(callback: (kind: CrashKind) => void): void {
    this.#downCallbacks.push(callback);
  }

  /** The process gets no turn for so long; its timers and network events wait. Clocks go on. */
  pause(ms: number): void {
    if (this.#running === null) return;
    this.#parts.record.count("process.pause");
    const { loop } = this.#parts;
    this.#processor.busyUntilUs = loop.presentUs(this.#processor) + ms * 1_000;
  }

  /** Ends a pause. */
  unpause(): void {
    this.#parts.loop.release(this.#processor);
  }

  /** Null: nobody. The nemesis sets it. */
  watch(watcher: MachineWatcher | null): void {
    this.#watcher = watcher;
  }

  // What incarnations tell.

  crashInCall(kind: CrashKind): void {
    this.#die(kind);
  }

  syncReported(): void {
    this.#watcher?.syncReported(this);
  }

  #live(): Running {
    assert(this.#running !== null, "the machine is up");
    return this.#running;
  }

  #compose(incarnation: Incarnation): Running {
    const { name, loop, record, network, startJob, jobSliceBytesMax, jobWorkers } = this.#parts;
    const random = loop.random.fork(`process/${name}/${incarnation.number}`);
    const disk = this.disk.attach(incarnation);
    const failpoints = new SimFailpoints(random, record, (point) => this.#crashAtFailpoint(point));
    const env: Env = {
      clock: new SimClock(this.clock, incarnation, new Dice(random.stream("sim/soon"), 0)),
      disk,
      network: new IncarnationNetwork(network, this.#host, incarnation),
      random: new SimRandom(random, incarnation),
      jobs: new SimJobs({
        incarnation,
        disk,
        start: startJob,
        dice: new Dice(random.stream("sim/jobs"), 0),
        sliceBytesMax: jobSliceBytesMax,
        workers: jobWorkers,
      }),
      failpoints,
      trace: new SimTrace(incarnation.who, record),
    };
    return { incarnation, env, disk, failpoints };
  }

  #crashAtFailpoint(point: string): never {
    const { record } = this.#parts;
    const { incarnation, failpoints } = this.#live();
    record.story(`${incarnation.who} crashes (${failpoints.crashKind}) at failpoint ${point}`);
    this.#die(failpoints.crashKind);
    throw new NodeCrashed(`${incarnation.who} crashed at ${point}`);
  }

  #die(kind: CrashKind): void {
    const { incarnation, disk } = this.#live();
    const { loop, record, network } = this.#parts;
    this.#running = null;
    this.#callsOfLast = incarnation.calls;
    incarnation.end();
    record.count(kind === "power" ? "process.power-loss" : "process.crash");
    record.trace(`crash ${incarnation.who} (${kind}) after ${incarnation.calls} env calls`);
    if (kind === "power") this.disk.powerLoss();
    else this.disk.processCrash(disk);
    network.processEnded(this.#host, kind, incarnation);
    this.unpause();
    for (const crashed of this.#crashes) crashed();
    this.#crashes.clear();
    loop.after(0, loop.worldLife, () => {
      for (const callback of this.#downCallbacks) callback(kind);
    });
  }

  #refuseDefect(error: unknown): void {
    if (isDefect(error)) this.#parts.record.violate("exception", describeError(error));
  }
}
