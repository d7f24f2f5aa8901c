import { ByteReader } from "../core/bytes/byte-reader.ts";
import { ByteWriter } from "../core/bytes/byte-writer.ts";
import { type RpcError, describeRpcError, isUndetermined } from "../net/rpc/rpc-error.ts";
import type { World } from "../sim/world.ts";

/** What a request asks of its handler. */
export const asks = ["echo", "slow", "fail", "hold"] as const;
export type Ask = (typeof asks)[number];

/** One call as its caller sees it, and what became of it elsewhere. */
export interface CallRecord {
  readonly token: number;
  readonly from: string;
  readonly to: string;
  readonly ask: Ask;
  readonly timeoutMs: number;
  readonly sizeBytes: number;
  /** Nobody may execute it: the caller does not belong here. */
  readonly forbidden: boolean;
  cancelled: boolean;
  outcome: string | null;
  /** Its handler heard that nobody waits any more. */
  heardCancel: boolean;
  /** It was told that the request was not executed. */
  definite: boolean;
  executions: number;
}

type Progress = "cancelled" | "outcome" | "heardCancel" | "definite" | "executions";

/** The error that "fail" asks for. */
export const askedError: RpcError = { kind: "txn-too-old", startVersion: 7, safePoint: 9 };
/** What a handler says to a request that nobody waits for. */
export const tooLate: RpcError = { kind: "stale-command", reason: "nobody waits" };

/** Errors that the network and the limits explain. */
const explained: readonly string[] = ["unreachable", "connection-lost", "deadline-exceeded", "server-busy"];

/** Judges every call: its one outcome, its one execution at most, and that both agree. */
export class RpcLedger {
  readonly #world: World;
  readonly #records = new Map<number, CallRecord>();
  readonly #outcomes = new Map<string, number>();
  #tokens = 0;
  /** Of processes that live, calls without an outcome. */
  open = 0;

  constructor(world: World) {
    this.#world = world;
  }

  begin(call: Omit<CallRecord, "token" | Progress>): CallRecord {
    const token = ++this.#tokens;
    const fresh = { cancelled: false, outcome: null, heardCancel: false, definite: false, executions: 0 };
    const record = { ...call, ...fresh, token };
    this.#records.set(token, record);
    this.open++;
    return record;
  }

  /** The caller's process is gone, and with it everybody who could hear of the outcome. */
  orphaned(record: CallRecord): void {
    if (record.outcome !== null) return;
    record.outcome = "orphaned";
    this.open--;
  }

  executed(token: number, at: string): void {
    const record = this.#records.get(token);
    if (record === undefined) this.#world.fail("corruption", `${at} executes call ${token}, which nobody made`);
    record.executions++;
    if (record.forbidden) this.#world.fail("hello", `${at} executes ${name(record)} of a stranger`);
    if (record.executions > 1) this.#world.fail("at-most-once", `${name(record)} is executed again, by ${at}`);
    if (record.to !== at) this.#world.fail("routing", `${name(record)} is executed by ${at}`);
    if (record.definite) {
      this.#world.fail("definite", `${name(record)} is executed after it had ended: ${record.outcome}`);
    }
  }

  ended(record: CallRecord, error: RpcError | null, payload: Uint8Array): void {
    const world = this.#world;
    const outcome = error === null ? "response" : describeRpcError(error);
    if (record.outcome !== null) {
      world.fail("exactly-once", `${name(record)} ends again: ${record.outcome}, then ${outcome}`);
    }
    record.outcome = outcome;
    this.open--;
    const kind = error === null ? "response" : error.kind;
    this.#outcomes.set(kind, (this.#outcomes.get(kind) ?? 0) + 1);
    // What was decided when it was cancelled stands; nothing of the other side's may come after.
    const answered = error === null || error.kind === askedError.kind;
    if (record.cancelled ? answered : kind === "cancelled") {
      world.fail("cancel", `${name(record)} ends with ${outcome}, cancelled: ${record.cancelled}`);
    }
    if (error === null) this.#judgeResponse(record, payload);
    else this.#judgeError(record, error);
  }

  /** Its handler knows that nobody waits. */
  heardCancel(token: number): void {
    const record = this.#records.get(token);
    if (record !== undefined) record.heardCancel = true;
  }

