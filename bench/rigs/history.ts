import { Batch } from "../../core/engine/batch.ts";
import type { Db } from "../../core/engine/db.ts";
import { Xorshift } from "../xorshift.ts";

/** Number `n` of a seeded run is always the same operation: what a store may hold follows from how many it took. */
export type Operation =
  | { readonly type: "set"; readonly key: string; readonly value: string; readonly ttlMs: number | undefined }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "deleteRange"; readonly gte: string; readonly lt: string }
  | { readonly type: "batch"; readonly operations: readonly Operation[] };

export type State = Map<string, string>;

export const keyCount = 300;
const longMs = 86_400_000;

export function keyAt(n: number): string {
  return `key-${String(n).padStart(4, "0")}`;
}

export interface HistoryOptions {
  readonly seed: number;
  /** Operations that were refused and certainly did not happen. */
  readonly skipped?: ReadonlySet<number>;
}

/** Operation `n`, counted from 1. */
export function operationAt({ seed }: HistoryOptions, n: number): Operation {
  const random = new Xorshift(seed * 1_000_003 + n);
  const dice = random.below(100);
  if (dice < 3) {
    const start = random.below(keyCount);
    return { type: "deleteRange", gte: keyAt(start), lt: keyAt(start + 1 + random.below(20)) };
  }
  if (dice >= 15) return singleAt(random, n);
  const operations = Array.from({ length: 1 + random.below(6) }, (_, index) => singleAt(random, n * 10 + index));
  return { type: "batch", operations };
}

function singleAt(random: Xorshift, unique: number): Operation {
  const key = keyAt(random.below(keyCount));
  const dice = random.below(20);
  if (dice < 4) return { type: "delete", key };
  // Gone before anybody can look, or there for the whole run.
  const ttlMs = dice === 4 ? 1 : dice < 7 ? longMs : undefined;
  const length = random.below(8) === 0 ? 300 + random.below(1_200) : random.below(80);
  return { type: "set", key, value: `${unique}:${"v".repeat(length)}`, ttlMs };
}

export function applyTo(state: State, operation: Operation): void {
  switch (operation.type) {
    case "set":
      if (operation.ttlMs === 1) state.delete(operation.key);
      else state.set(operation.key, operation.value);
      return;
    case "delete":
      state.delete(operation.key);
      return;
    case "deleteRange":
      for (const key of state.keys()) {
        if (key >= operation.gte && key < operation.lt) state.delete(key);
      }
      return;
    case "batch":
      for (const single of operation.operations) applyTo(state, single);
  }
}

export function perform(db: Db, operation: Operation): Promise<void> {
  switch (operation.type) {
    case "set":
      return db.set(operation.key, operation.value, { ttlMs: operation.ttlMs });
    case "delete":
      return db.delete(operation.key);
    case "deleteRange":
      return deleteRange(db, operation.gte, operation.lt);
    case "batch":
      return db.batch(operation.operations.map(batchOperation));
  }
}

function deleteRange(db: Db, gte: string, lt: string): Promise<void> {
  const encoder = new TextEncoder();
  const batch = new Batch().deleteRange(encoder.encode(gte), encoder.encode(lt));
  return new Promise((resolve, reject) => {
    db.engine.commit(batch, (error) => (error === null ? resolve() : reject(error)));
  });
}

type BatchOperation =
  | { type: "set"; key: string; value: string; ttlMs: number | undefined }
  | { type: "delete"; key: string };

function batchOperation(operation: Operation): BatchOperation {
  if (operation.type === "set" || operation.type === "delete") return operation;
  throw new Error("a batch holds single operations");
}

/**
 * How many operations `actual` is the outcome of, at least `least` and at most `most`, starting from `base`, which
 * is the outcome of `from`; null when it is not a prefix. Of several the smallest.
 */
export function matchingPrefix(
  options: HistoryOptions,
  base: { readonly state: State; readonly taken: number },
  [least, most]: readonly [number, number],
  actual: State,
): number | null {
  const state = new Map(base.state);
  for (let n = base.taken; n <= most; n++) {
    if (n > base.taken && options.skipped?.has(n) !== true) applyTo(state, operationAt(options, n));
    if (n >= least && sameState(state, actual)) return n;
  }
  return null;
}

export function sameState(a: State, b: State): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

/** A few keys that differ, for people. */
export function describeDifference(expected: State, actual: State): string {
  const brief = (value: string | undefined): string =>
    value === undefined ? "absent" : JSON.stringify(value.length > 24 ? `${value.slice(0, 24)}…` : value);
  return [...new Set([...expected.keys(), ...actual.keys()])]
    .toSorted()
    .filter((key) => expected.get(key) !== actual.get(key))
    .slice(0, 4)
    .map((key) => `${key}: ${brief(actual.get(key))}, not ${brief(expected.get(key))}`)
    .join("; ");
}
