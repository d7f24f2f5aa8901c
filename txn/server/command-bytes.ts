import { unreachable } from "../../core/assert.ts";
import type { Mutation } from "../../core/kv/kv.ts";
import type { Command, KeyRange, Response, TxnMutation } from "../percolator/command.ts";
import { successor } from "../percolator/view.ts";

/** Numbers and lengths of one command or of one of its parts, at most about. */
const fixedBytes = 48;

/** What `command` takes in an entry, about and not less. */
export function commandBytes(command: Command): number {
  switch (command.kind) {
    case "prewrite":
      return fixedBytes + command.primary.length + mutationsBytes(command.mutations) + keyedBytes(command.checks);
    case "one-phase":
      return fixedBytes + mutationsBytes(command.mutations) + keyedBytes(command.checks) + rangesBytes(command.reads);
    case "commit":
    case "rollback":
      return fixedBytes + keysBytes(command.keys) + (command.kind === "rollback" ? command.primary.length : 0);
    case "check-txn-status":
    case "txn-heart-beat":
      return fixedBytes + command.primary.length;
    case "resolve-lock":
      return fixedBytes + 16 * command.verdicts.length + rangesBytes([command.range]);
    case "atomic":
      return fixedBytes + operationBytes(command.mutation);
    case "get":
      return fixedBytes + command.key.length + 8 * command.bypass.length;
    case "scan":
      return fixedBytes + rangesBytes([command.range]) + 8 * command.bypass.length;
    case "refresh":
      return fixedBytes + rangesBytes(command.ranges) + 8 * command.bypass.length;
    case "scan-locks":
    case "collect-garbage":
      return fixedBytes + rangesBytes([command.range]);
    case "set-gc-floor":
      return fixedBytes;
    default:
      return unreachable(command);
  }
}

function operationBytes(mutation: Mutation): number {
  switch (mutation.kind) {
    case "put":
      return fixedBytes + mutation.key.length + mutation.value.length;
    case "put-many":
      return keysBytes(mutation.keys) + keysBytes(mutation.values);
    case "delete":
      return keysBytes(mutation.keys);
    case "append":
      return mutation.key.length + mutation.suffix.length;
    case "take":
    case "increment":
    case "expire":
      return fixedBytes + mutation.key.length;
    default:
      return unreachable(mutation);
  }
}

function keysBytes(keys: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const key of keys) bytes += 5 + key.length;
  return bytes;
}

function keyedBytes(items: readonly { readonly key: Uint8Array }[]): number {
  let bytes = 0;
  for (const { key } of items) bytes += fixedBytes + key.length;
  return bytes;
}

function mutationsBytes(mutations: readonly TxnMutation[]): number {
  let bytes = keyedBytes(mutations);
  for (const mutation of mutations) if (mutation.kind === "put") bytes += mutation.value.length;
  return bytes;
}

function rangesBytes(ranges: readonly KeyRange[]): number {
  let bytes = 0;
  for (const { start, end } of ranges) bytes += 12 + start.length + (end === null ? 0 : end.length);
  return bytes;
}

/** A page of at most about `bytesMax`, and of one entry at least: what is cut off comes with the next page. */
export function trimmed(response: Response, bytesMax: number): Response {
  if (response.kind === "page") {
    const { entries } = response;
    const count = fitting(entries, ({ key, value }) => key.length + value.length, bytesMax);
    const last = entries[count - 1];
    if (last === undefined || count === entries.length) return response;
    return { kind: "page", entries: entries.slice(0, count), next: successor(last.key), lock: null };
  }
  if (response.kind === "locks") {
    const { locks } = response;
    const count = fitting(locks, ({ key, primary }) => key.length + primary.length, bytesMax);
    const last = locks[count - 1];
    if (last === undefined || count === locks.length) return response;
    return { kind: "locks", locks: locks.slice(0, count), next: successor(last.key) };
  }
  return response;
}

function fitting<T>(items: readonly T[], bytesOf: (item: T) => number, bytesMax: number): number {
  let bytes = 0;
  for (const [i, item] of items.entries()) {
    bytes += fixedBytes + bytesOf(item);
    if (bytes > bytesMax && i > 0) return i;
  }
  return items.length;
}
