import { unreachable } from "../assert.ts";
import { compareKeys, versionMax } from "../bytes/record.ts";
import { formatDecimal, int64Max, int64Min, parseDecimal } from "../bytes/decimal.ts";
import type { Expiry, KvEntry, Mutation, Outcome } from "./kv.ts";

/** What an evaluation rests on besides the entries. Equal conditions: equal decisions on every replica. */
export interface Conditions {
  /** The instant at which the mutation takes effect, wall-clock milliseconds. */
  readonly nowMs: number;
  /** The longest value that the store holds. */
  readonly valueBytesMax: number;
}

/** One entry to be written; `value` null removes the key. */
export interface Write {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
}

export interface Decision {
  readonly outcome: Outcome;
  /** In order; of two writes of one key the later counts. Bytes alias the mutation and the entries. */
  readonly writes: readonly Write[];
}

const nothing: readonly Write[] = [];
const none: Outcome = { applied: false, rejected: null, previous: null, count: 0, integer: 0n };
const done: Outcome = { applied: true, rejected: null, previous: null, count: 0, integer: 0n };

/** The keys whose present entries the decision rests on. Empty: it rests on none. */
export function keysRead(mutation: Mutation): readonly Uint8Array[] {
  switch (mutation.kind) {
    case "put-many":
      return mutation.condition === "always" ? [] : mutation.keys;
    case "delete":
      return mutation.keys;
    case "put":
      return isBlind(mutation) ? [] : [mutation.key];
    case "take":
    case "increment":
    case "append":
    case "expire":
      return [mutation.key];
    default:
      return unreachable(mutation);
  }
}

function isBlind(put: Extract<Mutation, { kind: "put" }>): boolean {
  return put.condition === "always" && !put.returning && put.expiry.kind !== "keep";
}

/**
 * What `mutation` does where `present` are the live entries of `keysRead(mutation)`. Pure and total: no
 * mutation, however odd, makes it throw.
 */
export function evaluate(
  mutation: Mutation,
  present: readonly (KvEntry | null)[],
  conditions: Conditions,
): Decision {
  switch (mutation.kind) {
    case "put":
      return put(mutation, present[0] ?? null, conditions);
    case "put-many":
      return putMany(mutation, present);
    case "delete":
      return remove(mutation.keys, present);
    case "take":
      return take(mutation.key, present[0] ?? null);
    case "increment":
      return increment(mutation.key, mutation.delta, present[0] ?? null);
    case "append":
      return append(mutation, present[0] ?? null, conditions);
    case "expire":
      return expire(mutation, present[0] ?? null, conditions);
    default:
      return unreachable(mutation);
  }
}

type MutationOf<Kind extends Mutation["kind"]> = Extract<Mutation, { kind: Kind }>;

function put(mutation: MutationOf<"put">, entry: KvEntry | null, conditions: Conditions): Decision {
  const { key, value, condition, returning } = mutation;
  const previous = returning ? entry : null;
  if (condition !== "always" && (condition === "present") !== (entry !== null)) {
    return { outcome: previous === null ? none : { ...none, previous }, writes: nothing };
  }
  const expiresAtMs = deadline(mutation.expiry, entry === null ? 0 : entry.expiresAtMs, conditions.nowMs);
  return {
    outcome: previous === null ? done : { ...done, previous },
    writes: [write(key, value, expiresAtMs, conditions.nowMs)],
  };
}

function putMany(mutation: MutationOf<"put-many">, present: readonly (KvEntry | null)[]): Decision {
  if (mutation.condition === "all-absent" && present.some((entry) => entry !== null)) {
    return { outcome: none, writes: nothing };
  }
  const writes: Write[] = [];
  for (const [i, key] of mutation.keys.entries()) {
    const value = mutation.values[i];
    if (value !== undefined) writes.push({ key, value, expiresAtMs: 0 });
  }
  return { outcome: done, writes };
}

/** A key named twice is removed, and counted, once. */
function remove(keys: readonly Uint8Array[], present: readonly (KvEntry | null)[]): Decision {
  const living = keys.filter((_, i) => (present[i] ?? null) !== null);
  if (living.length > 1) living.sort(compareKeys);
  const writes: Write[] = [];
  let last: Uint8Array | null = null;
  for (const key of living) {
    if (last === null || compareKeys(last, key) !== 0) writes.push({ key, value: null, expiresAtMs: 0 });
    last = key;
  }
  return { outcome: { ...none, applied: writes.length > 0, count: writes.length }, writes };
}

