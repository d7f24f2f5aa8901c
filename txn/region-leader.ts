// HOT: every command of a region passes here.
import { unreachable } from "../core/assert.ts";
import { LockTable } from "./lock-table.ts";
import { keysOf } from "./percolator/atomic.ts";
import type { Atomic, Command, KeyRange, OnePhase, Response } from "./percolator/command.ts";
import { execute } from "./percolator/execute.ts";
import { pointRange } from "./percolator/read.ts";
import type { View, Write } from "./percolator/view.ts";

/** `token` is what the request came with. */
export type LeaderOutput =
  /**
   * Fetch one timestamp, now or later than now, never one that was fetched before. Those of several outputs may be
   * fetched together, and are given out in the order of the outputs.
   */
  | { readonly kind: "timestamp"; readonly token: number }
  /** Append it to the region's log, in the order of the outputs; when it is applied, answer by `applied`. */
  | { readonly kind: "propose"; readonly token: number; readonly command: Command }
  | { readonly kind: "respond"; readonly token: number; readonly response: Response }
  /** Not executed, and it will not be: another leader is to be asked. */
  | { readonly kind: "not-leader"; readonly token: number };

interface Parked {
  readonly command: Command;
  /** What a read looks at; of an operation that could not claim: null. */
  readonly ranges: readonly KeyRange[] | null;
  /** A read waits for claims up to this one. */
  readonly upTo: number;
}

type Stamped = Atomic | OnePhase;

/**
 * What the leader of a region does with transaction commands: which wait, which go to the log, which take a timestamp
 * first. Pure: requests, timestamps and applications go in, `outputs` are to be taken out. A read is handed in when it
 * may be answered from the applied state (ReadIndex done, epoch checked). After any number of inputs, `settle` looks
 * once at what waits.
 */
export class RegionLeader {
  readonly outputs: LeaderOutput[] = [];
  readonly table = new LockTable();
  readonly #view: View;
  /** Operations whose timestamp or application is awaited. */
  readonly #stamped = new Map<number, { readonly term: number; readonly command: Stamped }>();
  /** In the order of their coming. */
  readonly #parked = new Map<number, Parked>();
  #released = false;
  /** 0: not the leader. */
  #term = 0;

  /** `view`: the applied state; it may change in place. */
  constructor(view: View) {
    this.#view = this.table.over(view);
  }

  lead(term: number): void {
    this.stepDown();
    this.#term = term;
  }

  stepDown(): void {
    this.#term = 0;
    this.table.clearClaims();
    for (const token of this.#parked.keys()) this.outputs.push({ kind: "not-leader", token });
    this.#parked.clear();
  }

  request(token: number, command: Command): void {
    if (this.#term === 0) {
      this.outputs.push({ kind: "not-leader", token });
      return;
    }
    switch (command.kind) {
      case "get":
        return this.#read(token, command, [pointRange(command.key)]);
      case "scan":
        return this.#read(token, command, [command.range]);
      case "refresh":
        return this.#read(token, command, command.ranges);
      case "atomic":
      case "one-phase":
        return this.#admit(token, command);
      case "scan-locks":
        return this.#answer(token, command);
      case "prewrite":
      case "commit":
      case "rollback":
      case "check-txn-status":
      case "resolve-lock":
      case "txn-heart-beat":
      case "set-gc-floor":
      case "collect-garbage":
        this.outputs.push({ kind: "propose", token, command });
        return;
      default:
        return unreachable(command);
    }
  }

  /** The timestamp that was asked for. */
  timestamp(token: number, ts: number): void {
    const stamped = this.#stamped.get(token);
    if (stamped === undefined) return;
    // Leadership that was lost and won again in between has answered reads without knowing the claim.
    if (stamped.term !== this.#term) {
      this.drop(token);
      this.outputs.push({ kind: "not-leader", token });
      return;
    }
    if (!this.table.stamp(token, ts)) this.outputs.push({ kind: "timestamp", token });
    else this.outputs.push({ kind: "propose", token, command: { ...stamped.command, commitTs: ts } });
  }

  /** It was not proposed, or its proposal is gone: it did not happen and will not, and whoever asked is told so. */
  drop(token: number): void {
    this.#stamped.delete(token);
    this.#parked.delete(token);
    this.#release(token);
  }

  /** Writes of any command that was applied, in the order of the log. */
  appliedWrites(writes: readonly Write[]): void {
    this.table.apply(writes);
  }

  /** What a proposal of this leader became. */
  applied(token: number, response: Response): void {
    const stamped = this.#stamped.get(token);
    if (stamped !== undefined && isRetry(response) && stamped.term === this.#term) {
      this.outputs.push({ kind: "timestamp", token });
      return;
    }
    this.#stamped.delete(token);
    this.#release(token);
    this.outputs.push({ kind: "respond", token, response });
  }

  /** What waits for claims that are no more goes on, in the order of its coming. */
  settle(): void {
    if (!this.#released) return;
    this.#released = false;
    for (const [token, { command, ranges, upTo }] of this.#parked) {
      if (ranges === null) {
        if (this.#claim(token, command as Stamped)) this.#parked.delete(token);
      } else if (!this.#isClaimed(ranges, upTo)) {
        this.#parked.delete(token);
        this.#answer(token, command);
      }
    }
  }

  #read(token: number, command: Command, ranges: readonly KeyRange[]): void {
    const upTo = this.table.lastOrder;
    if (this.#isClaimed(ranges, upTo)) this.#parked.set(token, { command, ranges, upTo });
    else this.#answer(token, command);
  }

  #isClaimed(ranges: readonly KeyRange[], upTo: number): boolean {
    return ranges.some((range) => this.table.isClaimed(range, upTo));
  }

  #answer(token: number, command: Command): void {
    const { response } = execute(this.#view, command);
    this.outputs.push({ kind: "respond", token, response });
  }

  #admit(token: number, command: Stamped): void {
    if (!this.#claim(token, command)) this.#parked.set(token, { command, ranges: null, upTo: 0 });
  }

  #claim(token: number, command: Stamped): boolean {
    const reads = command.kind === "atomic" ? [] : command.reads;
    if (!this.table.claim(token, { keys: keysOfStamped(command), reads })) return false;
    this.#stamped.set(token, { term: this.#term, command });
    this.outputs.push({ kind: "timestamp", token });
    return true;
  }

  #release(token: number): void {
    this.table.release(token);
    this.#released = true;
  }
}

function keysOfStamped(command: Stamped): readonly Uint8Array[] {
  if (command.kind === "atomic") return keysOf(command.mutation);
  return [...command.mutations, ...command.checks].map(({ key }) => key);
}

function isRetry(response: Response): boolean {
  return response.kind === "refused" && response.refusals.some(({ kind }) => kind === "retry");
}
