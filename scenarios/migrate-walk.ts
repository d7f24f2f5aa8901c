import type { World } from "../sim/world.ts";

/** One end of one process, and what is done about it. A simulation of its own: a walk has many. */
export interface WalkStop {
  /** Whose process ends. */
  readonly machine: string;
  /** Inside that call to its world, before it has any effect; from 1, counted from where the walk begins. */
  readonly call: number;
  /** How it ends and how somebody goes on, in the words of the walk; "every": all that there is. */
  readonly how: string;
}

/** What a walk has done so far. */
export class WalkTally {
  /** Directories as a crash left them. */
  images = 0;
  /** Of these, those that no other crash had left. */
  distinct = 0;
  /** By name, how often somebody went on that way, to the end, with everything there. */
  readonly resumes = new Map<string, number>();
  /** By name, how often content was read and was what it should be. */
  readonly readings = new Map<string, number>();
  readonly #seen = new Set<string>();

  /** True: no crash has left that before. */
  isNew(image: string): boolean {
    this.images++;
    if (this.#seen.has(image)) return false;
    this.#seen.add(image);
    this.distinct++;
    return true;
  }

  resumed(how: string): void {
    this.resumes.set(how, (this.resumes.get(how) ?? 0) + 1);
  }

  read(path: string): void {
    this.readings.set(path, (this.readings.get(path) ?? 0) + 1);
  }
}

/** A course of processes that is interrupted at every one of their calls, in a world that a seed draws. */
export interface Walk {
  readonly name: string;
  readonly why: string;
  /** Goes through without an interruption; tells how many calls there are to end at, and every stop among them. */
  survey(world: World): Promise<WalkSurvey>;
  /** The same world up to that call; then it ends there, and is gone on with. Fails the world where that fails. */
  stopAt(world: World, stop: WalkStop, tally: WalkTally): Promise<void>;
}

export interface WalkSurvey {
  /** For people: what was walked. */
  readonly story: string;
  readonly stops: readonly WalkStop[];
}

export function stopText({ machine, call, how }: WalkStop): string {
  return `${machine}:${call}:${how}`;
}

/** Null: it is none. */
export function parseStop(text: string): WalkStop | null {
  const [, machine, call, how] = /^([a-z0-9-]+):([1-9][0-9]*):([a-z, -]+)$/.exec(text) ?? [];
  return machine === undefined || how === undefined ? null : { machine, call: Number(call), how };
}
