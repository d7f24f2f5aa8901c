import type { Clock } from "../env/clock.ts";
import { aborted, type Data, toBytes } from "./arguments.ts";
import type { EngineIterator } from "./iterator.ts";

/** `for await` lets the process do other things after so many entries. */
const entriesPerTurn = 256;

/** What a `DbIterator` needs beside the walk itself. */
export interface IteratorParts {
  readonly iterator: EngineIterator;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/**
 * The entries within bounds, in the order of their keys, as of the instant at which it was made: writes that
 * come later do not show. It holds back the space of what it sees, so close it: by `close()`, by `using`, or by
 * running a `for` loop over it, which closes it however the loop ends.
 *
 * Everything throws `NOKV_CLOSED` once it or the database is closed, and `NOKV_ABORTED` once its signal has
 * fired. `next` may throw `NOKV_CORRUPTION` or `NOKV_IO`; it then throws the same for ever, and leaves nothing
 * out in silence.
 */
export class DbIterator implements Iterable<[Uint8Array, Uint8Array]>, AsyncIterable<[Uint8Array, Uint8Array]> {
  readonly #iterator: EngineIterator;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | null;
  #onClosed: (() => void) | null = null;

  constructor(parts: IteratorParts) {
    this.#iterator = parts.iterator;
    this.#clock = parts.clock;
    this.#signal = parts.signal ?? null;
  }

  /** To the first or the next entry; false when there is none. */
  next(): boolean {
    if (this.#signal !== null && this.#signal.aborted) throw aborted(this.#signal, "the iteration");
    return this.#iterator.next();
  }

  /** A copy of the current key. Throws `NOKV_INVALID_ARGUMENT` when it stands on no entry. */
  get key(): Uint8Array {
    return this.#iterator.key;
  }

  /** A copy of the current value; empty with `keysOnly`. */
  get value(): Uint8Array {
    return this.#iterator.value;
  }

  /**
   * The current key where it lies, without a copy: valid until the next step, `seek` or `close`. After that its
   * memory may hold anything. Do not write to it.
   */
  get keyView(): Uint8Array {
    return this.#iterator.keyView;
  }

  /** The current value, as `keyView`. */
  get valueView(): Uint8Array {
    return this.#iterator.valueView;
  }

  /** Bytes of the current value, which is not read for that. */
  get valueLength(): number {
    return this.#iterator.valueLength;
  }

  /** When the current value will be gone, Unix milliseconds; 0: never. */
  get expiresAtMs(): number {
    return this.#iterator.expiresAtMs;
  }

  /**
   * The next step goes to `target`, or to the nearest entry behind it in the direction of the walk, and also
   * after the end was reached. A target outside the bounds is the end. `limit` is not given back.
   */
  seek(target: Data): void {
    this.#iterator.seek(toBytes(target, "target"));
  }

  /** Gives back what it holds. May be called again. */
  close(): void {
    this.#iterator.close();
    this.#onClosed?.();
    this.#onClosed = null;
  }

  /** `run` once, when it is closed. */
  onClosed(run: () => void): void {
    this.#onClosed = run;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Key and value of every entry still to come; closes the iterator, also when the loop is left early. */
  [Symbol.iterator](): Generator<[Uint8Array, Uint8Array], void, void> {
    return walk(this, entryOf);
  }

  /** The same for `for await`, which lets the process do other things every 256 entries. */
  [Symbol.asyncIterator](): AsyncGenerator<[Uint8Array, Uint8Array], void, void> {
    return walkInTurns(this, this.#clock, entryOf);
  }
}

/**
 * Keys, values or entries of a range, to be walked by `for`, `for await` or a spread, as often as wanted: each
 * walk opens an iterator of its own, which shows what is there when the walk begins, and closes it.
 */
export class Entries<T> implements Iterable<T>, AsyncIterable<T> {
  readonly #open: () => DbIterator;
  readonly #clock: Clock;
  readonly #pick: (iterator: DbIterator) => T;

  constructor(open: () => DbIterator, clock: Clock, pick: (iterator: DbIterator) => T) {
    this.#open = open;
    this.#clock = clock;
    this.#pick = pick;
  }

  [Symbol.iterator](): Generator<T, void, void> {
    return walk(this.#open(), this.#pick);
  }

  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return walkInTurns(this.#open(), this.#clock, this.#pick);
  }
}

export function entryOf(iterator: DbIterator): [Uint8Array, Uint8Array] {
  return [iterator.key, iterator.value];
}

function* walk<T>(iterator: DbIterator, pick: (iterator: DbIterator) => T): Generator<T, void, void> {
  try {
    while (iterator.next()) yield pick(iterator);
  } finally {
    iterator.close();
  }
}

async function* walkInTurns<T>(
  iterator: DbIterator,
  clock: Clock,
  pick: (iterator: DbIterator) => T,
): AsyncGenerator<T, void, void> {
  try {
    for (let count = 1; iterator.next(); count++) {
      yield pick(iterator);
      if (count % entriesPerTurn === 0) await new Promise<void>((resolve) => clock.soon(resolve));
    }
  } finally {
    iterator.close();
  }
}