  /** What calls came to, by kind. */
  summary(): string {
    const parts = [...this.#outcomes].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return parts.map(([kind, count]) => `${kind} ${count}`).join(", ");
  }

  /** Calls that have no outcome, for a report. */
  openNames(): string {
    const open = [...this.#records.values()].filter(({ outcome }) => outcome === null);
    return open.slice(0, 5).map(name).join("; ");
  }

  #judgeResponse(record: CallRecord, payload: Uint8Array): void {
    const world = this.#world;
    if (record.ask === "hold" || record.ask === "fail") {
      world.fail("replies", `${name(record)} is answered, and should not have been`);
    }
    if (record.executions !== 1) world.fail("replies", `${name(record)} is answered and was not executed`);
    const reader = new ByteReader(payload);
    const token = reader.varint("token");
    if (token !== record.token) world.fail("replies", `${name(record)} gets the answer to call ${token}`);
    const rest = reader.rest();
    if (!isPattern(rest, token ^ 0x5a, record.sizeBytes)) {
      world.fail("corruption", `the answer to ${name(record)} has other bytes than were sent`);
    }
  }

  #judgeError(record: CallRecord, error: RpcError): void {
    const world = this.#world;
    const isAsked = record.ask === "fail" && error.kind === askedError.kind;
    if (error.kind === tooLate.kind) {
      world.fail("replies", `${name(record)} hears what was said after it was given up`);
    }
    if (!isAsked && !explained.includes(error.kind) && error.kind !== "cancelled") {
      world.fail("errors", `${name(record)} ends with ${describeRpcError(error)}`);
    }
    // Without faults no connection breaks, whoever is slow.
    if (world.options.faultFree && error.kind === "connection-lost") {
      world.fail("calm", `${name(record)} ends with ${describeRpcError(error)}, and nothing is wrong`);
    }
    record.definite = !isUndetermined(error) && !isAsked;
    if (record.definite && record.executions > 0) {
      world.fail("definite", `${name(record)} was executed and ends with ${describeRpcError(error)}`);
    }
    if (isAsked && record.executions !== 1) world.fail("replies", `${name(record)} failed where it never was`);
  }
}

function name(record: CallRecord): string {
  const { token, from, to, ask, timeoutMs } = record;
  return `call ${token} (${ask}, ${from} to ${to}, ${timeoutMs} ms)`;
}

/** The request of a call: token, timeout, what to do, for how long, and bytes of a pattern. */
export function encodeRequest(record: CallRecord, delayMs: number): Uint8Array {
  const writer = new ByteWriter(record.sizeBytes + 64);
  writer.varint(record.token);
  writer.varint(record.timeoutMs);
  writer.u8(asks.indexOf(record.ask));
  writer.varint(delayMs);
  writer.raw(pattern(record.token, record.sizeBytes));
  return writer.toBytes();
}

export interface DecodedRequest {
  readonly token: number;
  readonly timeoutMs: number;
  readonly ask: Ask;
  readonly delayMs: number;
  readonly sizeBytes: number;
}

/** Null: these are not the bytes of any call. */
export function decodeRequest(payload: Uint8Array): DecodedRequest | null {
  const reader = new ByteReader(payload);
  const token = reader.varint("token");
  const timeoutMs = reader.varint("timeout");
  const ask = asks[reader.u8("ask")];
  const delayMs = reader.varint("delay");
  const sizeBytes = reader.left;
  if (ask === undefined || !isPattern(reader.rest(), token, sizeBytes)) return null;
  return { token, timeoutMs, ask, delayMs, sizeBytes };
}

export function encodeResponse(token: number, sizeBytes: number): Uint8Array {
  const writer = new ByteWriter(sizeBytes + 16);
  writer.varint(token);
  writer.raw(pattern(token ^ 0x5a, sizeBytes));
  return writer.toBytes();
}

/** Bytes that say which they are. */
export function pattern(seed: number, length: number, from = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = patternByte(seed, from + i);
  return bytes;
}

export function isPattern(bytes: Uint8Array, seed: number, length: number, from = 0): boolean {
  if (bytes.length !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[i] !== patternByte(seed, from + i)) return false;
  return true;
}

function patternByte(seed: number, at: number): number {
  return (Math.imul(seed + 1, 0x9e3779b1) + at * 131 + (at >>> 8) * 17) & 0xff;
}
