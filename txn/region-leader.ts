import { unreachable } from "../core/assert.ts";
import { LockTable } from "./lock-table.ts";
import { keysOf } from "./percolator/atomic.ts";
import type { Atomic, Command, KeyRange, OnePhase, Response } from "./percolator/command.ts";
import { execute } from "./percolator/execute.ts";
import { pointRange } from "./percolator/read.ts";
import type { View, Write } from "./percolator/view.ts";

/** `token` is what the request came with. */
export type LeaderOutput =
  /** Fetch one timestamp, now or later than now, never one that was fetched before. */
  | { readonly kind: "timestamp"; readonly token: number }
  /** Append it to the region's log; when it is applied, answer by `applied`. */
  | { readonly kind: "propose"; readonly token: number; readonly command: Command }
  | { readonly kind: "respond"; readonly token: number; readonly response: Response }
  /** Not executed, and it will not be: another leader is to be asked. */
  | { readonly kind: "not-leader"; readonly token: number };

interface Parked {
  readonly token: number;
  readonly command: Command;
  /** Claims that were there when it came. Of an operation that could not claim: null. */
  readonly waitsFor: Set<number> | null;
}

type Stamped = Atomic | OnePhase;

/**
 * What the leader of a region does with transaction commands: which wait, which go to the log, which take a timestamp
 * first. Pure: requests, timestamps and applications go in, `outputs` are to be taken out. A read is handed in when it
 * may be answered from the applied state (ReadIndex done, epoch checked).
 */
export class RegionLeader {
  readonly outputs: LeaderOutput[] = [];
  readonly table = new LockTable();
  readonly #view: View;
  /** Operations whose timestamp or application is awaited. */
  readonly #stamped = new Map<number, { readonly term: number; readonly command: Stamped }>();
  #parked: Parked[] = [];
  /** 0: not the leader. */
  #term = 0;

  constructor(view: View) {
    this.#view = view;
  }

  lead(term: number): void {
    this.stepDown();
    this.#term = term;
  }

  stepDown(): void {
    this.#term = 0;
    this.table.clearClaims();
    for (const { token } of this.#parked.splice(0)) this.outputs.push({ kind: "not-leader", token });
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
      this.abandon(token);
      return;
    }
    if (!this.table.stamp(token, ts)) this.outputs.push({ kind: "timestamp", token });
    else this.outputs.push({ kind: "propose", token, command: { ...stamped.command, commitTs: ts } });
  }

  /** The proposal was dropped, or its timestamp did not come: it did not happen and will not. */
  abandon(token: number): void {
    this.#stamped.delete(token);
    this.#release(token);
    this.outputs.push({ kind: "not-leader", token });
  }

  /** Writes of any command that was applied, in the order of the log. */
  appliedWrites(writes: readonly Write[]): void {
    this.table.apply(writes);
  }

  /** What a proposal of this leader became. */
  applied(token: number, response: Response): void {
    const stamped = this.#stamped.get(token);
    if (stamped !== undefined && isRetry(response) && stamped.term === this.#term) {
      this.table.unstamp(token);
      this.outputs.push({ kind: "timestamp", token });
      return;
    }
    this.#stamped.delete(token);
    this.#release(token);
    this.outputs.push({ kind: "respond", token, response });
  }

  #read(token: number, command: Command, ranges: readonly KeyRange[]): void {
    const waitsFor = new Set(ranges.flatMap((range) => this.table.claimsOn(range)));
    if (waitsFor.size > 0) this.#parked.push({ token, command, waitsFor });
    else this.#answer(token, command);
  }

  #answer(token: number, command: Command): void {
    const { response } = execute(this.table.over(this.#view), command);
    this.outputs.push({ kind: "respond", token, response });
  }

  #admit(token: number, command: Stamped): void {
    const claim = { keys: keysOfStamped(command), reads: readRanges(command) };
    if (this.table.claim(token, claim)) {
      this.#stamped.set(token, { term: this.#term, command });
      this.outputs.push({ kind: "timestamp", token });
    } else {
      this.#parked.push({ token, command, waitsFor: null });
    }
  }

  #release(token: number): void {
    this.table.release(token);
    for (const parked of this.#parked.splice(0)) {
      const { command, waitsFor } = parked;
      waitsFor?.delete(token);
      if (command.kind === "atomic" || command.kind === "one-phase") this.#admit(parked.token, command);
      else if (waitsFor === null || waitsFor.size === 0) this.#answer(parked.token, command);
      else this.#parked.push(parked);
    }
  }
}

function keysOfStamped(command: Stamped): readonly Uint8Array[] {
  if (command.kind === "atomic") return keysOf(command.mutation);
  return [...command.mutations, ...command.checks].map(({ key }) => key);
}

function readRanges(command: Stamped): readonly KeyRange[] {
  return command.kind === "atomic" ? [] : command.reads;
}

function isRetry(response: Response): boolean {
  return response.kind === "refused" && response.refusals.some(({ kind }) => kind === "retry");
}
