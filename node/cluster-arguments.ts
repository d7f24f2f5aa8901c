import { type Data, checkOptions, nameOf, toBytes } from "../core/engine/arguments.ts";
import { NokvError } from "../core/errors.ts";
import { invalidInput, keysProblem, valueProblem } from "../txn/remote/kv-input.ts";

/*
 * What programs hand to the client of a cluster, made exact. What no store would take is refused at once with
 * NOKV_INVALID_ARGUMENT: asked for, it would be asked for again and again until the time is up.
 */

/** A counter is a signed integer of 64 bits. */
const counterBits = 64;

/** A copy. */
export function keyBytes(key: Data): Uint8Array {
  const bytes = copyOf(key, "key");
  refuse(keysProblem([bytes]));
  return bytes;
}

/** A copy. */
export function valueBytes(value: Data, valueBytesMax: number): Uint8Array {
  const bytes = copyOf(value, "value");
  refuse(valueProblem(bytes, valueBytesMax));
  return bytes;
}

export function checkDelta(delta: bigint): void {
  if (typeof (delta as unknown) !== "bigint") {
    throw invalidInput(`delta must be a bigint, such as 1n, not ${nameOf(delta)}`);
  }
  if (BigInt.asIntN(counterBits, delta) === delta) return;
  throw invalidInput(`delta ${delta} is no integer of ${counterBits} bits`);
}

export function checkBody(body: unknown): void {
  if (typeof body !== "function") throw invalidInput(`what transact runs must be a function, not ${nameOf(body)}`);
}

export function checkCount(value: number, name: string): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw invalidInput(`${name} is ${String(value)}; it must be an integer of at least 1`);
}

export interface CallLimits {
  readonly timeoutMs?: number | undefined;
  readonly ttlMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Refuses options that `names` does not list, and what makes no sense. NOKV_ABORTED: the signal has fired. */
export function checkCall(options: CallLimits, call: string, names: readonly string[]): void {
  checkOptions(options, call, names);
  const { timeoutMs, ttlMs, signal } = options;
  if (timeoutMs !== undefined) checkCount(timeoutMs, "timeoutMs");
  if (ttlMs !== undefined) checkCount(ttlMs, "ttlMs");
  if (signal === undefined) return;
  if (typeof (signal as unknown) !== "object" || typeof signal.aborted !== "boolean") {
    throw invalidInput(`signal must be an AbortSignal, not ${nameOf(signal)}`);
  }
  if (signal.aborted) throw new NokvError("NOKV_ABORTED", `cancelled before ${call} began`, { cause: signal.reason });
}

/** A copy: what a caller passes in is the caller's again at once. */
export function copyOf(data: Data, what: string): Uint8Array {
  const bytes = toBytes(data, what);
  return bytes === data ? bytes.slice() : bytes;
}

function refuse(problem: string | null): void {
  if (problem !== null) throw invalidInput(problem);
}
