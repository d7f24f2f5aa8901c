import { assert } from "../../core/assert.ts";

/** Limits of a client of the cluster. Milliseconds, bytes or counts by name. */
export interface TxnClientOptions {
  /** For a whole operation, retries included, when its caller says nothing else. */
  readonly operationMs: number;
  /** For one request to one store. */
  readonly attemptMs: number;
  /** What follows a decision, such as commits of secondary keys, may take so much longer. */
  readonly backgroundMs: number;
  /** For which a transaction's locks live without a word from it. */
  readonly lockMs: number;
  /** Entries of one page of a scan. */
  readonly pageEntriesMax: number;
  /** The longest value that can be written. */
  readonly valueBytesMax: number;
}

export const txnClientOptionsDefault: TxnClientOptions = {
  operationMs: 10_000,
  attemptMs: 2_000,
  backgroundMs: 10_000,
  lockMs: 3_000,
  pageEntriesMax: 256,
  valueBytesMax: 512 * 1024,
};

/** Defaults where nothing is given. Asserts what the parts rely on. */
export function txnClientOptions(given: Partial<TxnClientOptions>): TxnClientOptions {
  const options = { ...txnClientOptionsDefault, ...given };
  for (const value of Object.values(options)) assert(Number.isSafeInteger(value), "an option is an integer");
  assert(options.attemptMs >= 1, "an attempt takes time");
  assert(options.pageEntriesMax >= 1, "a page has room for an entry");
  return options;
}
