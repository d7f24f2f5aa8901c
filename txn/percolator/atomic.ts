import { compareKeys } from "../../core/bytes/record.ts";
import { type Decision, evaluate, keysRead } from "../../core/kv/evaluate.ts";
import type { Mutation } from "../../core/kv/kv.ts";
import { versionMs } from "../../core/lsm/drop-rules.ts";
import { assert, unreachable } from "../../core/assert.ts";
import type { Atomic } from "./command.ts";
import { type Execution, answer, isAlive, lockInfo, newestCommit, refuse } from "./execution.ts";
import type { TxnRecord } from "./txn-record.ts";
import type { View, Write } from "./view.ts";

/**
 * A read, a decision and its writes at one instant, `commitTs`, evaluated where the data is and in the order of the
 * log: a thousand increments of one key cost what their log entries cost.
 */
export function atomic(view: View, command: Atomic): Execution {
  const { opId, mutation } = command;
  const anchor = anchorOf(mutation);
  const record = view.record(anchor, opId);
  if (record !== null && record.kind === "rollback") return refuse({ kind: "rolled-back", key: anchor });
  // Below it the past may be gone although the record is still there.
  if (opId < view.gcSafePoint) return refuse({ kind: "forgotten", safePoint: view.gcSafePoint });
  // Asked again: the same decision over the same past has the same outcome.
  if (record !== null) return decided(record.commitTs, decide(view, command, record.commitTs));
  if (opId < view.gcFloor) return refuse({ kind: "too-old", floor: view.gcFloor });
  const keys = keysOf(mutation);
  let newestTs = 0;
  for (const key of keys) {
    const lock = view.lock(key);
    if (lock !== null) return refuse({ kind: "locked", lock: lockInfo(key, lock) });
    newestTs = Math.max(newestTs, newestCommit(view, key));
  }
  const { commitTs } = command;
  if (newestTs >= commitTs) return refuse({ kind: "retry", newestTs });
  const decision = decide(view, command, commitTs);
  const { response } = decided(commitTs, decision);
  return { response, writes: writesOf(decision, command, anchor) };
}

function decided(commitTs: number, { outcome }: Decision): Execution {
  return answer({ kind: "decided", commitTs, outcome });
}

/** What the mutation does at `commitTs`, by what was committed below it. */
function decide(view: View, { mutation, valueBytesMax }: Atomic, commitTs: number): Decision {
  const present = keysRead(mutation).map((key) => {
    const data = view.data(key, commitTs - 1);
    return isAlive(data, commitTs) ? { value: data.value, expiresAtMs: data.expiresAtMs } : null;
  });
  return evaluate(mutation, present, { nowMs: versionMs(commitTs), valueBytesMax });
}

/** A decision that writes nothing leaves its record all the same: a late duplicate must not decide anew. */
function writesOf(decision: Decision, { opId, commitTs }: Atomic, anchor: Uint8Array): Write[] {
  const writes: Write[] = [];
  let kind: Exclude<TxnRecord["kind"], "rollback"> = "lock";
  for (const { key, value, expiresAtMs } of lastOfEachKey(decision)) {
    writes.push({ kind: "data", key, version: commitTs, value, expiresAtMs });
    if (compareKeys(key, anchor) === 0) kind = value === null ? "delete" : "put";
  }
  writes.push({ kind: "record", key: anchor, startTs: opId, record: { kind, commitTs } });
  return writes;
}

/** Of two writes of one key the later counts, and a version of a key is written once. */
function lastOfEachKey({ writes }: Decision): Decision["writes"] {
  const sorted = writes.map((write, order) => ({ write, order }));
  sorted.sort((a, b) => compareKeys(a.write.key, b.write.key) || a.order - b.order);
  return sorted.flatMap(({ write }, i) => {
    const next = sorted[i + 1];
    return next !== undefined && compareKeys(next.write.key, write.key) === 0 ? [] : [write];
  });
}

/** Every key the mutation reads or writes. */
export function keysOf(mutation: Mutation): readonly Uint8Array[] {
  switch (mutation.kind) {
    case "put-many":
    case "delete":
      return mutation.keys;
    case "put":
    case "take":
    case "increment":
    case "append":
    case "expire":
      return [mutation.key];
    default:
      return unreachable(mutation);
  }
}

/** The key at which the record of the operation lies: the first in order. */
function anchorOf(mutation: Mutation): Uint8Array {
  const [first] = [...keysOf(mutation)].sort(compareKeys);
  assert(first !== undefined, "an atomic operation has a key");
  return first;
}
