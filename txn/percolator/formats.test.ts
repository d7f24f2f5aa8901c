// Goal: bytes of locks and transaction records survive, keep their order, and say what is wrong with them.
// Method: fast-check for round trips and order; each field broken by hand.
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareKeys } from "../../core/bytes/record.ts";
import { type Lock, decodeLock, encodeLock, lockHeaderBytes } from "./lock.ts";
import {
  type TxnRecord,
  checkTxnKey,
  decodeTxnRecord,
  decodeTxnRecordKey,
  encodeTxnRecord,
  fenceTs,
  txnRecordBound,
  txnRecordKey,
} from "./txn-record.ts";
import { successor } from "./view.ts";

const ts = fc.maxSafeNat();
const key = fc.uint8Array({ maxLength: 12, max: 3 });
const value = fc.uint8Array({ maxLength: 512 });

test("a lock survives its bytes", () => {
  const common = { startTs: ts, primary: key, ttlMs: fc.nat(), minCommitTs: ts, txnSize: fc.nat(), expiresAtMs: ts };
  const locks = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), value: fc.option(value), ...common }),
    fc.record({ kind: fc.constantFrom("delete" as const, "lock" as const), value: fc.constant(null), ...common }),
  );
  fc.assert(fc.property(locks, (lock) => { expect(decodeLock(encodeLock(lock))).toEqual(lock); }));
});

test("a transaction record and its key survive their bytes", () => {
  const records: fc.Arbitrary<TxnRecord> = fc.oneof(
    fc.record({ kind: fc.constantFrom("put" as const, "delete" as const, "lock" as const), commitTs: ts }),
    fc.record({ kind: fc.constant("rollback" as const), isProtected: fc.boolean() }),
  );
  fc.assert(fc.property(records, (record) => { expect(decodeTxnRecord(encodeTxnRecord(record))).toEqual(record); }));
  fc.assert(
    fc.property(key, ts, (k, startTs) => {
      expect(decodeTxnRecordKey(txnRecordKey(k, startTs))).toEqual({ key: k, startTs });
    }),
  );
});

test("records are in the order of their keys, newer transactions first, the fence before all", () => {
  fc.assert(
    fc.property(key, ts, key, ts, (a, aTs, b, bTs) => {
      const expected = Math.sign(compareKeys(a, b)) || Math.sign(bTs - aTs);
      expect(Math.sign(compareKeys(txnRecordKey(a, aTs), txnRecordKey(b, bTs)))).toBe(expected);
      expect(compareKeys(txnRecordBound(a), txnRecordKey(a, fenceTs))).toBeLessThan(0);
      if (compareKeys(a, b) < 0) expect(compareKeys(txnRecordKey(a, 0), txnRecordBound(b))).toBeLessThan(0);
    }),
    { numRuns: 2_000 },
  );
});

const lock: Lock = {
  kind: "put",
  startTs: 5,
  primary: Uint8Array.of(1, 2),
  ttlMs: 3,
  minCommitTs: 6,
  txnSize: 1,
  expiresAtMs: 0,
  value: Uint8Array.of(9),
};

function broken(bytes: Uint8Array, at: number, byte: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = byte;
  return copy;
}

test("wrong bytes of a lock are named", () => {
  const bytes = encodeLock(lock);
  expect(() => decodeLock(bytes.subarray(0, lockHeaderBytes - 1))).toThrow(/lock: reserved: needs 2 bytes/);
  expect(() => decodeLock(bytes.subarray(0, lockHeaderBytes + 1))).toThrow(/lock: primary: needs 2 bytes at 40 of 41/);
  expect(() => decodeLock(broken(bytes, 0, 2))).toThrow(/lock: format: 2; this program knows 1/);
  expect(() => decodeLock(broken(bytes, 1, 3))).toThrow(/lock: kind: 3 is above 2/);
  expect(() => decodeLock(broken(bytes, 1, 1))).toThrow(/a value under a lock of kind delete/);
  expect(() => decodeLock(broken(bytes, 2, 0))).toThrow(/lock: end: 1 bytes follow it/);
  expect(() => decodeLock(broken(bytes, 15, 0xff))).toThrow(/lock: startTs: .* is above/);
  expect(() => decodeLock(new Uint8Array([...bytes, ...new Uint8Array(512)]))).toThrow(/lock: value: 513 bytes/);
  expect(() => encodeLock({ ...lock, value: new Uint8Array(513) })).toThrow(/at most 512/);
});

test("wrong bytes of a transaction record are named", () => {
  const bytes = encodeTxnRecord({ kind: "rollback", isProtected: true });
  expect(() => decodeTxnRecord(bytes.subarray(1))).toThrow(/transaction record/);
  expect(() => decodeTxnRecord(broken(bytes, 0, 9))).toThrow(/format: 9/);
  expect(() => decodeTxnRecord(broken(bytes, 1, 4))).toThrow(/kind: 4 is above 3/);
  expect(() => decodeTxnRecord(broken(bytes, 1, 0))).toThrow(/flags: 1 is above 0/);
  expect(() => decodeTxnRecord(broken(bytes, 4, 1))).toThrow(/commitTs: a rollback has none/);
  expect(() => decodeTxnRecord(new Uint8Array([...bytes, 0]))).toThrow(/end: 1 bytes follow/);
  expect(() => decodeTxnRecordKey(Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0))).toThrow(/a bare zero byte at 0/);
  expect(() => decodeTxnRecordKey(Uint8Array.of(1, 2, 3))).toThrow(/has no end/);
});

test("a key that is too long with its zero bytes escaped is refused, with both lengths", () => {
  checkTxnKey(new Uint8Array(65_523).fill(1));
  expect(() => checkTxnKey(new Uint8Array(65_524).fill(1))).toThrow(/65524 bytes takes 65536/);
  expect(() => checkTxnKey(new Uint8Array(32_762))).toThrow(/32762 bytes takes 65536/);
  // The key right after the longest one still bounds a range.
  expect(txnRecordBound(successor(new Uint8Array(65_523).fill(1)))).toHaveLength(65_527);
  expect(() => txnRecordBound(new Uint8Array(65_526).fill(1))).toThrow(/at most 65535/);
});
