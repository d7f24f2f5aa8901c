// HOT: every proposal and every read passes here.
import type { LogIndex, Term } from "../entry.ts";
import type { DropReason, Ready } from "../ready.ts";
import type { RegionMeta } from "../region.ts";
import type { AppliedRun } from "./applier.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import type { ProposalEnd } from "./region-machine.ts";

/** How a change of peers, or a command to the region itself, ended. "unknown": it may still happen. */
export type ChangeOutcome =
  | { readonly kind: "done"; readonly region: RegionMeta; readonly children: readonly RegionMeta[] }
  | { readonly kind: "refused" | "unknown"; readonly reason: string };

export type ReadDone = (ok: boolean) => void;
export type ChangeDone = (outcome: ChangeOutcome) => void;

/** Under a token of the machine's. */
type Pending =
  | { readonly kind: "proposal"; readonly proposal: number }
  | { readonly kind: "read"; readonly done: ReadDone }
  | { readonly kind: "change"; readonly done: ChangeDone };

interface PlacedChange {
  readonly index: LogIndex;
  readonly term: Term;
  readonly done: ChangeDone;
}

/** Who waits for what of one peer, from the call to its one answer. */
export class Requests {
  readonly #drop: (proposal: number, why: ProposalEnd) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #proposals = new Proposals();
  readonly #reads = new Reads();
  #changes: PlacedChange[] = [];
  #answers: (() => void)[] = [];
  #lastToken = 0;

  /** `drop`: a proposal is not what was applied. */
  constructor(drop: (proposal: number, why: ProposalEnd) => void) {
    this.#drop = drop;
  }

  get proposalCount(): number {
    return this.#proposals.count + this.#pending.size;
  }

  get readCount(): number {
    return this.#reads.count + this.#pending.size;
  }

  /** Something stands in the log, and its outcome is awaited. */
  get placed(): boolean {
    return this.#proposals.count > 0 || this.#changes.length > 0;
  }

  get changing(): boolean {
    return this.#changes.length > 0;
  }

  /** The token under which the machine is told. */
  add(pending: Pending): number {
    const token = ++this.#lastToken;
    this.#pending.set(token, pending);
    return token;
  }

  /** With the next turn: answers never come inside the call. */
  answerLater(answer: () => void): void {
    this.#answers.push(answer);
  }

  answer(): void {
    if (this.#answers.length === 0) return;
    const answers = this.#answers;
    this.#answers = [];
    for (let i = 0; i < answers.length; i++) (answers[i] as () => void)();
  }

  /** What the machine says of its tokens, at `applied`. */
  settle(ready: Ready, applied: LogIndex): void {
    for (const { token, index, term } of ready.proposed) {
      const pending = this.#take(token);
      if (pending?.kind === "proposal") this.#proposals.placed(index, term, pending.proposal, this.#drop);
      else if (pending?.kind === "change") this.#changes.push({ index, term, done: pending.done });
    }
    for (const { token, why } of ready.dropped) {
      const pending = this.#take(token);
      if (pending?.kind === "proposal") this.#drop(pending.proposal, endOf(why));
      else if (pending?.kind === "read") pending.done(false);
      else pending?.done({ kind: "refused", reason: refusalOf(why) });
    }
    for (const { token, index } of ready.reads) {
      const pending = this.#take(token);
      if (pending?.kind !== "read") continue;
      if (applied >= index) pending.done(true);
      else this.#reads.wait(index, pending.done);
    }
  }

  /** The entry at that place is applied: the proposal that it is; 0: none of this peer's. */
  proposalAt(index: LogIndex, term: Term): number {
    return this.#proposals.take(index, term, this.#drop);
  }

  applied(index: LogIndex): void {
    this.#reads.applied(index);
  }

  /** `run` is applied; the region was as `before` says. */
  changed({ index, term, conf, admin }: AppliedRun, before: RegionMeta): void {
    if (this.#changes.length === 0 || (conf === null && admin === null)) return;
    const settled = this.#changes.filter((change) => change.index <= index || change.term < term);
    this.#changes = this.#changes.filter((change) => !settled.includes(change));
    const unchanged = conf === before ? "the region's peers had changed when it was applied" : null;
    const refused = admin?.effect.refused ?? unchanged;
    const region = conf ?? admin?.effect.region ?? before;
    for (const change of settled) {
      if (change.index !== index || change.term !== term) {
        change.done({ kind: "refused", reason: "another leader's entry took its place" });
      } else if (refused !== null) change.done({ kind: "refused", reason: refused });
      else change.done({ kind: "done", region, children: admin?.effect.children ?? [] });
    }
  }

  /** What stands in the log may still be applied, here or elsewhere: nobody waits for it any more. */
  giveUp(reason: string): void {
    this.#proposals.giveUp(this.#drop);
    const changes = this.#changes;
    this.#changes = [];
    for (const { done } of changes) done({ kind: "unknown", reason });
  }

  /** A snapshot took the place of what reads waited for. */
  refuseReads(): void {
    this.#reads.refuse();
  }

  close(): void {
    this.giveUp("this peer was closed");
    for (const pending of this.#pending.values()) {
      if (pending.kind === "proposal") this.#drop(pending.proposal, "unknown");
      else if (pending.kind === "read") pending.done(false);
      else pending.done({ kind: "unknown", reason: "this peer was closed" });
    }
    this.#pending.clear();
    this.#reads.refuse();
    this.answer();
  }

  /** Null: of nobody who waits. */
  #take(token: number): Pending | null {
    const pending = this.#pending.get(token) ?? null;
    this.#pending.delete(token);
    return pending;
  }
}

function endOf(why: DropReason): ProposalEnd {
  return why === "uncommittedFull" ? "busy" : "not-leader";
}

function refusalOf(why: DropReason): string {
  switch (why) {
    case "confPending":
      return "another change of peers is under way";
    case "confIllegal":
      return "it does not apply to the peers as they are";
    case "uncommittedFull":
      return "too much is proposed and not committed";
    case "transferring":
      return "leadership is being handed over";
    case "notLeader":
    case "removed":
      return "this peer does not lead";
  }
}
