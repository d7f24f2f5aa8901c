import fc from "fast-check";
import type { Expiry, KvEntry, Mutation, Outcome } from "../../core/kv/kv.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import type {
  Check,
  Command,
  KeyRange,
  LockInfo,
  ReadEntry,
  Refusal,
  Response,
  TxnMutation,
  TxnStatus,
} from "../percolator/command.ts";
import type { Answer } from "./response-codec.ts";

// Everything that can be said, drawn: what survives its bytes must be all of it.
const constant = <T extends string>(value: T): fc.Arbitrary<T> => fc.constant(value);
const few = { maxLength: 3 };
const ts = fc.maxSafeNat();
const u32 = fc.nat(0xffff_ffff);
const key = fc.uint8Array({ maxLength: 6 });
const value = fc.uint8Array({ maxLength: 40 });
const keys = fc.array(key, few);
const limit = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const range: fc.Arbitrary<KeyRange> = fc.record({ start: key, end: fc.option(key) });
const bypass = fc.array(ts, few);

const expiry: fc.Arbitrary<Expiry> = fc.oneof(
  fc.record({ kind: fc.constantFrom("never" as const, "keep") }),
  fc.record({ kind: constant("at"), atMs: limit }),
  fc.record({ kind: constant("after"), ms: fc.maxSafeInteger() }),
);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    kind: constant("put"),
    key,
    value,
    expiry,
    condition: fc.constantFrom("always" as const, "absent", "present"),
    returning: fc.boolean(),
  }),
  fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }).chain((pairs) =>
    fc.record({
      kind: constant("put-many"),
      keys: fc.constant(pairs.map(([k]) => k)),
      values: fc.constant(pairs.map(([, v]) => v)),
      condition: fc.constantFrom("always" as const, "all-absent"),
    }),
  ),
  fc.record({ kind: constant("delete"), keys: fc.array(key, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: constant("take"), key }),
  fc.record({ kind: constant("increment"), key, delta: fc.bigInt(-(2n ** 64n) + 1n, 2n ** 64n - 1n) }),
  fc.record({ kind: constant("append"), key, suffix: value }),
  fc.record({
    kind: constant("expire"),
    key,
    expiry,
    condition: fc.constantFrom("always" as const, "none", "some", "later", "sooner", "some-sooner"),
  }),
);

const txnMutation: fc.Arbitrary<TxnMutation> = fc.oneof(
  fc.record({ kind: constant("put"), key, value, expiresAtMs: ts }),
  fc.record({ kind: fc.constantFrom("delete" as const, "lock"), key }),
);
const check: fc.Arbitrary<Check> = fc.oneof(
  fc.record({ kind: constant("absent"), key }),
  fc.record({ kind: constant("version"), key, version: ts, alive: fc.boolean() }),
);
const mutations = fc.array(txnMutation, few);
const checks = fc.array(check, few);
const verdicts = fc.array(fc.record({ startTs: ts, commitTs: ts }), few);
const ranges = fc.array(range, few);

export const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: constant("get"), key, readTs: ts, nowTs: ts, bypass }),
  fc.record({ kind: constant("scan"), range, readTs: ts, bypass, limit }),
  fc.record({
    kind: constant("prewrite"),
    startTs: ts,
    primary: key,
    mutations,
    ttlMs: u32,
    txnSize: u32,
    minCommitTs: ts,
    checks,
  }),
  fc.record({ kind: constant("commit"), startTs: ts, commitTs: ts, keys }),
  fc.record({ kind: constant("rollback"), startTs: ts, primary: key, keys }),
  fc.record({
    kind: constant("check-txn-status"),
    primary: key,
    lockTs: ts,
    callerTs: ts,
    currentTs: ts,
    rollbackIfMissing: fc.boolean(),
  }),
  fc.record({ kind: constant("resolve-lock"), verdicts, range, limit }),
  fc.record({ kind: constant("txn-heart-beat"), primary: key, startTs: ts, ttlMs: u32 }),
  fc.record({ kind: constant("one-phase"), startTs: ts, commitTs: ts, mutations, checks, reads: ranges }),
  fc.record({ kind: constant("atomic"), opId: ts, commitTs: ts, mutation, valueBytesMax: ts }),
  fc.record({ kind: constant("refresh"), ranges, startTs: ts, commitTs: ts, bypass }),
  fc.record({ kind: constant("scan-locks"), range, belowTs: ts, limit }),
  fc.record({ kind: constant("set-gc-floor"), floor: ts }),
  fc.record({ kind: constant("collect-garbage"), safePoint: ts, range, limit }),
);

