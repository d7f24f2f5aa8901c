// HOT: the wall between node code and its world; every env call passes it.
import type { DiskFence } from "./disk/disk-world.ts";
import type { EventLoop } from "./event-loop.ts";
import { Life } from "./life.ts";
import type { RunRecord } from "./run-record.ts";

/** Unwinds the stack of an incarnation that just ended. Product code never catches it. */
export class NodeCrashed extends Error {
  override readonly name = "NodeCrashed";
}

/**
 * `process`: the operating system lives on, and with it the page cache. `power`: only durable bytes remain.
 */
export type CrashKind = "process" | "power";

/** What an incarnation tells the machine it runs on. */
export interface IncarnationHost {
  /** The crash point was reached: ends this incarnation. */
  crashInCall(kind: CrashKind): void;
  /** A sync was reported complete: the instant after which crashes find the most. */
  syncReported(): void;
}

/**
 * One process from boot to crash. Each call on its env first asks whether it still lives, is counted, may
 * turn out to be the point where it crashes, and is recorded with its result.
 */
export class Incarnation implements DiskFence {
  readonly life: Life;
  readonly number: number;
  readonly loop: EventLoop;
  calls = 0;
  readonly #who: string;
  readonly #record: RunRecord;
  readonly #host: IncarnationHost;
  readonly #workers: Life[] = [];
  #crashIn = 0;
  #crashKind: CrashKind = "process";
  #watcher: ((operation: string) => void) | null = null;

  constructor(number: number, life: Life, parts: IncarnationParts) {
    this.number = number;
    this.life = life;
    this.loop = parts.loop;
    this.#who = `${parts.machineName}#${number}`;
    this.#record = parts.record;
    this.#host = parts.host;
  }

  get who(): string {
    return this.#who;
  }

  alive(): boolean {
    return this.life.alive;
  }

  /** A thread of this process: a processor of its own, the same end. */
  worker(): Life {
    const worker = new Life(this.loop.processor(), false);
    this.#workers.push(worker);
    return worker;
  }

  end(): void {
    this.life.alive = false;
    for (const worker of this.#workers) worker.alive = false;
    this.loop.deathInTurn = true;
  }

  /** The `n`-th call from now is the last, and has no effect. */
  crashAtCall(n: number, kind: CrashKind): void {
    this.#crashIn = n;
    this.#crashKind = kind;
  }

  /** Told of every call from now on, before it has any effect; null: nobody. */
  watchCalls(watcher: ((operation: string) => void) | null): void {
    this.#watcher = watcher;
  }

  /** Entry of every env call; throws `NodeCrashed` when this incarnation has ended, or ends here. */
  call(operation: string, subject: string, a: number, b: number): void {
    if (!this.life.alive) throw new NodeCrashed(`${this.#who} is dead`);
    this.calls++;
    const bounded = this.#record.calls.call(this.#who, operation, subject, a, b);
    if (!bounded) {
      this.#record.violate("runaway", `${this.#who} makes env calls without end in one turn: ${operation}`);
      throw new NodeCrashed(`${this.#who} ran away`);
    }
    if (this.#watcher !== null) this.#watcher(operation);
    if (this.#crashIn > 0 && --this.#crashIn === 0) {
      const where = `env call ${this.calls}: ${operation} ${subject}`;
      this.#record.story(`${this.#who} crashes (${this.#crashKind}) in ${where}`);
      this.#record.count("process.crash-at-call");
      this.#host.crashInCall(this.#crashKind);
      throw new NodeCrashed(`${this.#who} crashed in ${operation}`);
    }
  }

  payload(bytes: Uint8Array, start: number, end: number): void {
    this.#record.calls.payload(bytes, start, end);
  }

  result(operation: string, outcome: string, value: number): void {
    if (!this.life.alive) throw new NodeCrashed(`${this.#who} is dead`);
    this.#record.calls.result(operation, outcome, value);
    if (operation === "sync-done") this.#host.syncReported();
  }

  /** Runs `run` on this incarnation's own turn, `delayUs` from its present; never when it dies before. */
  after(delayUs: number, run: () => void): void {
    this.loop.after(delayUs, this.life, run);
  }
}

export interface IncarnationParts {
  readonly machineName: string;
  readonly loop: EventLoop;
  readonly record: RunRecord;
  readonly host: IncarnationHost;
}
