import { assert } from "../../core/assert.ts";

/**
 * Is there one order of these operations, compatible with real time, in which each has the outcome that was
 * observed? Wing and Gong's search with Lowe's memory of (set of operations done, state) configurations.
 *
 * Keep histories per key: linearizability composes over keys, and the search is exponential in how many
 * operations overlap.
 */
export interface SequentialModel<State, Operation> {
  readonly initial: State;
  /** The state after `operation`; undefined when the recorded outcome cannot occur in `state`. */
  step(state: State, operation: Operation): State | undefined;
  /** Equal for equal states and for no others. */
  stateKey(state: State): string;
  showState(state: State): string;
  showOperation(operation: Operation): string;
}

export interface TimedOperation<Operation> {
  readonly operation: Operation;
  readonly calledUs: number;
  /**
   * When its outcome was known. Of an operation with unknown outcome: the last instant at which it could
   * still take effect, `Infinity` if nothing bounds it.
   */
  readonly returnedUs: number;
  /** False: the outcome is unknown, so it took effect once in its interval or never. */
  readonly certain: boolean;
  /**
   * Index of a certain operation that takes effect before this one although they overlap: the order of one
   * connection. Not of an uncertain one: it may have been refused, and its reply lost.
   */
  readonly follows?: number;
}

export type LinearizabilityVerdict =
  | { readonly kind: "linearizable" }
  /** `message` names the operation that has no place. */
  | { readonly kind: "violation"; readonly message: string }
  /** The search outgrew its bound. The workload must shrink; nothing is known about the history. */
  | { readonly kind: "exhausted"; readonly message: string };

export const configurationsMax = 200_000;

export function checkLinearizability<State, Operation>(
  model: SequentialModel<State, Operation>,
  history: readonly TimedOperation<Operation>[],
): LinearizabilityVerdict {
  return new Search(model, history).run();
}

interface Placed<State> {
  /** The entry that was taken out: a call when the operation took effect, a return when it was dropped. */
  readonly entry: number;
  readonly stateBefore: State;
}

/** Entries 2i (call) and 2i + 1 (return) of operation i, in time order, as a doubly linked list. */
class Search<State, Operation> {
  readonly #model: SequentialModel<State, Operation>;
  readonly #history: readonly TimedOperation<Operation>[];
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;
  readonly #done: Uint16Array;
  readonly #seen = new Set<string>();
  readonly #stack: Placed<State>[] = [];
  #certainLeft = 0;
  #state: State;
  #deepest = -1;
  #blocked = -1;
  #blockedState: State;
  #blockedAfter: number[] = [];

  constructor(
    model: SequentialModel<State, Operation>,
    history: readonly TimedOperation<Operation>[],
  ) {
    const entries = history.length * 2;
    this.#model = model;
    this.#history = history;
    this.#head = entries;
    this.#next = new Int32Array(entries + 1);
    this.#previous = new Int32Array(entries + 1);
    this.#done = new Uint16Array((history.length + 15) >>> 4);
    this.#state = model.initial;
    this.#blockedState = model.initial;
    for (const timed of history) {
      assert(timed.calledUs <= timed.returnedUs, "an operation returns after its call");
      const { follows } = timed;
      assert(follows === undefined || history[follows]?.certain === true, "what it follows is certain");
      if (timed.certain) this.#certainLeft++;
    }
    this.#link();
  }

