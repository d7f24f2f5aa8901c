import { unreachable } from "../../core/assert.ts";
import { NokvError } from "../../core/errors.ts";
import type { Mutation, Transaction } from "../../core/kv/kv.ts";
import { keysOf } from "../percolator/atomic.ts";
import { txnKeyProblem } from "../percolator/txn-record.ts";

/** What one transaction may write, keys and values together: it travels in one request when it is of one region. */
const writtenBytesMax = 768 * 1024;

/** The same in memory of its own: what a caller passes in is valid only during the call. */
export function copyMutation(mutation: Mutation): Mutation {
  switch (mutation.kind) {
    case "put":
      return { ...mutation, key: mutation.key.slice(), value: mutation.value.slice() };
    case "append":
      return { ...mutation, key: mutation.key.slice(), suffix: mutation.suffix.slice() };
    case "put-many":
      return { ...mutation, keys: copies(mutation.keys), values: copies(mutation.values) };
    case "delete":
      return { ...mutation, keys: copies(mutation.keys) };
    case "take":
    case "increment":
    case "expire":
      return { ...mutation, key: mutation.key.slice() };
    default:
      return unreachable(mutation);
  }
}

export function copyTransaction({ operations, watched }: Transaction): Transaction {
  return {
    operations: operations.map((operation) => {
      if (operation.kind === "read") return { kind: "read", keys: copies(operation.keys) };
      return { kind: "mutate", mutation: copyMutation(operation.mutation) };
    }),
    watched: [...watched],
  };
}

/** Why the cluster does not take `mutation`: no store would, however often it is asked. Null: it does. */
export function inputProblem(mutation: Mutation, valueBytesMax: number): string | null {
  const keys = keysOf(mutation);
  const values = valuesOf(mutation);
  return (
    keysProblem(keys) ??
    values.map((value) => valueProblem(value, valueBytesMax)).find((problem) => problem !== null) ??
    writtenProblem([...keys, ...values].reduce((sum, { length }) => sum + length, 0))
  );
}

export function keysProblem(keys: readonly Uint8Array[]): string | null {
  for (const key of keys) {
    const problem = txnKeyProblem(key);
    if (problem !== null) return problem;
  }
  return null;
}

export function valueProblem({ length }: Uint8Array, valueBytesMax: number): string | null {
  if (length <= valueBytesMax) return null;
  return `a value of ${length} bytes is longer than the cluster takes, ${valueBytesMax}`;
}

/** Of keys and values that one transaction writes. */
export function writtenProblem(bytes: number): string | null {
  return bytes <= writtenBytesMax ? null : `one transaction writes ${bytes} bytes; at most ${writtenBytesMax}`;
}

export function invalidInput(problem: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", problem);
}

function valuesOf(mutation: Mutation): readonly Uint8Array[] {
  if (mutation.kind === "put") return [mutation.value];
  if (mutation.kind === "append") return [mutation.suffix];
  return mutation.kind === "put-many" ? mutation.values : [];
}

function copies(list: readonly Uint8Array[]): readonly Uint8Array[] {
  return list.map((bytes) => bytes.slice());
}
