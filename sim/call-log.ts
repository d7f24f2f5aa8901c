// HOT: every env call of every incarnation, and its result, is recorded here.
import { TraceHash } from "./trace-hash.ts";

/** Recorded calls between two checkpoints. */
const checkpointCalls = 1_000;

/** A turn that makes more env calls than this loops without end. */
const turnCallsMax = 1_000_000;

/** Receives calls numbered from `from` to `to` as text. */
export interface CallTap {
  readonly from: number;
  readonly to: number;
  readonly line: (line: string) => void;
}

/**
 * What every incarnation asked of its world and what it was told, as one rolling hash with a checkpoint each
 * thousand calls: two runs of a seed that differ can be told apart, and the first call that differs can be
 * found.
 */
export class CallLog {
  readonly checkpoints: string[] = [];
  /** Calls recorded so far. */
  calls = 0;
  readonly #hash = new TraceHash();
  readonly #tap: CallTap | null;
  #turn = 0;
  #turnCalls = 0;

  constructor(tap: CallTap | null) {
    this.#tap = tap;
  }

  digest(): string {
    return this.#hash.digest();
  }

  /** A turn begins at virtual time `nowUs` on `processor`. */
  turn(nowUs: number, processor: number): void {
    this.#turn++;
    this.#turnCalls = 0;
    this.#hash.number(nowUs);
    this.#hash.number(processor);
  }

  /** False: this turn has made so many calls that it will not end. */
  // oxlint-disable-next-line max-params -- hot: an object per call would cost more than the hash
  call(who: string, operation: string, subject: string, a: number, b: number): boolean {
    const hash = this.#hash;
    hash.text(operation);
    hash.text(subject);
    hash.number(a);
    hash.number(b);
    this.calls++;
    if (this.calls % checkpointCalls === 0) this.checkpoints.push(hash.digest());
    if (this.#tapped()) this.#write(`${who} ${operation} ${subject} ${a} ${b}`);
    return ++this.#turnCalls <= turnCallsMax;
  }

  /** Bytes that went with the call or its result. */
  payload(bytes: Uint8Array, start: number, end: number): void {
    this.#hash.bytes(bytes, start, end);
    if (this.#tapped()) {
      const only = new TraceHash();
      only.bytes(bytes, start, end);
      this.#write(`  ${end - start} bytes ${only.digest()}`);
    }
  }

  result(operation: string, outcome: string, value: number): void {
    this.#hash.text(outcome);
    this.#hash.number(value);
    if (this.#tapped()) this.#write(`  ${operation} -> ${outcome} ${value}`);
  }

  #tapped(): boolean {
    const tap = this.#tap;
    return tap !== null && this.calls >= tap.from && this.calls <= tap.to;
  }

  #write(line: string): void {
    this.#tap?.line(`call ${this.calls} turn ${this.#turn}: ${line}`);
  }
}
