import { assert } from "../assert.ts";
import { type Conditions, evaluate, keysRead } from "./evaluate.ts";
import type { Kv, KvEntry, MutateDone, Mutation, ReadDone, ScanDone, ScanRequest } from "./kv.ts";
import type { NokvError } from "../errors.ts";

/**
 * The meaning of `Kv` in its simplest form: a map in memory, everything at once. What tests compare with, and
 * what they run the gateway on when storage is not the question.
 */
export class MapKv implements Kv {
  /** Keys as text, one code unit per byte, so that text order is byte order. */
  readonly #entries = new Map<string, KvEntry>();
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
      keys.map((key) => this.#copy(this.#live(textOf(key)))),
    );
  }

  mutate(mutation: Mutation, done: MutateDone): void {
    const conditions: Conditions = { nowMs: this.#nowMs(), valueBytesMax: this.#valueBytesMax };
    const present = keysRead(mutation).map((key) => this.#copy(this.#live(textOf(key))));
    const { outcome, writes } = evaluate(mutation, present, conditions);
    for (const { key, value, expiresAtMs } of writes) {
      if (value === null) this.#entries.delete(textOf(key));
      else this.#entries.set(textOf(key), { value: value.slice(), expiresAtMs });
    }
    if (writes.length > 0) this.#sorted = null;
    done(null, outcome);
  }

  scan(request: ScanRequest, done: ScanDone): void {
    assert(request.limit >= 1, "a page has room for a key");
    const after = request.after === null ? null : textOf(request.after);
    const names = this.#names().filter((name) => after === null || name > after);
    const page = names.slice(0, request.limit);
    done(null, { keys: page.map(bytesOf), exhausted: page.length === names.length });
  }

  count(done: (error: NokvError | null, count: number) => void): void {
    done(null, this.#names().length);
  }

  clear(done: (error: NokvError | null) => void): void {
    this.#entries.clear();
    this.#sorted = null;
    done(null);
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

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
