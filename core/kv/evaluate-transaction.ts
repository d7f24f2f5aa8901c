import { keyText } from "../bytes/key-text.ts";
import { type Conditions, evaluate, keysRead, type Write } from "./evaluate.ts";
import type { KvEntry, Operation, OperationResult } from "./kv.ts";

export interface TransactionDecision {
  readonly results: readonly OperationResult[];
  /** One per key, in key order. Bytes alias the operations and the entries. */
  readonly writes: readonly Write[];
}

/** The keys whose present entries the operations rest on, each once, in key order. */
export function keysReadBy(operations: readonly Operation[]): readonly Uint8Array[] {
  const keys = new Map<string, Uint8Array>();
  for (const operation of operations) {
    const read = operation.kind === "read" ? operation.keys : keysRead(operation.mutation);
    for (const key of read) keys.set(keyText(key), key);
  }
  return inKeyOrder(keys);
}

/**
 * What `operations` do one after the other at one instant, where `present` are the live entries of
 * `keysReadBy(operations)`. Pure and total, as `evaluate` is: where it runs makes no difference.
 */
export function evaluateTransaction(
  operations: readonly Operation[],
  present: readonly (KvEntry | null)[],
  conditions: Conditions,
): TransactionDecision {
  const entries = new Map<string, KvEntry | null>();
  for (const [i, key] of keysReadBy(operations).entries()) entries.set(keyText(key), present[i] ?? null);
  const find = (key: Uint8Array): KvEntry | null => entries.get(keyText(key)) ?? null;
  const writes = new Map<string, Write>();
  const results = operations.map((operation): OperationResult => {
    if (operation.kind === "read") return { kind: "read", entries: operation.keys.map(find) };
    const decision = evaluate(operation.mutation, keysRead(operation.mutation).map(find), conditions);
    for (const write of decision.writes) {
      const { key, value, expiresAtMs } = write;
      const text = keyText(key);
      writes.set(text, write);
      // What a later step finds: a deadline that has come was turned into a removal already.
      entries.set(text, value === null ? null : { value, expiresAtMs });
    }
    return { kind: "mutate", outcome: decision.outcome };
  });
  return { results, writes: inKeyOrder(writes) };
}

function inKeyOrder<Value>(map: ReadonlyMap<string, Value>): Value[] {
  const sorted = [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([, value]) => value);
}
