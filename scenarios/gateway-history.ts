import { assert } from "../core/assert.ts";
import { CounterLedger } from "../sim/checkers/counter.ts";
import type { KeyOperation } from "../sim/checkers/key-model.ts";
import { isMutation, keyModel } from "../sim/checkers/key-model.ts";
import type { LedgerWrite } from "../sim/checkers/ledger.ts";
import { Ledger } from "../sim/checkers/ledger.ts";
import type { TimedOperation } from "../sim/checkers/linearizability.ts";
import { checkLinearizability } from "../sim/checkers/linearizability.ts";
import type { World } from "../sim/world.ts";
import type { GatewayKeys, GatewayRequest, RequestPart } from "./gateway-requests.ts";

/** One connection of one client, as far as order is concerned. */
export class Lane {
  /** Index of the last certain operation on each key. */
  readonly last = new Map<string, number>();
  /** The server's incarnation at the latest when this connection was accepted. */
  readonly incarnation: number;

  constructor(incarnation: number) {
    this.incarnation = incarnation;
  }
}

/** A request under way. */
export interface Sent {
  readonly request: GatewayRequest;
  readonly lane: Lane;
  readonly calledUs: number;
  readonly writes: readonly (LedgerWrite | null)[];
}

interface OpenOperation {
  readonly key: string;
  readonly operation: KeyOperation;
  readonly calledUs: number;
  readonly incarnation: number;
  readonly write: LedgerWrite | null;
}

/**
 * Everything that clients asked and were told, by key. A request whose outcome nobody knows may have taken
 * effect until the process that may have received it died, and not later: what a crash did not keep must not
 * come back.
 */
export class GatewayHistory {
  readonly #world: World;
  readonly #plain: ReadonlySet<string>;
  readonly #counters = new Map<string, CounterLedger>();
  readonly #ledger = new Ledger();
  readonly #operations = new Map<string, TimedOperation<KeyOperation>[]>();
  #open: OpenOperation[] = [];
  /** When incarnations ended. */
  readonly #ends = new Map<number, number>();
  #unknownCount = 0;
  readonly #graceUs: number;

  /** `graceMs`: for so long after the end of a process, what it had begun may still take effect. */
  constructor(world: World, keys: GatewayKeys, graceMs = 0) {
    this.#world = world;
    this.#graceUs = graceMs * 1_000;
    this.#plain = new Set(keys.plain);
    for (const key of keys.counters) this.#counters.set(key, new CounterLedger(key));
  }

  begin(request: GatewayRequest, lane: Lane): Sent {
    const calledUs = this.#world.nowUs;
    const writes = request.parts.map(({ key, unknown }) => {
      if (unknown === null || !this.#plain.has(key)) return null;
      if (unknown.kind === "put" || unknown.kind === "swap") {
        return this.#ledger.begin(key, unknown.value, calledUs);
      }
      assert(unknown.kind === "delete", "a plain key is put, read or deleted");
      return this.#ledger.begin(key, null, calledUs);
    });
    return { request, lane, calledUs, writes };
  }

  /** A reply came: what it says about every key is certain. */
  replied(sent: Sent, outcomes: readonly KeyOperation[]): void {
    const nowUs = this.#world.nowUs;
    for (const [index, operation] of outcomes.entries()) {
      const { key } = this.#partOf(sent, index);
      const history = this.#of(key);
      const follows = sent.lane.last.get(key);
      sent.lane.last.set(key, history.length);
      const timed = { operation, calledUs: sent.calledUs, returnedUs: nowUs, certain: true };
      history.push(follows === undefined ? timed : { ...timed, follows });
      this.#tellLedgers(sent, index, operation);
    }
  }

  /** The server refused, or the request never left: it did not happen. */
  refused(sent: Sent): void {
    for (const write of sent.writes) write?.refuse(this.#world.nowUs);
  }

  /** Nobody will ever know. */
  lost(sent: Sent): void {
    this.#unknownCount++;
    for (const [index, { key, unknown }] of sent.request.parts.entries()) {
      if (unknown === null) continue;
      assert(isMutation(unknown), "a read of unknown outcome proves nothing");
      this.#counters.get(key)?.giveUp();
      const { calledUs, lane } = sent;
      const write = sent.writes[index] ?? null;
      this.#bound({ key, operation: unknown, calledUs, incarnation: lane.incarnation, write });
    }
  }

  /** The server's process number `incarnation` is gone: what it did not do by now, it never will. */
  ended(incarnation: number): void {
    this.#ends.set(incarnation, this.#world.nowUs);
    const open = this.#open;
    this.#open = [];
    for (const operation of open) this.#bound(operation);
  }

  /** Judges all that happened. */
  judge(): void {
    for (const open of this.#open) this.#close(open, Infinity);
    this.#open = [];
    for (const key of [...this.#operations.keys()].sort()) {
      const verdict = checkLinearizability(keyModel, this.#of(key));
      if (verdict.kind === "violation") this.#world.fail("linearizability", `${key}: ${verdict.message}`);
      if (verdict.kind === "exhausted") this.#world.fail("checker-budget", `${key}: ${verdict.message}`);
    }
  }

  judgeCounter(key: string, final: string | null): void {
    const problem = this.#counters.get(key)?.judge(Number(final ?? "0")) ?? null;
    if (problem !== null) this.#world.fail("counters", problem);
  }

  /** Requests of which nobody will know what became of them: each is a question to every order of the others. */
  get unknownCount(): number {
    return this.#unknownCount;
  }

  summary(): string {
    let count = 0;
    for (const history of this.#operations.values()) count += history.length;
    return `${count} operations, ${this.#unknownCount} requests of unknown outcome`;
  }

  #bound(open: OpenOperation): void {
    const endUs = this.#ends.get(open.incarnation);
    if (endUs === undefined) this.#open.push(open);
    else this.#close(open, endUs);
  }

  #close({ key, operation, calledUs, write }: OpenOperation, endUs: number): void {
    // Sent to a process that was dead already: it can not have been received.
    if (endUs < calledUs) {
      write?.refuse(endUs);
      return;
    }
    const latestUs = endUs + this.#graceUs;
    write?.giveUp(latestUs);
    this.#of(key).push({ operation, calledUs, returnedUs: latestUs, certain: false });
  }

  #tellLedgers(sent: Sent, index: number, operation: KeyOperation): void {
    const nowUs = this.#world.nowUs;
    const { key } = this.#partOf(sent, index);
    sent.writes[index]?.acknowledge(nowUs);
    if (operation.kind === "increment" && typeof operation.result === "number") {
      this.#counters.get(key)?.acknowledge(operation.result, sent.calledUs, nowUs);
    }
    if (operation.kind !== "read" || !this.#plain.has(key)) return;
    const problem = this.#ledger.observe(key, operation.value, sent.calledUs, nowUs);
    if (problem !== null) this.#world.fail("ledger", problem);
  }

  #partOf(sent: Sent, index: number): RequestPart {
    const part = sent.request.parts[index];
    assert(part !== undefined, "an outcome for each part");
    return part;
  }

  #of(key: string): TimedOperation<KeyOperation>[] {
    let history = this.#operations.get(key);
    if (history === undefined) {
      history = [];
      this.#operations.set(key, history);
    }
    return history;
  }
}
