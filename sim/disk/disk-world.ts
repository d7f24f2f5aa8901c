import type { DiskFaultKind } from "./disk-faults.ts";

/** What a `SimDisk` needs from the world around it. One per machine: it outlives incarnations. */
export interface DiskWorld {
  /**
   * An integer in [0, 2^32): a hash of the seed, this machine, `stream`, `entity` and `ordinal`. The disk
   * derives `entity` from a path and `ordinal` from a counter of that path, never from a global order.
   */
  draw(stream: string, entity: number, ordinal: number): number;
  /** An injected fault changed something that could be observed. */
  count(kind: DiskFaultKind): void;
  /**
   * Runs `run` as an event of its own, `delayUs` of virtual time from now. Never inside this call. It must
   * run even when the incarnation that caused it is dead: the machine's disk goes on working. The disk
   * itself withholds the completion from a dead incarnation, and everything after a power loss.
   */
  schedule(delayUs: number, run: () => void): void;
  /** The operation under way kept the node busy for `us` of virtual time. */
  charge(us: number): void;
}

/**
 * One incarnation's side of the boundary: trace, crash points, and the wall a dead incarnation runs into.
 * The order of one operation is `call`, `payload` (of a write), the effect, `payload` (of a read), `result`.
 *
 * `call` and `result` may throw to end the incarnation: from `call` nothing has happened, from `result`
 * everything has. They may crash the machine (`processCrash`, `powerLoss`) before they throw; inside `call`
 * of a write, a prefix of whole pages may then have reached the cache. After death they must throw.
 */
export interface DiskFence {
  alive(): boolean;
  /** `a`, `b`: position and length of read and write, size of truncate, 0 otherwise. */
  call(operation: DiskOperation, path: string, a: number, b: number): void;
  /** Bytes handed over by a write or given back by a read; valid during the call only. */
  payload(bytes: Uint8Array, start: number, end: number): void;
  /**
   * `outcome`: "ok" or the error's code; for `list` the names joined by "\n", for `kind` what it is ("none"
   * for null). `value`: bytes taken or filled, the size, the number of names, 0 otherwise. "sync-done" comes
   * right before the completion is handed over, without a `call`.
   */
  result(operation: DiskOperation, outcome: string, value: number): void;
}

export type DiskOperation =
  | "mkdir"
  | "open"
  | "rename"
  | "link"
  | "remove"
  | "list"
  | "kind"
  | "sync-dir"
  | "lock"
  | "lock-shared"
  | "unlock"
  | "size"
  | "read"
  | "write"
  | "truncate"
  | "sync"
  | "close"
  | "sync-done";
