import { assert } from "../../core/assert.ts";

/**
 * Is there one order of these operations, compatible with real time, in which each has the outcome that was
 * observed? Wing and Gong's search with Lowe's memory of (set of operations done, state) configurations, without three
 * kinds of detour: what only observes is placed as soon as it may come; an operation of unknown outcome is not placed
 * where the next one comes to the same without it; and a configuration is left when one was visited that differs from
 * it only in fewer such operations done.
 *
 * Keep histories per key: linearizability composes over keys, and the search is exponential in how many
 * operations that change the state overlap.
 */
export interface SequentialModel<State, Operation> {
  readonly initial: State;
  /** The state after `operation`; undefined when the recorded outcome cannot occur in `state`. */
  step(state: State, operation: Operation): State | undefined;
  /** Whether `operation`, with the outcome that was recorded, leaves every state in which it can occur as it is. */
  observes(operation: Operation): boolean;
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

const configurationsMax = 200_000;

export function checkLinearizability<State, Operation>(
  model: SequentialModel<State, Operation>,
  history: readonly TimedOperation<Operation>[],
): LinearizabilityVerdict {
  return new Search(model, history).run();
}

interface Placed<State> {
  /** The entry that was taken out: a call when the operation took effect, a return when it was dropped. */
  readonly entry: number;
  /** Nothing else can be better in its place. */
  readonly forced: boolean;
  readonly stateBefore: State;
}

/** Entries 2i (call) and 2i + 1 (return) of operation i, in time order, as a doubly linked list. */
class Search<State, Operation> {
  readonly #model: SequentialModel<State, Operation>;
  readonly #history: readonly TimedOperation<Operation>[];
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;
  readonly #visited: Configurations;
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
    this.#visited = new Configurations(history.map(({ certain }) => certain));
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
    let entry = this.#arrive();
    while (this.#certainLeft > 0) {
      if (this.#visited.count > configurationsMax) return this.#exhausted();
      if (entry === this.#head) {
        entry = this.#backtrack();
        if (entry === this.#head) return { kind: "violation", message: this.#explain() };
      } else if (entry % 2 === 0) {
        entry = this.#place(entry) ? this.#arrive() : (this.#next[entry] as number);
      } else if (this.#history[entry >> 1]?.certain === true) {
        this.#note(entry >> 1);
        entry = this.#head;
      } else {
        // At the end of its interval, an operation of unknown outcome may also never have happened. This adds no
        // possibility to a configuration, and is none of its own unless something is placed then.
        this.#take(entry, this.#state, false);
        entry = this.#placeFree() ? this.#judged() : this.#first();
      }
    }
    return { kind: "linearizable" };
  }

  /** A new configuration: where its possibilities begin, or the head if none is left. */
  #arrive(): number {
    this.#placeFree();
    return this.#judged();
  }

  #judged(): number {
    return this.#visited.add(this.#model.stateKey(this.#state)) ? this.#first() : this.#head;
  }

