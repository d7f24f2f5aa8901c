import { assert } from "../core/assert.ts";
import type { CallLog } from "./call-log.ts";
import { FaultCounts, type FaultKind } from "./faults.ts";

/** Story lines kept from the beginning and from the end of a run. */
const storyFirstMax = 40;
const storyLastMax = 80;

export interface Violation {
  readonly oracle: string;
  readonly message: string;
}

/** Ends a run. Thrown by `World.fail` after the violation was noted, so swallowing it changes nothing. */
export class ViolationThrown extends Error {
  override readonly name = "ViolationThrown";
}

/** What is known about one run for its report: violation, story, counts of faults, calls, what was reached. */
export class RunRecord {
  readonly counts = new FaultCounts();
  readonly calls: CallLog;
  readonly #reached: Map<string, number>;
  readonly #first: string[] = [];
  readonly #last: string[] = [];
  readonly #trace: ((line: string) => void) | null;
  #dropped = 0;
  #violation: Violation | null = null;
  #nowUs = 0;

  /** `reaches`: as the scenario says. */
  constructor(calls: CallLog, trace: ((line: string) => void) | null, reaches: readonly string[]) {
    this.calls = calls;
    this.#trace = trace;
    this.#reached = new Map(reaches.map((what) => [what, 0]));
  }

  /** Every line that follows is stamped with this time. */
  at(nowUs: number): void {
    this.#nowUs = nowUs;
  }

  get violation(): Violation | null {
    return this.#violation;
  }

  /** Somebody reads trace lines, so building them is worth it. */
  get traced(): boolean {
    return this.#trace !== null;
  }

  /** The first violation is the verdict; what follows is usually its consequence. */
  violate(oracle: string, message: string): void {
    if (this.#violation !== null) return;
    this.#violation = { oracle, message };
    this.trace(`violation ${oracle}: ${message}`);
  }

  count(kind: FaultKind): void {
    this.counts.add(kind);
    this.trace(`fault ${kind}`);
  }

  reach(what: string): void {
    const times = this.#reached.get(what);
    assert(times !== undefined, "a scenario names in reaches what it gets to");
    this.#reached.set(what, times + 1);
    this.trace(`reached ${what}`);
  }

  /** How often each was reached, those that were not with 0. */
  reached(): Record<string, number> {
    return Object.fromEntries(this.#reached);
  }

  story(line: string): void {
    const stamped = `${stamp(this.#nowUs)} ${line}`;
    if (this.#first.length < storyFirstMax) {
      this.#first.push(stamped);
    } else {
      this.#last.push(stamped);
      if (this.#last.length > storyLastMax) {
        this.#last.shift();
        this.#dropped++;
      }
    }
    this.trace(line);
  }

  storyLines(): string[] {
    const gap = this.#dropped > 0 ? [`... ${this.#dropped} lines left out ...`] : [];
    return [...this.#first, ...gap, ...this.#last];
  }

  trace(line: string): void {
    if (this.#trace !== null) this.#trace(`${stamp(this.#nowUs)} ${line}`);
  }
}

/** Seconds with microseconds, from integers only. */
function stamp(us: number): string {
  const seconds = Math.floor(us / 1_000_000);
  return `[${seconds}.${String(us % 1_000_000).padStart(6, "0")}s]`;
}
