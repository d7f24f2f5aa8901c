import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from "abstract-level";
import { aborted } from "../core/engine/arguments.ts";
import type { DbIterator } from "../core/engine/db-iterator.ts";
import { inLevelTerms, inLevelTermsLater } from "./level-error.ts";

/*
 * The three walks of `abstract-level`. It calls the methods with an underscore, counts entries against `limit`
 * and decodes; steps are synchronous here, so a call for many is answered in one turn.
 */

export type Entry = [Uint8Array | undefined, Uint8Array | undefined];

export interface WalkOptions {
  readonly keys?: boolean;
  readonly values?: boolean;
  readonly signal?: AbortSignal | null;
}

/** What the three have in common. */
class Walk<T> {
  readonly #iterator: DbIterator;
  readonly #signal: AbortSignal | null;
  readonly #pick: (iterator: DbIterator) => T;

  constructor(iterator: DbIterator, options: WalkOptions, pick: (iterator: DbIterator) => T) {
    this.#iterator = iterator;
    this.#signal = options.signal ?? null;
    this.#pick = pick;
  }

  async next(): Promise<T | undefined> {
    const [item] = await this.nextv(1);
    return item;
  }

  nextv(size: number): Promise<T[]> {
    return inLevelTermsLater(async () => {
      const signal = this.#signal;
      if (signal !== null) {
        // An abort in the turn of the call still counts.
        await Promise.resolve();
        if (signal.aborted) throw aborted(signal, "the iteration");
      }
      const iterator = this.#iterator;
      const items: T[] = [];
      while (items.length < size && iterator.next()) items.push(this.#pick(iterator));
      return items;
    });
  }

  seek(target: Uint8Array): void {
    inLevelTerms(() => this.#iterator.seek(target));
  }

  close(): void {
    this.#iterator.close();
  }
}

export class LevelIterator<D, K, V> extends AbstractIterator<D, K, V> {
  readonly #walk: Walk<Entry>;

  constructor(db: D, options: WalkOptions, iterator: DbIterator) {
    super(db, options as object);
    const { keys = true, values = true } = options;
    this.#walk = new Walk(iterator, options, (at) => [keys ? at.key : undefined, values ? at.value : undefined]);
  }

  _next(): Promise<Entry | undefined> {
    return this.#walk.next();
  }

  _nextv(size: number): Promise<Entry[]> {
    return this.#walk.nextv(size);
  }

  _seek(target: Uint8Array): void {
    this.#walk.seek(target);
  }

  async _close(): Promise<void> {
    this.#walk.close();
  }
}

export class LevelKeyIterator<D, K> extends AbstractKeyIterator<D, K> {
  readonly #walk: Walk<Uint8Array>;

  constructor(db: D, options: WalkOptions, iterator: DbIterator) {
    super(db, options as object);
    this.#walk = new Walk(iterator, options, ({ key }) => key);
  }

  _next(): Promise<Uint8Array | undefined> {
    return this.#walk.next();
  }

  _nextv(size: number): Promise<Uint8Array[]> {
    return this.#walk.nextv(size);
  }

  _seek(target: Uint8Array): void {
    this.#walk.seek(target);
  }

  async _close(): Promise<void> {
    this.#walk.close();
  }
}

export class LevelValueIterator<D, K, V> extends AbstractValueIterator<D, K, V> {
  readonly #walk: Walk<Uint8Array>;

  constructor(db: D, options: WalkOptions, iterator: DbIterator) {
    super(db, options as object);
    this.#walk = new Walk(iterator, options, ({ value }) => value);
  }

  _next(): Promise<Uint8Array | undefined> {
    return this.#walk.next();
  }

  _nextv(size: number): Promise<Uint8Array[]> {
    return this.#walk.nextv(size);
  }

  _seek(target: Uint8Array): void {
    this.#walk.seek(target);
  }

  async _close(): Promise<void> {
    this.#walk.close();
  }
}
