import type { NokvError } from "../errors.ts";

/**
 * What the gateway asks of a store, and all it knows of one. The embedded engine implements it, and so will
 * the cluster's client.
 *
 * Every operation is linearizable: it takes effect at one instant between its call and its completion, and a
 * read never shows a write that a crash could still take back. A completion is called exactly once, possibly
 * before the operation returns; after a crash of this incarnation, never. `NOKV_UNDETERMINED` is the only
 * failure after which a mutation may have happened, now or later.
 *
 * Where `ordered`, the operations of one process take effect in the order of the calls, although they may complete
 * in another, `count` excepted: it takes effect at any time until it completes. Elsewhere only what was completed
 * before a call has surely taken effect before it. Bytes and arrays that are passed in are valid only during the call.
 */
export interface Kv {
  readonly ordered: boolean;
  /** The live entries of `keys` at one instant, null where there is none. */
  read(keys: readonly Uint8Array[], done: ReadDone): void;
  /** Reads what `mutation` names, decides and writes, all at one instant and all or nothing. */
  mutate(mutation: Mutation, done: MutateDone): void;
  /** The live keys in order. A page is consistent in itself; different pages see different instants. */
  scan(request: ScanRequest, done: ScanDone): void;
  /** How many live keys there are, at one instant. */
  count(done: (error: NokvError | null, count: number) => void): void;
  /** Removes every key at one instant. */
  clear(done: (error: NokvError | null) => void): void;
  /** What `keys` are at one instant, for `transact` to tell whether they still are. */
  watch(keys: readonly Uint8Array[], done: WatchDone): void;
  /** Runs a list of operations at one instant, all or nothing, where no watched key has changed. */
  transact(transaction: Transaction, done: TransactDone): void;
}

export interface KvEntry {
  /** Owned by the receiver. */
  readonly value: Uint8Array;
  /** Wall-clock milliseconds at which the entry ceases to exist; 0: never. */
  readonly expiresAtMs: number;
}

export type ReadDone = (error: NokvError | null, entries: readonly (KvEntry | null)[]) => void;
export type MutateDone = (error: NokvError | null, outcome: Outcome | null) => void;
export type ScanDone = (error: NokvError | null, page: ScanPage | null) => void;

export interface ScanRequest {
  /** Start after this key; null: from the first. */
  readonly after: Uint8Array | null;
  /** At most so many entries, at least 1. */
  readonly limit: number;
}

export interface ScanPage {
  readonly keys: readonly Uint8Array[];
  /** The last key of the page was the last of all. */
  readonly exhausted: boolean;
}

/** A lifetime to be given to an entry. `after` counts from the instant at which the mutation takes effect. */
export type Expiry =
  | { readonly kind: "never" }
  | { readonly kind: "keep" }
  | { readonly kind: "at"; readonly atMs: number }
  | { readonly kind: "after"; readonly ms: number };

/**
 * A decision as data, so that a replica can evaluate it where the data is. `evaluate` in `evaluate.ts` is its
 * meaning; every implementation of `Kv` uses that one function.
 */
export type Mutation =
  | {
      readonly kind: "put";
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      readonly expiry: Expiry;
      readonly condition: "always" | "absent" | "present";
      /** False: nobody asks for `Outcome.previous`, so an unconditional put need not read. */
      readonly returning: boolean;
    }
  | {
      readonly kind: "put-many";
      readonly keys: readonly Uint8Array[];
      readonly values: readonly Uint8Array[];
      readonly condition: "always" | "all-absent";
    }
  | { readonly kind: "delete"; readonly keys: readonly Uint8Array[] }
  | { readonly kind: "take"; readonly key: Uint8Array }
  | { readonly kind: "increment"; readonly key: Uint8Array; readonly delta: bigint }
  | { readonly kind: "append"; readonly key: Uint8Array; readonly suffix: Uint8Array }
  | {
      readonly kind: "expire";
      readonly key: Uint8Array;
      readonly expiry: Expiry;
      /** What the entry's present lifetime must be; an entry that never expires lives longest. */
      readonly condition: ExpiryCondition;
    };

/** `none`, `some`: has no or has a deadline. `later`, `sooner`: the new deadline is later or sooner. */
export type ExpiryCondition = "always" | "none" | "some" | "later" | "sooner" | "some-sooner";

/** What a mutation did. Fields that a kind does not speak of are zero, null or false. */
export interface Outcome {
  /** False: a condition did not hold, or the entry did not exist; nothing was written. */
  readonly applied: boolean;
  /** Set when the present value made the mutation impossible; nothing was written. */
  readonly rejected: "not-an-integer" | "overflow" | "too-long" | null;
  /** The entry before, of mutations on one key. */
  readonly previous: KvEntry | null;
  /** Keys deleted, or the length after an append. */
  readonly count: number;
  /** The counter after an increment. */
  readonly integer: bigint;
}

/** One step of a transaction. It sees what the steps before it did. */
export type Operation =
  | { readonly kind: "read"; readonly keys: readonly Uint8Array[] }
  | { readonly kind: "mutate"; readonly mutation: Mutation };

/** What one step found or did, in the same order. A mutation that was refused or rejected undoes no other. */
export type OperationResult =
  | { readonly kind: "read"; readonly entries: readonly (KvEntry | null)[] }
  | { readonly kind: "mutate"; readonly outcome: Outcome };

/**
 * What a key was when it was watched. It has changed when it was written or removed since, also to what it was before,
 * and when its lifetime ended. A store may take for a change what it no longer knows to be none.
 */
export interface WatchedKey {
  /** Owned by the receiver. */
  readonly key: Uint8Array;
  /** Of the newest record, a removal included; 0: nobody remembers one. */
  readonly version: number;
  /** There was an entry. */
  readonly alive: boolean;
  /** When it was: by this, a store knows which removals it may have forgotten. */
  readonly sinceVersion: number;
}

export interface Transaction {
  readonly operations: readonly Operation[];
  readonly watched: readonly WatchedKey[];
}

export type WatchDone = (error: NokvError | null, watched: readonly WatchedKey[]) => void;
/** `results` null without an error: a watched key has changed, and nothing happened. */
export type TransactDone = (error: NokvError | null, results: readonly OperationResult[] | null) => void;
