import { unreachable } from "../../core/assert.ts";
import type { Mutation, Transaction } from "../../core/kv/kv.ts";

/** What one transaction may write, keys and values together: it travels in one request when it is of one region. */
export const writtenBytesMax = 768 * 1024;

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

/** Why the cluster does not take `mutation`; null: it does. */
export function sizeProblem(mutation: Mutation, valueBytesMax: number): string | null {
  const values = valuesOf(mutation);
  const longest = values.reduce((most, { length }) => Math.max(most, length), 0);
  if (longest > valueBytesMax) return `a value of ${longest} bytes is longer than the cluster takes, ${valueBytesMax}`;
  const total = [...values, ...keysOfMany(mutation)].reduce((sum, { length }) => sum + length, 0);
  if (total > writtenBytesMax) return `${total} bytes are more than one request holds, ${writtenBytesMax}`;
  return null;
}

function valuesOf(mutation: Mutation): readonly Uint8Array[] {
  if (mutation.kind === "put") return [mutation.value];
  if (mutation.kind === "append") return [mutation.suffix];
  return mutation.kind === "put-many" ? mutation.values : [];
}

function keysOfMany(mutation: Mutation): readonly Uint8Array[] {
  return mutation.kind === "put-many" || mutation.kind === "delete" ? mutation.keys : [];
}

function copies(list: readonly Uint8Array[]): readonly Uint8Array[] {
  return list.map((bytes) => bytes.slice());
}