  /**
   * Places every certain operation that may come now and only observes. An order in which it comes later is as good
   * with it here: no other possibility has to be tried.
   */
  #placeFree(): boolean {
    let any = false;
    let entry = this.#first();
    while (entry !== this.#head && entry % 2 === 0) {
      const next = this.#next[entry] as number;
      const timed = this.#history[entry >> 1] as TimedOperation<Operation>;
      if (timed.certain && this.#mayCome(timed) && this.#observesNow(timed)) {
        this.#take(entry, this.#state, true);
        any = true;
        // What follows it may stand before it, and a return behind it may be gone.
        entry = this.#first();
      } else {
        entry = next;
      }
    }
    return any;
  }

  #observesNow({ operation }: TimedOperation<Operation>): boolean {
    return this.#model.observes(operation) && this.#model.step(this.#state, operation) !== undefined;
  }

  #mayCome({ follows }: TimedOperation<Operation>): boolean {
    return follows === undefined || this.#visited.has(follows);
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

  /** Lets the operation called at `entry` take effect now, unless that is impossible. */
  #place(entry: number): boolean {
    const timed = this.#history[entry >> 1] as TimedOperation<Operation>;
    if (!this.#mayCome(timed)) return false;
    const after = this.#model.step(this.#state, timed.operation);
    if (after === undefined || this.#lastWasForNothing(timed, after)) return false;
    this.#take(entry, after, false);
    return true;
  }

  /** An operation of unknown outcome took effect, and the next one comes to the same without it. */
  #lastWasForNothing({ operation }: TimedOperation<Operation>, after: State): boolean {
    const last = this.#stack.at(-1);
    if (last === undefined || last.entry % 2 === 1 || this.#history[last.entry >> 1]?.certain === true) return false;
    const without = this.#model.step(last.stateBefore, operation);
    return without !== undefined && this.#model.stateKey(without) === this.#model.stateKey(after);
  }

  #take(entry: number, after: State, forced: boolean): void {
    const index = entry >> 1;
    this.#visited.flip(index);
    this.#stack.push({ entry, forced, stateBefore: this.#state });
    this.#state = after;
    this.#unlink(index * 2);
    this.#unlink(index * 2 + 1);
    if (this.#history[index]?.certain === true) this.#certainLeft--;
  }

  /** Takes back decisions until one has an alternative; returns where to go on, or the head if none has. */
  #backtrack(): number {
    for (;;) {
      const placed = this.#stack.pop();
      if (placed === undefined) return this.#head;
      const index = placed.entry >> 1;
      this.#relink(index * 2 + 1);
      this.#relink(index * 2);
      this.#visited.flip(index);
      this.#state = placed.stateBefore;
      if (this.#history[index]?.certain === true) this.#certainLeft++;
      // A dropped operation was dropped because everything before its return had been tried.
      if (placed.entry % 2 === 0 && !placed.forced) return this.#next[placed.entry] as number;
    }
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

/**
 * Which operations are done, and which configurations were visited. One with fewer operations of unknown outcome
 * done, and all else equal, can become whatever the other can: only the least are kept.
 */
class Configurations {
  readonly #certain: readonly boolean[];
  /** Position of each operation among those of its kind. */
  readonly #bit: readonly number[];
  readonly #certainDone: Uint16Array;
  readonly #unknownDone: Uint16Array;
  readonly #visited = new Map<string, Uint16Array[]>();
  /** Visits that were new. */
  count = 0;

  constructor(certain: readonly boolean[]) {
    const counts = { certain: 0, unknown: 0 };
    this.#certain = certain;
    this.#bit = certain.map((isCertain) => (isCertain ? counts.certain++ : counts.unknown++));
    this.#certainDone = new Uint16Array((counts.certain + 15) >>> 4);
    this.#unknownDone = new Uint16Array((counts.unknown + 15) >>> 4);
  }

  has(index: number): boolean {
    const bit = this.#bit[index] as number;
    return (((this.#wordsOf(index)[bit >>> 4] as number) >>> (bit & 15)) & 1) === 1;
  }

  flip(index: number): void {
    const bit = this.#bit[index] as number;
    const words = this.#wordsOf(index);
    words[bit >>> 4] = (words[bit >>> 4] as number) ^ (1 << (bit & 15));
  }

  /** Notes what is done now, in the state called `stateKey`; false if one at least as good was visited. */
  add(stateKey: string): boolean {
    const key = `${String.fromCharCode(...this.#certainDone)}|${stateKey}`;
    const now = this.#unknownDone;
    const visited = this.#visited.get(key) ?? [];
    if (visited.some((other) => isWithin(other, now))) return false;
    const kept = visited.filter((other) => !isWithin(now, other));
    kept.push(now.slice());
    this.#visited.set(key, kept);
    this.count++;
    return true;
  }

  #wordsOf(index: number): Uint16Array {
    return this.#certain[index] === true ? this.#certainDone : this.#unknownDone;
  }
}

function isWithin(part: Uint16Array, whole: Uint16Array): boolean {
  return part.every((word, i) => (word & ~(whole[i] as number)) === 0);
}
