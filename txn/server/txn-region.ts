// HOT: every request to a region passes here.
import { assert } from "../../core/assert.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { RangeReply } from "../../coordinator/allocators.ts";
import type { CoordinatorError } from "../../coordinator/coordinator-error.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import type { RegionMeta } from "../../raft/region.ts";
import type { HistoryHash } from "../../raft/store/history-hash.ts";
import type { CommittedEntry, ProposalEnd, RegionHost, RegionMachine } from "../../raft/store/region-machine.ts";
import type { Command, KeyRange, Response } from "../percolator/command.ts";
import { type LeaderOutput, RegionLeader } from "../region-leader.ts";
import { commandBytes, trimmed } from "./command-bytes.ts";
import { writeCommands } from "./command-codec.ts";
import { EngineView } from "./engine-view.ts";
import { hintOf, notLeader, staleEpoch } from "./region-errors.ts";
import { type TxnRegionOptions, entryBytesLimit } from "./region-options.ts";
import { putGcState, readGcState } from "./region-state.ts";
import { type AppliedRun, RunApplier } from "./run-applier.ts";
import type { WriteCount } from "./write-count.ts";
import { type Ticket, type TxnRequest, openTickets } from "./txn-request.ts";

/** `CoordinatorClient` is one: each timestamp is later than all that were given to anybody before the call. */
export interface TimestampSource {
  timestamps(count: number, timeoutMs: number, done: RangeReply): void;
}

export interface TxnRegionParts {
  readonly timestamps: TimestampSource;
  readonly options: TxnRegionOptions;
  /** Of all replicas of this process. Not given: nobody asks. */
  readonly writes?: WriteCount;
}

type Proposed = Extract<LeaderOutput, { readonly kind: "propose" }>;

/**
 * A region's replica as transactions use it: commands in, entries of the log out, answers when they are applied. What
 * came in one turn shares a ReadIndex, a request for timestamps and an entry.
 *
 * Everything that is decided here rests on the turn in which it is used: a read is answered in the turn in which
 * leader, term and range were looked at, and what is proposed is for the range of that very turn.
 */
export class TxnRegion implements RegionMachine {
  readonly #host: RegionHost;
  readonly #timestamps: TimestampSource;
  readonly #options: TxnRegionOptions;
  readonly #writes: WriteCount | null;
  readonly #view: EngineView;
  readonly #leader: RegionLeader;
  readonly #applier: RunApplier;
  readonly #writer = new ByteWriter();
  readonly #tickets = new Map<number, Ticket>();
  /** Tokens of the commands of each entry that is under way, in their order. */
  readonly #proposals = new Map<number, readonly number[]>();
  /** Reads that came since the last ReadIndex was asked for. */
  #reads: Ticket[] = [];
  /** Evaluated, and not in the engine yet. */
  #run: AppliedRun | null = null;
  #lastToken = 0;
  #lastProposal = 0;
  #scheduled = false;
  #closed = false;

  constructor(host: RegionHost, { timestamps, options, writes }: TxnRegionParts) {
    this.#host = host;
    this.#timestamps = timestamps;
    this.#options = options;
    this.#writes = writes ?? null;
    this.#view = new EngineView(host.store, readGcState(host.store, host.region.id));
    this.#leader = new RegionLeader(this.#view);
    this.#applier = new RunApplier(host.store, this.#leader.table.over(this.#view), host.region.id);
    this.#loadLocks();
  }

  /** Commands that wait for something. */
  get waiting(): number {
    return this.#tickets.size;
  }

  get gcFloor(): number {
    return this.#view.gcFloor;
  }

  get gcSafePoint(): number {
    return this.#view.gcSafePoint;
  }

  /** Where the locks in memory differ from those in the engine; null: nowhere. */
  mirrorDefect(): string | null {
    const [here, there] = [this.#leader.table.locks(), this.#view.locksIn(this.#range(), Infinity)].map((locks) =>
      JSON.stringify(locks),
    );
    return here === there ? null : `region ${this.#host.region.id} has ${here} in memory and ${there} in its store`;
  }

