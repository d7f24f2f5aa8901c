import { assert } from "../assert.ts";
import { keyOfText, keyText } from "../bytes/key-text.ts";
import type { NokvError } from "../errors.ts";
import { evaluateTransaction, keysReadBy } from "./evaluate-transaction.ts";
import { type Conditions, evaluate, keysRead, type Write } from "./evaluate.ts";
import type {
  Kv,
  KvEntry,
  MutateDone,
  Mutation,
  ReadDone,
  ScanDone,
  ScanRequest,
  TransactDone,
  Transaction,
  WatchDone,
} from "./kv.ts";

/**
 * The meaning of `Kv` in its simplest form: a map in memory, everything at once. What tests compare with, and
 * what they run the gateway on when storage is not the question.
 */
export class MapKv implements Kv {
  readonly ordered = true;
  /** By `keyText`, so that text order is byte order. */
  readonly #entries = new Map<string, KvEntry>();
  /** Which change a key has seen last, by a count of all; of removed keys, too. */
  readonly #changes = new Map<string, number>();
  #changeCount = 0;
  readonly #nowMs: () => number;
  readonly #valueBytesMax: number;
  /** All keys in order; null after a change of the set. */
  #sorted: readonly string[] | null = null;

  constructor(nowMs: () => number, valueBytesMax = 64 * 1024 * 1024) {
    this.#nowMs = nowMs;
    this.#valueBytesMax = valueBytesMax;
  }

  read(keys: readonly Uint8Array[], done: ReadDone): void {
    done(
      null,
      keys.map((key) => this.#copy(this.#live(keyText(key)))),
    );
  }

  mutate(mutation: Mutation, done: MutateDone): void {
    const present = keysRead(mutation).map((key) => this.#copy(this.#live(keyText(key))));
    const { outcome, writes } = evaluate(mutation, present, this.#conditions());
    this.#apply(writes);
    done(null, outcome);
  }

  scan(request: ScanRequest, done: ScanDone): void {
    assert(request.limit >= 1, "a page has room for a key");
    const after = request.after === null ? null : keyText(request.after);
    const names = this.#names().filter((name) => after === null || name > after);
    const page = names.slice(0, request.limit);
    done(null, { keys: page.map(keyOfText), exhausted: page.length === names.length });
  }

  count(done: (error: NokvError | null, count: number) => void): void {
    done(null, this.#names().length);
  }

  clear(done: (error: NokvError | null) => void): void {
    for (const name of this.#entries.keys()) this.#changes.set(name, ++this.#changeCount);
    this.#entries.clear();
    this.#sorted = null;
    done(null);
  }

  watch(keys: readonly Uint8Array[], done: WatchDone): void {
    const sinceVersion = this.#changeCount;
    const watched = keys.map((key) => {
      const name = keyText(key);
      const version = this.#changes.get(name) ?? 0;
      return { key: key.slice(), version, alive: this.#live(name) !== null, sinceVersion };
    });
    done(null, watched);
  }

  transact({ operations, watched }: Transaction, done: TransactDone): void {
    const unchanged = watched.every(({ key, version, alive }) => {
      const name = keyText(key);
      return (this.#changes.get(name) ?? 0) === version && (this.#live(name) !== null) === alive;
    });
    if (!unchanged) return done(null, null);
    const present = keysReadBy(operations).map((key) => this.#copy(this.#live(keyText(key))));
    const { results, writes } = evaluateTransaction(operations, present, this.#conditions());
    this.#apply(writes);
    done(null, results);
  }

  #conditions(): Conditions {
    return { nowMs: this.#nowMs(), valueBytesMax: this.#valueBytesMax };
  }

  #apply(writes: readonly Write[]): void {
    for (const { key, value, expiresAtMs } of writes) {
      const name = keyText(key);
      if (value === null) this.#entries.delete(name);
      else this.#entries.set(name, { value: value.slice(), expiresAtMs });
      this.#changes.set(name, ++this.#changeCount);
    }
    if (writes.length > 0) this.#sorted = null;
  }

  #live(name: string): KvEntry | null {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    return entry.expiresAtMs === 0 || entry.expiresAtMs > this.#nowMs() ? entry : null;
  }

  #copy(entry: KvEntry | null): KvEntry | null {
    return entry === null ? null : { value: entry.value.slice(), expiresAtMs: entry.expiresAtMs };
  }

  /** The live keys in order. */
  #names(): readonly string[] {
    this.#sorted ??= [...this.#entries.keys()].toSorted(byCodeUnit);
    return this.#sorted.filter((name) => this.#live(name) !== null);
  }
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
