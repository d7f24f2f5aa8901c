// An engine over a disk in memory whose syncs complete by hand.
import { expect } from "vitest";
import { Failpoints } from "../../failpoints/failpoints.ts";
import type { Env } from "../env/env.ts";
import type { Timer } from "../env/clock.ts";
import type { Job, JobDone } from "../env/jobs.ts";
import type { PathKind } from "../env/disk.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineOptions } from "../engine/options.ts";
import { openEngine } from "../engine/engine.ts";
import { startJob } from "../lsm/job-starter.ts";
import { MemoryDisk } from "../lsm/memory-disk.test-support.ts";
import type { Mutation } from "./kv.ts";

const directory = "db";

class DirectoryDisk extends MemoryDisk {
  override kind(path: string): PathKind | null {
    return path === directory || path === "." ? "directory" : super.kind(path);
  }
}

interface Due {
  readonly atUs: number;
  readonly run: () => void;
}

/** Everything an engine asks for; time stands still unless it is moved. */
export class TestEnv {
  readonly disk = new DirectoryDisk();
  nowMs = 1_800_000_000_000;
  #due: Due[] = [];

  readonly env: Env = {
    clock: {
      monotonicUs: () => this.nowMs * 1000,
      wallMs: () => this.nowMs,
      wallUncertaintyMs: () => 0,
      after: (delayUs, run) => this.#after(delayUs, run),
      soon: (run) => void this.#after(0, run),
    },
    disk: this.disk,
    network: {
      listen: () => expect.unreachable("no network"),
      connect: () => expect.unreachable("no network"),
    },
    random: { u32: (_, entity, ordinal) => (entity * 31 + ordinal * 7) >>> 0 },
    jobs: {
      shared: (sizeBytes) => new Uint8Array(sizeBytes),
      run: (job, done) => this.#runJob(job, done),
      giveWay: () => {},
      standBy: () => false,
    },
    failpoints: new Failpoints({ draw: () => 0, crash: () => expect.unreachable("no failpoint is armed") }),
    trace: { enabled: false, emit: () => undefined },
  };

  /** Runs what is due; syncs stay in flight. */
  turn(): void {
    for (let ran = true; ran;) {
      const due = this.#due.filter(({ atUs }) => atUs <= this.nowMs * 1000);
      this.#due = this.#due.filter((each) => !due.includes(each));
      for (const { run } of due) run();
      ran = due.length > 0;
    }
  }

  /** Lets syncs complete, until nothing is left to do. */
  settle(): void {
    for (let i = 0; i < 20; i++) {
      this.turn();
      this.disk.runCompletions();
    }
  }

  async open(options: Partial<EngineOptions> = {}): Promise<Engine> {
    let engine: Engine | null = null;
    const opening = openEngine(this.env, directory, options).then((opened) => (engine = opened));
    for (let i = 0; i < 200 && engine === null; i++) {
      this.settle();
      await Promise.resolve();
    }
    return opening;
  }

  #after(delayUs: number, run: () => void): Timer {
    const due: Due = { atUs: this.nowMs * 1000 + delayUs, run };
    this.#due.push(due);
    return { cancel: () => void (this.#due = this.#due.filter((each) => each !== due)) };
  }

  #runJob(job: Job, done: JobDone): void {
    const machine = startJob(this.disk, job, () => undefined);
    this.#after(0, () => {
      for (let state = machine.step(1 << 20); state !== "done"; state = machine.step(1 << 20)) {
        this.disk.runCompletions();
      }
      done(null, machine.result);
    });
  }
}

export const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
export const text = (value: Uint8Array): string => String.fromCharCode(...value);
export const limits = { valueBytesMax: 1 << 20, readBytesMax: 1 << 20 };

export function put(key: string, value: string, more: Partial<Extract<Mutation, { kind: "put" }>> = {}): Mutation {
  const never = { kind: "never" } as const;
  return {
    kind: "put",
    key: bytes(key),
    value: bytes(value),
    expiry: never,
    condition: "always",
    returning: false,
    ...more,
  };
}
