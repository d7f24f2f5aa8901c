import type { Clock } from "../../core/env/clock.ts";
import { NokvError } from "../../core/errors.ts";
import { successor } from "../percolator/view.ts";
import type { TxnClient } from "./txn-client.ts";

/** Keys removed by one transaction. */
const pageKeys = 128;

/**
 * Removes every key that is there when it begins, page by page, each page atomically. What is written meanwhile may
 * stay or go. An error after the first page says that some keys may be gone.
 */
export class ClearMachine {
  readonly #client: TxnClient;
  readonly #clock: Clock;
  readonly #done: (error: NokvError | null) => void;
  /** A removal may have happened. */
  #begun = false;
  #attempts = 0;
  #giveUpUs = 0;

  constructor(client: TxnClient, clock: Clock, done: (error: NokvError | null) => void) {
    this.#client = client;
    this.#clock = clock;
    this.#done = done;
  }

  run(): void {
    this.#page(new Uint8Array(0));
  }

  /** Each page has a time of its own. */
  #page(start: Uint8Array): void {
    this.#attempts = 0;
    this.#giveUpUs = this.#clock.monotonicUs() + this.#client.options.operationMs * 1_000;
    this.#scan(start);
  }

  #scan(start: Uint8Array): void {
    this.#attempts++;
    this.#client.scan({ start, end: null }, { limit: pageKeys, readTs: null }, (error, entries) => {
      if (entries === null) return this.#failed(start, error);
      const last = entries.at(-1);
      if (last === undefined) return this.#done(null);
      this.#remove(start, entries.map(({ key }) => key), entries.length < pageKeys ? null : successor(last.key));
    });
  }

  #remove(start: Uint8Array, keys: readonly Uint8Array[], next: Uint8Array | null): void {
    this.#client.begin({}, (error, txn) => {
      if (txn === null) return this.#failed(start, error);
      for (const key of keys) txn.delete(key);
      this.#begun = true;
      txn.commit((failure) => {
        if (failure !== null) this.#failed(start, failure);
        else if (next === null) this.#done(null);
        else this.#page(next);
      });
    });
  }

  /** What is removed already is not found again: whatever became of the page, it may be tried once more. */
  #failed(start: Uint8Array, error: NokvError | null): void {
    const isHopeless = error?.code === "NOKV_CLOSED" || this.#clock.monotonicUs() >= this.#giveUpUs;
    if (!isHopeless) return this.#client.pause(this.#attempts, () => this.#scan(start));
    if (!this.#begun) return this.#done(error);
    this.#done(new NokvError("NOKV_UNDETERMINED", "some of the keys were removed, not all", { cause: error }));
  }
}