  /** Its range and version were checked in this turn. Answers may come inside the call. */
  execute(request: TxnRequest): void {
    const refusal = this.#refusal(request);
    if (refusal !== null) return request.done(request.commands.map(() => ({ kind: "error", error: refusal })));
    for (const ticket of openTickets(request, () => ++this.#lastToken)) {
      this.#tickets.set(ticket.token, ticket);
      if (isRead(ticket.command)) this.#reads.push(ticket);
      else this.#leader.request(ticket.token, ticket.command);
    }
    this.#schedule();
  }

  // What the peer tells.

  apply(entries: readonly CommittedEntry[], batch: VersionedBatch, hash: HistoryHash): void {
    assert(this.#run === null, "a run is in the engine before the next one is evaluated");
    this.#run = this.#applier.apply(entries, batch, hash);
  }

  split(children: readonly RegionMeta[], batch: VersionedBatch): void {
    const { gcFloor: floor, gcSafePoint: safePoint } = this.#view;
    for (const { id } of children) putGcState(batch, this.#host.store, id, { floor, safePoint });
  }

  merge(source: RegionMeta, batch: VersionedBatch): void {
    const { store, region } = this.#host;
    const other = readGcState(store, source.id);
    const floor = Math.max(this.#view.gcFloor, other.floor);
    const safePoint = Math.max(this.#view.gcSafePoint, other.safePoint);
    putGcState(batch, store, region.id, { floor, safePoint });
  }

  applied(): void {
    const run = this.#run;
    assert(run !== null, "what is in the engine was evaluated");
    this.#run = null;
    this.#view.gc = run.gc;
    this.#leader.appliedWrites(run.writes);
    this.#writes?.add(run.writes);
    for (const { proposal, responses } of run.results) {
      const tokens = this.#ended(proposal);
      for (const [i, token] of tokens.entries()) {
        if (responses === null) this.#drop(token, this.#staleEpoch());
        else this.#leader.applied(token, responses[i] as Response);
      }
    }
    this.#drain();
  }

  dropped(proposal: number, why: ProposalEnd): void {
    for (const token of this.#ended(proposal)) this.#drop(token, this.#errorOf(why));
    this.#schedule();
  }

  lead(term: number): void {
    this.#leader.lead(term);
    this.#schedule();
  }

  stepDown(): void {
    this.#leader.stepDown();
    this.#schedule();
  }

  regionChanged(): void {
    this.#view.gc = readGcState(this.#host.store, this.#host.region.id);
    this.#loadLocks();
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    const gone: RpcError = { kind: "region-not-found", regionId: this.#host.region.id };
    for (const ticket of this.#tickets.values()) {
      if (ticket.proposed) ticket.fail({ kind: "undetermined", reason: "the region's peer on this store was closed" });
      else ticket.fail(gone);
    }
    this.#tickets.clear();
    this.#proposals.clear();
    this.#reads = [];
  }

  // A turn.

  /** Once, behind whatever else comes in this turn. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#host.clock.soon(() => {
      this.#scheduled = false;
      if (this.#closed) return;
      this.#host.guard(() => {
        this.#confirm();
        this.#drain();
      });
    });
  }

  /** One ReadIndex for the reads of a turn. */
  #confirm(): void {
    if (this.#reads.length === 0) return;
    const reads = this.#reads;
    this.#reads = [];
    const term = this.#host.leadingTerm;
    this.#host.readIndex((ok) => {
      if (this.#closed) return;
      const isLeading = ok && term !== 0 && this.#host.leadingTerm === term;
      for (const { token, command } of reads) {
        if (!this.#isAwaited(token)) continue;
        if (isLeading) this.#leader.request(token, command);
        else this.#drop(token, this.#notLeader());
      }
      this.#drain();
    });
  }

  /** Does what the leader wants: answers at once, timestamps by one request, proposals in as few entries as fit. */
  #drain(): void {
    const stamps: number[] = [];
    const proposed: Proposed[] = [];
    for (;;) {
      this.#leader.settle();
      const outputs = this.#leader.outputs.splice(0);
      if (outputs.length === 0) break;
      for (const output of outputs) this.#perform(output, stamps, proposed);
    }
    const { stampsMax } = this.#options;
    for (let at = 0; at < stamps.length; at += stampsMax) this.#stamp(stamps.slice(at, at + stampsMax));
    this.#propose(proposed);
  }

  #perform(output: LeaderOutput, stamps: number[], proposed: Proposed[]): void {
    const { token } = output;
    switch (output.kind) {
      case "timestamp":
        this.#mark(token, false);
        if (this.#isAwaited(token)) stamps.push(token);
        return;
      case "propose":
        if (this.#isAwaited(token)) proposed.push(output);
        return;
      case "respond":
        return this.#respond(token, output.response);
      case "not-leader":
        return this.#drop(token, this.#notLeader());
    }
  }

  /** Timestamps for operations that claimed their keys, given out in the order of the claims. */
  #stamp(tokens: readonly number[]): void {
    const { stampMs } = this.#options;
    this.#timestamps.timestamps(tokens.length, stampMs, (error, range) => {
      if (this.#closed) return;
      for (const [i, token] of tokens.entries()) {
        if (range === null) this.#drop(token, noTimestamp(error));
        else if (this.#isAwaited(token)) this.#leader.timestamp(token, range.first + i);
      }
      this.#host.guard(() => this.#drain());
    });
  }

  /** In the order of the outputs, which is that of the timestamps of operations that share a key. */
  #propose(proposed: readonly Proposed[]): void {
    const { entryBytesMax, entryCommandsMax } = this.#options;
    let tokens: number[] = [];
    let commands: Command[] = [];
    let bytes = 0;
    for (const { token, command } of proposed) {
      const more = commandBytes(command);
      if (commands.length > 0 && (bytes + more > entryBytesMax || commands.length >= entryCommandsMax)) {
        this.#proposeEntry(tokens, commands);
        [tokens, commands, bytes] = [[], [], 0];
      }
      tokens.push(token);
      commands.push(command);
      bytes += more;
    }
    if (commands.length > 0) this.#proposeEntry(tokens, commands);
  }

  #proposeEntry(tokens: readonly number[], commands: readonly Command[]): void {
    const writer = this.#writer;
    writer.clear();
    writeCommands(writer, commands);
    if (writer.length > entryBytesLimit) {
      const error: RpcError = { kind: "entry-too-large", sizeBytes: writer.length, maxBytes: entryBytesLimit };
      for (const token of tokens) this.#drop(token, error);
      return this.#schedule();
    }
    for (const token of tokens) this.#mark(token, true);
    const proposal = ++this.#lastProposal;
    this.#proposals.set(proposal, tokens);
    this.#host.propose(proposal, writer.toBytes());
  }

  #mark(token: number, proposed: boolean): void {
    const ticket = this.#tickets.get(token);
    if (ticket !== undefined) ticket.proposed = proposed;
  }

  // Ends.

  /** It is to go on: in time, wanted, and for the region as it is now. Else it ends here, without having happened. */
  #isAwaited(token: number): boolean {
    const ticket = this.#tickets.get(token);
    if (ticket === undefined) return false;
    if (ticket.cancelled) return this.#end(token, { kind: "cancelled", sent: false });
    if (ticket.deadlineUs <= this.#host.clock.monotonicUs()) {
      return this.#end(token, { kind: "deadline-exceeded", sent: false });
    }
    if (ticket.version !== this.#host.region.epoch.version) return this.#end(token, this.#staleEpoch());
    return true;
  }

  #end(token: number, error: RpcError): false {
    this.#drop(token, error);
    return false;
  }

  #respond(token: number, response: Response): void {
    const ticket = this.#tickets.get(token);
    if (ticket === undefined) return;
    // The range may have changed while it waited; what was proposed is judged at apply.
    if (!ticket.proposed && ticket.version !== this.#host.region.epoch.version) {
      return this.#drop(token, this.#staleEpoch());
    }
    this.#tickets.delete(token);
    ticket.respond(trimmed(response, this.#options.pageBytesMax));
  }

  #drop(token: number, error: RpcError): void {
    this.#leader.drop(token);
    const ticket = this.#tickets.get(token);
    this.#tickets.delete(token);
    ticket?.fail(error);
  }

  #ended(proposal: number): readonly number[] {
    const tokens = this.#proposals.get(proposal);
    assert(tokens !== undefined || this.#closed, "a proposal ends once");
    this.#proposals.delete(proposal);
    return tokens ?? [];
  }

  #refusal({ commands }: TxnRequest): RpcError | null {
    if (this.#closed) return { kind: "region-not-found", regionId: this.#host.region.id };
    if (this.#host.leadingTerm === 0) return this.#notLeader();
    const { commandsMax } = this.#options;
    if (this.#tickets.size + commands.length <= commandsMax) return null;
    return { kind: "server-busy", retryAfterMs: 10, reason: `${this.#tickets.size} commands wait in this region` };
  }

  #errorOf(why: ProposalEnd): RpcError {
    if (why === "not-leader") return this.#notLeader();
    if (why === "busy") return { kind: "server-busy", retryAfterMs: 10, reason: "the region's log is behind" };
    return { kind: "undetermined", reason: "leadership ended while it was in the log" };
  }

  #notLeader(): RpcError {
    return notLeader(this.#host.region, this.#host.leaderStore);
  }

  #staleEpoch(): RpcError {
    return staleEpoch(hintOf(this.#host.region, this.#host.leaderStore));
  }

  #loadLocks(): void {
    this.#leader.table.load(this.#view.locksIn(this.#range(), Infinity));
  }

  #range(): KeyRange {
    const { start, end } = this.#host.region;
    return { start, end: end.length === 0 ? null : end };
  }
}

function isRead({ kind }: Command): boolean {
  return kind === "get" || kind === "scan" || kind === "refresh" || kind === "scan-locks";
}

function noTimestamp(error: CoordinatorError | null): RpcError {
  const reason = error === null ? "no timestamp came" : error.message;
  return { kind: "tso-unavailable", retryAfterMs: 20, reason };
}
