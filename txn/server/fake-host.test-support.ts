import type { NumberRange, RangeReply } from "../../coordinator/allocators.ts";
import { CoordinatorError } from "../../coordinator/coordinator-error.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { Clock, Timer } from "../../core/env/clock.ts";
import type { RegionMeta } from "../../raft/region.ts";
import { HistoryHash } from "../../raft/store/history-hash.ts";
import type { CommittedEntry, ProposalEnd, RegionHost } from "../../raft/store/region-machine.ts";
import type { Command, Response } from "../percolator/command.ts";
import { readCommands } from "./command-codec.ts";
import { MemoryVersionedStore } from "./memory-versioned-store.ts";
import { type TxnRegionOptions, txnRegionOptions } from "./region-options.ts";
import type { Answer } from "./response-codec.ts";
import { TxnRegion } from "./txn-region.ts";

/** Time that stands still until it is moved, and turns that end when they are told to. */
export class ManualClock implements Clock {
  nowUs = 0;
  #soon: (() => void)[] = [];

  monotonicUs(): number {
    return this.nowUs;
  }

  wallMs(): number {
    return Math.floor(this.nowUs / 1_000);
  }

  wallUncertaintyMs(): number {
    return 0;
  }

  after(): Timer {
    throw new RangeError("a region's machine sets no timers");
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Everything that was to come behind this turn. */
  turn(): void {
    for (let rounds = 0; this.#soon.length > 0; rounds++) {
      if (rounds === 100) throw new RangeError("turns go on for ever");
      for (const run of this.#soon.splice(0)) run();
    }
  }
}

interface Proposal {
  readonly proposal: number;
  readonly data: Uint8Array;
  readonly version: number;
}

/** Where timestamps come from, one request at a time, when they are told to. */
export class ManualTimestamps {
  readonly asked: { readonly count: number; readonly done: RangeReply }[] = [];
  next = 1_000;

  timestamps(count: number, _timeoutMs: number, done: RangeReply): void {
    this.asked.push({ count, done });
  }

  /** Answers the request that has waited longest, by timestamps of now or by those given. Returns the first one. */
  give(first = this.next): number {
    const asked = this.#take();
    const range: NumberRange = { first, count: asked.count };
    this.next = Math.max(this.next, first + asked.count);
    asked.done(null, range);
    return first;
  }

  refuse(): void {
    this.#take().done(new CoordinatorError("TSO_UNAVAILABLE", "no timestamps today"), null);
  }

  #take(): { readonly count: number; readonly done: RangeReply } {
    const [asked] = this.asked.splice(0, 1);
    if (asked === undefined) throw new RangeError("nobody asked for timestamps");
    return asked;
  }
}

export const noEnd = new Uint8Array(0);

/** A peer whose log, leadership and apply are moved by hand. */
export class FakeHost implements RegionHost {
  readonly store: MemoryVersionedStore;
  readonly clock: ManualClock;
  readonly timestamps = new ManualTimestamps();
  readonly hash = new HistoryHash();
  readonly proposed: Proposal[] = [];
  readonly readIndexes: ((ok: boolean) => void)[] = [];
  readonly machine: TxnRegion;
  region: RegionMeta;
  leadingTerm = 0;
  leaderStore = 0;
  #index = 0;
  #batch: VersionedBatch | null = null;

  constructor(region: RegionMeta, options: Partial<TxnRegionOptions> = {}, store = new MemoryVersionedStore()) {
    this.region = region;
    this.store = store;
    this.clock = new ManualClock();
    this.machine = new TxnRegion(this, { timestamps: this.timestamps, options: txnRegionOptions(options) });
  }

  propose(proposal: number, data: Uint8Array): void {
    this.proposed.push({ proposal, data, version: this.region.epoch.version });
  }

  readIndex(done: (ok: boolean) => void): void {
    this.readIndexes.push(done);
  }

  guard(run: () => void): void {
    run();
  }

  lead(term: number): void {
    this.leadingTerm = term;
    this.leaderStore = 1;
    this.machine.lead(term);
    this.clock.turn();
  }