function take(key: Uint8Array, entry: KvEntry | null): Decision {
  if (entry === null) return { outcome: none, writes: nothing };
  return { outcome: { ...done, previous: entry }, writes: [{ key, value: null, expiresAtMs: 0 }] };
}

const exactMax = 1_000_000_000_000_000;

function increment(key: Uint8Array, delta: bigint, entry: KvEntry | null): Decision {
  const present = entry === null ? 0 : parseDecimal(entry.value, 0, entry.value.length);
  if (present === null) return { outcome: { ...none, rejected: "not-an-integer" }, writes: nothing };
  const step = Number(delta);
  const exact = typeof present === "number" && step > -exactMax && step < exactMax;
  const after = exact ? present + step : BigInt(present) + delta;
  const integer = BigInt(after);
  if (integer > int64Max || integer < int64Min) {
    return { outcome: { ...none, rejected: "overflow" }, writes: nothing };
  }
  return {
    outcome: { ...done, previous: entry, integer },
    writes: [{ key, value: formatDecimal(after), expiresAtMs: entry === null ? 0 : entry.expiresAtMs }],
  };
}

function append(mutation: MutationOf<"append">, entry: KvEntry | null, conditions: Conditions): Decision {
  const { key, suffix } = mutation;
  if (entry === null) {
    return suffix.length > conditions.valueBytesMax
      ? { outcome: { ...none, rejected: "too-long" }, writes: nothing }
      : { outcome: { ...done, count: suffix.length }, writes: [{ key, value: suffix, expiresAtMs: 0 }] };
  }
  const count = entry.value.length + suffix.length;
  if (suffix.length === 0) return { outcome: { ...none, previous: entry, count }, writes: nothing };
  if (count > conditions.valueBytesMax) {
    return { outcome: { ...none, rejected: "too-long", previous: entry }, writes: nothing };
  }
  const value = new Uint8Array(count);
  value.set(entry.value, 0);
  value.set(suffix, entry.value.length);
  return {
    outcome: { ...done, previous: entry, count },
    writes: [{ key, value, expiresAtMs: entry.expiresAtMs }],
  };
}

function expire(mutation: MutationOf<"expire">, entry: KvEntry | null, conditions: Conditions): Decision {
  if (entry === null) return { outcome: none, writes: nothing };
  const refused: Decision = { outcome: { ...none, previous: entry }, writes: nothing };
  const current = entry.expiresAtMs;
  const expiresAtMs = deadline(mutation.expiry, current, conditions.nowMs);
  if (!permits(mutation.condition, current, expiresAtMs)) return refused;
  // Taking away a lifetime that is not there is no change, and Redis says so.
  if (expiresAtMs === 0 && current === 0) return refused;
  return {
    outcome: { ...done, previous: entry },
    writes: [write(mutation.key, entry.value, expiresAtMs, conditions.nowMs)],
  };
}

/** Compared as instants; 0, never, is later than all. */
function permits(condition: MutationOf<"expire">["condition"], current: number, next: number): boolean {
  const currentMs = current === 0 ? Infinity : current;
  const nextMs = next === 0 ? Infinity : next;
  switch (condition) {
    case "always":
      return true;
    case "none":
      return current === 0;
    case "some":
      return current !== 0;
    case "later":
      return nextMs > currentMs;
    case "sooner":
      return nextMs < currentMs;
    case "some-sooner":
      return current !== 0 && nextMs < currentMs;
    default:
      return unreachable(condition);
  }
}

/** A deadline that has come removes the entry: it must not be there for a single instant. */
function write(key: Uint8Array, value: Uint8Array, expiresAtMs: number, nowMs: number): Write {
  if (expiresAtMs !== 0 && expiresAtMs <= nowMs) return { key, value: null, expiresAtMs: 0 };
  return { key, value, expiresAtMs };
}

/** The new deadline, at most what a record holds; at least 1, for 0 means never. */
function deadline(expiry: Expiry, currentMs: number, nowMs: number): number {
  switch (expiry.kind) {
    case "never":
      return 0;
    case "keep":
      return currentMs;
    case "at":
      return Math.max(1, Math.min(expiry.atMs, versionMax));
    case "after":
      return Math.max(1, Math.min(nowMs + expiry.ms, versionMax));
    default:
      return unreachable(expiry);
  }
}
