import { columnFamily, compareKeys, keyLengthMax } from "../bytes/record.ts";
import { NokvError } from "../errors.ts";
import { invalidArgument } from "./failure.ts";
import type { IteratorOptions } from "./iterator.ts";
import type { KeyRange } from "./range-estimate.ts";

/*
 * What callers hand to the facade, made exact: text becomes bytes, bounds become an interval, and whatever
 * makes no sense is refused by name, with what to do instead, before anything has happened.
 */

/** A key or a value: bytes, or text that is stored as UTF-8. */
export type Data = Uint8Array | string;

/** An interval of keys. As in `abstract-level`, `gte` and `lte` count before `gt` and `lt`. */
export interface KeyBounds {
  readonly gt?: Data | undefined;
  readonly gte?: Data | undefined;
  readonly lt?: Data | undefined;
  readonly lte?: Data | undefined;
  /** Only keys that begin with it. Not together with the others. */
  readonly prefix?: Data | undefined;
}

export interface Lifetime {
  /** The value is gone after so many milliseconds: an integer from 1. */
  readonly ttlMs?: number | undefined;
  /** The value is gone from this instant on, Unix milliseconds; 0: never. Not together with `ttlMs`. */
  readonly expiresAtMs?: number | undefined;
}

export const boundNames: readonly string[] = ["gt", "gte", "lt", "lte", "prefix"];
export const lifetimeNames: readonly string[] = ["ttlMs", "expiresAtMs"];

const encoder = new TextEncoder();
const empty = new Uint8Array(0);

/** The bytes of `data`; `what` names it in the refusal of anything that is neither bytes nor text. */
export function toBytes(data: Data, what: string): Uint8Array {
  if (typeof data === "string") {
    // UTF-8 has no form for half a character: two different keys would become one.
    if (data.isWellFormed()) return encoder.encode(data);
    throw invalidArgument(`the ${what} holds half a surrogate pair, which is no text; pass its bytes`);
  }
  if (data instanceof Uint8Array) {
    // Bytes whose memory went elsewhere (a transfer to a worker) are empty: nobody else pays for the look.
    if (data.length === 0 && (data.buffer as { readonly detached?: boolean }).detached === true) {
      throw invalidArgument(`the ${what} is in a detached ArrayBuffer; pass it before it is transferred, or a copy`);
    }
    return data;
  }
  throw invalidArgument(`the ${what} must be a Uint8Array or a string, not ${nameOf(data)}`);
}

/** Refuses what is no object, and every property that `names` does not list: a typing error, mostly. */
export function checkOptions(options: unknown, call: string, names: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw invalidArgument(`the options of ${call} must be an object, not ${nameOf(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw invalidArgument(`${call} has no option ${name}; it has ${names.join(", ")}`);
  }
}

/** Throws `NOKV_ABORTED` when `signal` has fired; its reason becomes the `cause`. */
export function checkSignal(signal: AbortSignal | undefined, what: string): void {
  if (signal === undefined) return;
  if (typeof (signal as unknown) !== "object" || typeof signal.aborted !== "boolean") {
    throw invalidArgument(`signal must be an AbortSignal, not ${nameOf(signal)}`);
  }
  if (signal.aborted) throw aborted(signal, what);
}

export function aborted(signal: AbortSignal, what: string): NokvError {
  return new NokvError("NOKV_ABORTED", `aborted ${what}`, { cause: signal.reason });
}

/** `expiresAtMs` for a record written at `nowMs`. Range is checked where the record is encoded. */
export function toExpiresAtMs(lifetime: Lifetime, nowMs: () => number): number {
  const { ttlMs, expiresAtMs } = lifetime;
  if (ttlMs === undefined) return expiresAtMs ?? 0;
  if (expiresAtMs !== undefined) throw invalidArgument("ttlMs and expiresAtMs exclude each other");
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1) {
    throw invalidArgument(`ttlMs is ${String(ttlMs)}; it must be an integer of at least 1`);
  }
  return nowMs() + ttlMs;
}

/** `bounds` in bytes. */
export function toBounds(bounds: KeyBounds): Pick<IteratorOptions, "gt" | "gte" | "lt" | "lte"> {
  const { gt, gte, lt, lte, prefix } = bounds;
  if (prefix === undefined) {
    return { gt: toBound(gt, "gt"), gte: toBound(gte, "gte"), lt: toBound(lt, "lt"), lte: toBound(lte, "lte") };
  }
  for (const [name, bound] of Object.entries({ gt, gte, lt, lte })) {
    if (bound !== undefined) throw invalidArgument(`prefix and ${name} exclude each other`);
  }
  const from = toBytes(prefix, "prefix");
  return { gte: from, lt: behindPrefix(from) };
}

/** `bounds` as the keys of the data family from `start` on and below `end`; empty when `end` is not above. */
export function toInterval(bounds: KeyBounds): KeyRange {
  const { gt, gte, lt, lte } = toBounds(bounds);
  const start = gte ?? (gt === undefined ? empty : behind(gt));
  const end = lte === undefined ? (lt ?? null) : behind(lte);
  const { data } = columnFamily;
  return start === null ? { family: data, start: empty, end: empty } : { family: data, start, end };
}

/** The least key above `key`; null when there is none. */
function behind(key: Uint8Array): Uint8Array | null {
  // No key is longer than that: none comes between it and those that do not begin with it.
  if (key.length >= keyLengthMax) return behindPrefix(key) ?? null;
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** What a range delete covers; null: nothing. Everything has to be asked for in so many words. */
export function toDeletedInterval(bounds: KeyBounds, call: string): KeyRange | null {
  checkOptions(bounds, call, boundNames);
  if (Object.values(bounds).every((bound) => bound === undefined)) {
    throw invalidArgument(`${call} without bounds would delete everything; if that is meant, say { prefix: "" }`);
  }
  const range = toInterval(bounds);
  return range.end !== null && compareKeys(range.start, range.end) >= 0 ? null : range;
}

function toBound(data: Data | undefined, name: string): Uint8Array | undefined {
  return data === undefined ? undefined : toBytes(data, name);
}

/** The least key above all that begin with `prefix`; undefined when there is none. */
function behindPrefix(prefix: Uint8Array): Uint8Array | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const last = prefix[length - 1] ?? 0;
    if (last === 0xff) continue;
    const behind = prefix.slice(0, length);
    behind[length - 1] = last + 1;
    return behind;
  }
  return undefined;
}

/** What a value is, for people; never its content. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  const { constructor } = value;
  return typeof constructor === "function" && constructor.name !== "" ? `a ${constructor.name}` : "an object";
}
