import type { Mutation } from "../../core/kv/kv.ts";
import { compareKeys } from "../../core/bytes/record.ts";
import type { Atomic, CheckTxnStatus, Command, KeyRange, Prewrite, Response, TxnMutation } from "./command.ts";
import { execute } from "./execute.ts";
import { MemoryStore } from "./memory-store.ts";
import { contains, pointRange } from "./read.ts";
import { type Reads, readsOf } from "./reads.ts";
import { timestampsPerMs } from "./timestamp.ts";
import type { View } from "./view.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function text(value: Uint8Array): string {
  return decoder.decode(value);
}

/** The timestamp `ms` milliseconds after the epoch of timestamps. */
export function at(ms: number): number {
  return ms * timestampsPerMs;
}

export const ttlMs = 3_000;

export function put(key: string, value: string, expiresAtMs = 0): TxnMutation {
  return { kind: "put", key: bytes(key), value: bytes(value), expiresAtMs };
}

export function del(key: string): TxnMutation {
  return { kind: "delete", key: bytes(key) };
}

export function lockOnly(key: string): TxnMutation {
  return { kind: "lock", key: bytes(key) };
}

/** Shows `view`, and throws where a command looks at something that it does not declare. */
function guarded(view: View, reads: Reads): View {
  const ranges = [...reads.keys.map(pointRange), ...reads.ranges];
  const at = (key: Uint8Array): Uint8Array => {
    if (!ranges.some((range) => contains(range, key))) throw new RangeError(`reads ${text(key)} undeclared`);
    return key;
  };
  const within = (inner: KeyRange): KeyRange => {
    const isDeclared = ranges.some(({ start, end }) => {
      if (compareKeys(start, inner.start) > 0) return false;
      return end === null || (inner.end !== null && compareKeys(inner.end, end) <= 0);
    });
    if (!isDeclared) throw new RangeError(`reads from ${text(inner.start)} undeclared`);
    return inner;
  };
  return {
    gcFloor: view.gcFloor,
    gcSafePoint: view.gcSafePoint,
    data: (key, versionMax) => view.data(at(key), versionMax),
    dataIn: (range, versionMax, limit) => view.dataIn(within(range), versionMax, limit),
    lock: (key) => view.lock(at(key)),
    locksIn: (range, limit) => view.locksIn(within(range), limit),
    prewritten: (key) => view.prewritten(at(key)),
    record: (key, startTs) => view.record(at(key), startTs),
    recordBefore: (key, startTs) => view.recordBefore(at(key), startTs),
    recordsIn: (range, limit) => view.recordsIn(within(range), limit),
  };
}

/** A region of one store on which commands are applied as they come. */
export class Stage {
  readonly store = new MemoryStore();

  run(command: Command): Response {
    const { response, writes } = execute(guarded(this.store, readsOf(command)), command);
    this.store.apply(writes);
    return response;
  }

  /** What an embedded write leaves. */
  embedded(key: string, version: number, value: string | null): void {
    const written = value === null ? null : bytes(value);
    this.store.apply([{ kind: "data", key: bytes(key), version, value: written, expiresAtMs: 0 }]);
  }

  prewrite(startTs: number, mutations: readonly TxnMutation[], more: Partial<Prewrite> = {}): Response {
    const primary = mutations[0]?.key ?? bytes("");
    const fixed = { ttlMs, txnSize: mutations.length, minCommitTs: 0, checks: [] };
    return this.run({ kind: "prewrite", startTs, primary, mutations, ...fixed, ...more });
  }

  commit(startTs: number, commitTs: number, ...keys: readonly string[]): Response {
    return this.run({ kind: "commit", startTs, commitTs, keys: keys.map(bytes) });
  }

  rollback(startTs: number, primary: string, ...keys: readonly string[]): Response {
    return this.run({ kind: "rollback", startTs, primary: bytes(primary), keys: keys.map(bytes) });
  }

  status(primary: string, lockTs: number, more: Partial<CheckTxnStatus> = {}): Response {
    const fixed = { callerTs: 0, currentTs: lockTs, rollbackIfMissing: false };
    return this.run({ kind: "check-txn-status", primary: bytes(primary), lockTs, ...fixed, ...more });
  }

  get(key: string, readTs: number, ...bypass: readonly number[]): Response {
    return this.run({ kind: "get", key: bytes(key), readTs, nowTs: readTs, bypass });
  }

  /** The value at `readTs`, null for none; the kind of a refusal. */
  read(key: string, readTs: number, ...bypass: readonly number[]): string | null {
    const response = this.get(key, readTs, ...bypass);
    if (response.kind === "value") return response.entry === null ? null : text(response.entry.value);
    return reason(response);
  }

  scan(readTs: number, more: { limit?: number; bypass?: readonly number[] } = {}): Response {
    const { limit = 100, bypass = [] } = more;
    const range = { start: bytes(""), end: null };
    return this.run({ kind: "scan", range, readTs, bypass, limit });
  }

  atomic(opId: number, commitTs: number, mutation: Mutation): Response {
    const command: Atomic = { kind: "atomic", opId, commitTs, mutation, valueBytesMax: 1_000 };
    return this.run(command);
  }

  /** Puts `key` at `commitTs` by a transaction of two phases. */
  committed(key: string, value: string, startTs: number, commitTs: number): void {
    this.prewrite(startTs, [put(key, value)]);
    this.commit(startTs, commitTs, key);
  }
}

/** Kind of the first refusal, or of the response. */
export function reason(response: Response): string {
  return response.kind === "refused" ? (response.refusals[0]?.kind ?? "refused") : response.kind;
}
