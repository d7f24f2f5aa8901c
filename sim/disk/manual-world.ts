import { assert } from "../../core/assert.ts";
import type { Disk } from "../../core/env/disk.ts";
import { diskFaultsNone } from "./disk-faults.ts";
import type { DiskFaultKind, DiskFaults } from "./disk-faults.ts";
import type { DiskFence, DiskWorld } from "./disk-world.ts";
import { spread } from "./sector.ts";
import { SimDisk } from "./sim-disk.ts";

/** Events of one `pump`, at most: a loop that schedules itself for ever is a defect. */
const eventsMax = 1_000_000;

interface Event {
  readonly atUs: number;
  readonly run: () => void;
}

/** The least world a disk can live in: a seed, a clock that jumps from event to event, tallies. */
export class ManualWorld implements DiskWorld {
  readonly seed: number;
  nowUs = 0;
  chargedUs = 0;
  readonly counts = new Map<DiskFaultKind, number>();
  #events: Event[] = [];

  constructor(seed: number) {
    this.seed = seed;
  }

  draw(stream: string, entity: number, ordinal: number): number {
    let hash = this.seed >>> 0;
    for (let at = 0; at < stream.length; at++) hash = spread(hash, stream.charCodeAt(at), 0);
    const high = Math.trunc(ordinal / 0x100000000);
    return spread(spread(hash, entity, high), ordinal >>> 0, 1);
  }

  count(kind: DiskFaultKind): void {
    this.counts.set(kind, this.counted(kind) + 1);
  }

  counted(kind: DiskFaultKind): number {
    return this.counts.get(kind) ?? 0;
  }

  schedule(delayUs: number, run: () => void): void {
    this.#events.push({ atUs: this.nowUs + delayUs, run });
  }

  charge(us: number): void {
    this.chargedUs += us;
  }

  get pendingEvents(): number {
    return this.#events.length;
  }

  /** Runs the earliest event; false when there is none. */
  step(): boolean {
    let earliest = -1;
    let atUs = Number.MAX_SAFE_INTEGER;
    for (let at = 0; at < this.#events.length; at++) {
      const event = this.#events[at];
      if (event === undefined || event.atUs >= atUs) continue;
      earliest = at;
      atUs = event.atUs;
    }
    const [event] = earliest < 0 ? [] : this.#events.splice(earliest, 1);
    if (event === undefined) return false;
    this.nowUs = event.atUs;
    event.run();
    return true;
  }

  /** Runs events until none is left. */
  pump(): void {
    for (let count = 0; this.step(); count++) assert(count < eventsMax, "a world comes to rest");
  }
}

/** What a dead incarnation's calls throw in a `ManualFence`. */
export class Unwound extends Error {
  override readonly name = "Unwound";
}

/** A fence that keeps what passes it, and can be told to fall at a call. */
export class ManualFence implements DiskFence {
  readonly log: string[] = [];
  /** Run before the n-th call from now throws; null: never. */
  crash: { inCalls: number; run: () => void; after: boolean } | null = null;
  #alive = true;

  alive(): boolean {
    return this.#alive;
  }

  kill(): void {
    this.#alive = false;
  }

  call(operation: string, path: string, a: number, b: number): void {
    if (!this.#alive) throw new Unwound("the incarnation is dead");
    this.log.push(`${operation} ${path} ${a} ${b}`);
    if (this.crash === null || --this.crash.inCalls > 0) return;
    if (!this.crash.after) this.#fall(this.crash.run);
  }

  payload(bytes: Uint8Array, start: number, end: number): void {
    this.log.push(`payload ${bytes.subarray(start, end).join(",")}`);
  }

  result(operation: string, outcome: string, value: number): void {
    this.log.push(`${operation}: ${outcome} ${value}`);
    if (this.crash !== null && this.crash.inCalls <= 0 && this.crash.after) this.#fall(this.crash.run);
  }

  #fall(run: () => void): void {
    this.crash = null;
    this.#alive = false;
    run();
    throw new Unwound("the incarnation died here");
  }
}

/** A disk of its own, with one incarnation attached. */
export interface Rig {
  readonly world: ManualWorld;
  readonly disk: SimDisk;
  readonly fence: ManualFence;
  readonly view: Disk;
}

/** `faults` on top of none. */
export function rig(faults: Partial<DiskFaults>, seed = 1): Rig {
  const world = new ManualWorld(seed);
  const disk = new SimDisk(world, { ...diskFaultsNone, ...faults });
  const fence = new ManualFence();
  return { world, disk, fence, view: disk.attach(fence) };
}