  run(): LinearizabilityVerdict {
    let entry = this.#first();
    while (this.#certainLeft > 0) {
      if (this.#seen.size > configurationsMax) return this.#exhausted();
      assert(entry !== this.#head, "an operation that is not placed has its return in the list");
      const advanced = entry % 2 === 0 ? this.#place(entry) : this.#drop(entry);
      if (advanced) {
        entry = this.#first();
      } else if (entry % 2 === 0) {
        entry = this.#next[entry] as number;
      } else {
        this.#note(entry >> 1);
        entry = this.#backtrack();
        if (entry === this.#head) return { kind: "violation", message: this.#explain() };
      }
    }
    return { kind: "linearizable" };
  }

  /** Operations that touch at one instant overlap: calls sort before returns. */
  #link(): void {
    const order = Array.from({ length: this.#head }, (_, entry) => entry);
    const time = (entry: number): number => {
      const timed = this.#history[entry >> 1] as TimedOperation<Operation>;
      return entry % 2 === 0 ? timed.calledUs : timed.returnedUs;
    };
    order.sort((a, b) => {
      const [timeA, timeB] = [time(a), time(b)];
      if (timeA !== timeB) return timeA < timeB ? -1 : 1;
      return (a % 2) - (b % 2) || a - b;
    });
    let before = this.#head;
    for (const entry of order) {
      this.#next[before] = entry;
      this.#previous[entry] = before;
      before = entry;
    }
    this.#next[before] = this.#head;
    this.#previous[this.#head] = before;
  }

  #first(): number {
    return this.#next[this.#head] as number;
  }

  /** Lets the operation called at `entry` take effect now, unless that is impossible or was tried before. */
  #place(entry: number): boolean {
    const timed = this.#history[entry >> 1] as TimedOperation<Operation>;
    if (timed.follows !== undefined && !this.#isDone(timed.follows)) return false;
    const after = this.#model.step(this.#state, timed.operation);
    return after !== undefined && this.#advance(entry, after);
  }

  /** At the end of its interval, an operation of unknown outcome may also never have happened. */
  #drop(entry: number): boolean {
    const timed = this.#history[entry >> 1] as TimedOperation<Operation>;
    return !timed.certain && this.#advance(entry, this.#state);
  }

  #advance(entry: number, after: State): boolean {
    const index = entry >> 1;
    this.#flip(index);
    const configuration = `${String.fromCharCode(...this.#done)}|${this.#model.stateKey(after)}`;
    if (this.#seen.has(configuration)) {
      this.#flip(index);
      return false;
    }
    this.#seen.add(configuration);
    this.#stack.push({ entry, stateBefore: this.#state });
    this.#state = after;
    this.#unlink(index * 2);
    this.#unlink(index * 2 + 1);
    if (this.#history[index]?.certain === true) this.#certainLeft--;
    return true;
  }

  /** Takes back decisions until one has an alternative; returns where to go on, or the head if none has. */
  #backtrack(): number {
    for (;;) {
      const placed = this.#stack.pop();
      if (placed === undefined) return this.#head;
      const index = placed.entry >> 1;
      this.#relink(index * 2 + 1);
      this.#relink(index * 2);
      this.#flip(index);
      this.#state = placed.stateBefore;
      if (this.#history[index]?.certain === true) this.#certainLeft++;
      // A dropped operation was dropped because everything before its return had been tried.
      if (placed.entry % 2 === 0) return this.#next[placed.entry] as number;
    }
  }

  #isDone(index: number): boolean {
    return (((this.#done[index >>> 4] as number) >>> (index & 15)) & 1) === 1;
  }

  #flip(index: number): void {
    const word = index >>> 4;
    this.#done[word] = (this.#done[word] as number) ^ (1 << (index & 15));
  }

  #unlink(entry: number): void {
    const [before, after] = [this.#previous[entry] as number, this.#next[entry] as number];
    this.#next[before] = after;
    this.#previous[after] = before;
  }

  #relink(entry: number): void {
    this.#next[this.#previous[entry] as number] = entry;
    this.#previous[this.#next[entry] as number] = entry;
  }

  /** Remembers the deepest dead end: its first unplaced operation is the explanation. */
  #note(index: number): void {
    if (this.#stack.length <= this.#deepest) return;
    this.#deepest = this.#stack.length;
    this.#blocked = index;
    this.#blockedState = this.#state;
    this.#blockedAfter = this.#stack.filter((p) => p.entry % 2 === 0).map((p) => p.entry >> 1);
  }

  #explain(): string {
    const before = this.#blockedAfter.slice(-3).map((index) => this.#show(index));
    const after = before.length === 0 ? "at the start" : `after ${before.join(", then ")}`;
    const state = this.#model.showState(this.#blockedState);
    return `${this.#show(this.#blocked)} has no place: ${after} the state is ${state}`;
  }

  #show(index: number): string {
    const timed = this.#history[index] as TimedOperation<Operation>;
    const end = timed.returnedUs === Infinity ? "open" : String(timed.returnedUs);
    const outcome = timed.certain ? "" : " (outcome unknown)";
    const what = this.#model.showOperation(timed.operation);
    return `${what}${outcome} [${timed.calledUs}..${end}]`;
  }

  #exhausted(): LinearizabilityVerdict {
    const message = `${this.#history.length} operations need more than ${configurationsMax} configurations`;
    return { kind: "exhausted", message };
  }
}
