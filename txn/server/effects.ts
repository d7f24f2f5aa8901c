// HOT: every effect of every command is hashed here, on every replica.
import { unreachable } from "../../core/assert.ts";
import type { HistoryHash } from "../../raft/store/history-hash.ts";
import { encodeLock } from "../percolator/lock.ts";
import { encodeTxnRecord } from "../percolator/txn-record.ts";
import type { Write } from "../percolator/view.ts";

/** Kinds of writes as numbers: part of what replicas compare, so they never change. */
const kindCodes: Readonly<Record<Write["kind"], number>> = {
  data: 1,
  lock: 2,
  prewritten: 3,
  record: 4,
  "gc-floor": 5,
  "gc-safe-point": 6,
};

/** What one command wrote, in a form that is the same on all replicas: no version that a store gave by itself. */
export function hashWrites(hash: HistoryHash, writes: readonly Write[]): void {
  hash.number(writes.length);
  for (let i = 0; i < writes.length; i++) hashWrite(hash, writes[i] as Write);
}

function hashWrite(hash: HistoryHash, write: Write): void {
  hash.number(kindCodes[write.kind]);
  switch (write.kind) {
    case "data":
      hash.bytes(write.key);
      hash.number(write.version);
      hash.number(write.expiresAtMs);
      return hashOptional(hash, write.value);
    case "lock":
      hash.bytes(write.key);
      return hashOptional(hash, write.lock === null ? null : encodeLock(write.lock));
    case "prewritten":
      hash.bytes(write.key);
      return hashOptional(hash, write.value);
    case "record":
      hash.bytes(write.key);
      hash.number(write.startTs);
      return hashOptional(hash, write.record === null ? null : encodeTxnRecord(write.record));
    case "gc-floor":
    case "gc-safe-point":
      return hash.number(write.ts);
    default:
      return unreachable(write);
  }
}

function hashOptional(hash: HistoryHash, bytes: Uint8Array | null): void {
  hash.number(bytes === null ? 0 : 1);
  if (bytes !== null) hash.bytes(bytes);
}