  stepDown(): void {
    this.leadingTerm = 0;
    this.leaderStore = 2;
    this.machine.stepDown();
    this.clock.turn();
  }

  /** Commands of every entry that was proposed and not applied. */
  get entries(): readonly (readonly Command[])[] {
    return this.proposed.map(({ data }) => readCommands(data));
  }

  /** Commits the first `count` proposals and evaluates them; they are not in the engine yet. */
  evaluate(count = this.proposed.length): void {
    const entries: CommittedEntry[] = this.proposed.splice(0, count).map(({ proposal, data, version }) => {
      const stale = version !== this.region.epoch.version;
      return { index: ++this.#index, term: this.leadingTerm, data, proposal, stale };
    });
    this.#batch = new VersionedBatch();
    this.machine.apply(entries, this.#batch, this.hash);
  }

  /** What was evaluated is in the engine. */
  settle(): void {
    if (this.#batch === null) throw new RangeError("nothing was evaluated");
    this.store.apply(this.#batch);
    this.#batch = null;
    this.machine.applied();
    this.clock.turn();
  }

  apply(count = this.proposed.length): void {
    this.evaluate(count);
    this.settle();
  }

  /** An entry of another leader, or of an earlier life of this one. */
  applyForeign(data: Uint8Array, stale = false): void {
    this.#batch = new VersionedBatch();
    this.machine.apply([{ index: ++this.#index, term: 1, data, proposal: 0, stale }], this.#batch, this.hash);
    this.settle();
  }

  drop(why: ProposalEnd): void {
    for (const { proposal } of this.proposed.splice(0)) this.machine.dropped(proposal, why);
    this.clock.turn();
  }

  /** The leader is confirmed for all reads that wait. */
  confirm(ok = true): void {
    for (const done of this.readIndexes.splice(0)) done(ok);
    this.clock.turn();
  }

  regionIs(region: RegionMeta): void {
    this.region = region;
    this.machine.regionChanged();
    this.clock.turn();
  }

  /** Asks and ends the turn. The answers come into the array that is returned. */
  ask(commands: readonly Command[], more: { deadlineUs?: number; version?: number } = {}): Asked {
    const asked = new Asked();
    this.machine.execute({
      commands,
      version: more.version ?? this.region.epoch.version,
      deadlineUs: more.deadlineUs ?? Number.MAX_SAFE_INTEGER,
      get cancelled() {
        return asked.cancelled;
      },
      done: (answers) => {
        if (asked.answers !== null) throw new RangeError("a request is answered once");
        asked.answers = answers;
      },
    });
    return asked;
  }
}

/** What became of a request. */
export class Asked {
  answers: readonly Answer[] | null = null;
  cancelled = false;

  /** One word per answer: the kind of the response, of its first refusal, or of the error; null: none yet. */
  get words(): readonly string[] | null {
    return this.answers === null ? null : this.answers.map(wordOf);
  }

  get responses(): readonly Response[] {
    return (this.answers ?? []).flatMap((answer) => (answer.kind === "response" ? [answer.response] : []));
  }
}

function wordOf(answer: Answer): string {
  if (answer.kind === "error") return `! ${answer.error.kind}`;
  const { response } = answer;
  return response.kind === "refused" ? `refused ${response.refusals[0]?.kind ?? ""}` : response.kind;
}

export function regionOf(start: string, end: string, version = 1): RegionMeta {
  const encoder = new TextEncoder();
  const peers = [1, 2, 3].map((storeId) => ({ peerId: 100 + storeId, storeId, role: "voter" as const }));
  return { id: 7, start: encoder.encode(start), end: encoder.encode(end), epoch: { version, confVer: 1 }, peers };
}

export function increment(key: string, opId: number): Command {
  const mutation = { kind: "increment", key: new TextEncoder().encode(key), delta: 1n } as const;
  return { kind: "atomic", opId, commitTs: 0, mutation, valueBytesMax: 100 };
}

export function get(key: string, readTs: number, nowTs = readTs): Command {
  return { kind: "get", key: new TextEncoder().encode(key), readTs, nowTs, bypass: [] };
}