const lock: fc.Arbitrary<LockInfo> = fc.record({
  key,
  kind: fc.constantFrom("put" as const, "delete", "lock"),
  startTs: ts,
  primary: key,
  ttlMs: u32,
  minCommitTs: ts,
  txnSize: u32,
});
const refusal: fc.Arbitrary<Refusal> = fc.oneof(
  fc.record({ kind: constant("locked"), lock }),
  fc.record({ kind: constant("write-conflict"), key, conflictTs: ts }),
  fc.record({ kind: constant("check-failed"), key, lock: fc.option(lock) }),
  fc.record({ kind: fc.constantFrom("rolled-back" as const, "txn-not-found", "changed"), key }),
  fc.record({ kind: constant("committed"), key, commitTs: ts }),
  fc.record({ kind: constant("commit-ts-expired"), key, minCommitTs: ts }),
  fc.record({ kind: constant("too-old"), floor: ts }),
  fc.record({ kind: constant("forgotten"), safePoint: ts }),
  fc.record({ kind: constant("retry"), newestTs: ts }),
);
const status: fc.Arbitrary<TxnStatus> = fc.oneof(
  fc.record({ kind: constant("committed"), commitTs: ts }),
  fc.record({ kind: constant("pushed"), minCommitTs: ts }),
  fc.record({ kind: fc.constantFrom("rolled-back" as const, "expired", "not-found") }),
  fc.record({ kind: fc.constantFrom("locked" as const, "primary-mismatch"), lock }),
);
const kvEntry: fc.Arbitrary<KvEntry> = fc.record({ value, expiresAtMs: ts });
const outcome: fc.Arbitrary<Outcome> = fc.record({
  applied: fc.boolean(),
  rejected: fc.option(fc.constantFrom("not-an-integer" as const, "overflow", "too-long")),
  previous: fc.option(kvEntry),
  count: ts,
  integer: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
});
const entry: fc.Arbitrary<ReadEntry> = fc.record({ key, value, expiresAtMs: ts, version: ts });
const next = fc.option(key);

export const response: fc.Arbitrary<Response> = fc.oneof(
  fc.record({ kind: constant("value"), entry: fc.option(entry) }),
  fc.record({ kind: constant("page"), entries: fc.array(entry, few), next, lock: fc.option(lock) }),
  fc.record({ kind: constant("prewritten"), minCommitTs: ts }),
  fc.record({ kind: constant("committed"), commitTs: ts }),
  fc.record({ kind: fc.constantFrom("rolled-back" as const, "unchanged") }),
  fc.record({ kind: constant("status"), status }),
  fc.record({ kind: fc.constantFrom("resolved" as const, "collected"), count: ts, next }),
  fc.record({ kind: constant("alive"), ttlMs: u32 }),
  fc.record({ kind: constant("decided"), commitTs: ts, outcome }),
  fc.record({ kind: constant("locks"), locks: fc.array(lock, few), next }),
  fc.record({ kind: constant("floor"), floor: ts }),
  fc.record({ kind: constant("refused"), refusals: fc.array(refusal, few) }),
);

const rpcError: fc.Arbitrary<RpcError> = fc.oneof(
  fc.record({ kind: constant("not-leader"), regionId: ts, leaderStore: ts, leaderPeer: ts }),
  fc.record({ kind: constant("undetermined"), reason: fc.string({ maxLength: 10 }) }),
);

export const answer: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({ kind: constant("response"), response }),
  fc.record({ kind: constant("error"), error: rpcError }),
);
