import { columnFamily, versionMax } from "../core/bytes/record.ts";
import type { VersionedBatch } from "../core/engine/versioned-batch.ts";
import { type RegionMeta, rangeContains } from "../raft/region.ts";
import type { HistoryHash } from "../raft/store/history-hash.ts";
import { machineStateKey } from "../raft/store/machine-state.ts";
import type { CommittedEntry, ProposalEnd, RegionHost, RegionMachine } from "../raft/store/region-machine.ts";
import type { World } from "../sim/world.ts";
import type { StoreWitness } from "./raft-store-witness.ts";

/** What a client asks of one key. `operation` is unique in a run. */
export type ToyCommand = { readonly operation: number; readonly key: string; readonly filler: number } & (
  | { readonly kind: "put" | "append"; readonly text: string }
  | { readonly kind: "add"; readonly delta: number }
  | { readonly kind: "delete" }
);

/** How it ended, for the client. `previous`: what the key held before. */
export type ToyEnd =
  | { readonly kind: "done"; readonly previous: string | null; readonly value: string | null }
  | { readonly kind: "stale" }
  | { readonly kind: "dropped"; readonly why: ProposalEnd };

/** `false`: ask another. */
export type ToyRead = { readonly value: string | null } | false;

interface Waiting {
  readonly command: ToyCommand;
  readonly done: (end: ToyEnd) => void;
}

interface Answer {
  readonly waiting: Waiting;
  readonly end: ToyEnd;
  readonly term: number;
  readonly count: number;
}

export interface ToyParts {
  readonly world: World;
  readonly witness: StoreWitness;
  readonly store: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const families = { register: 0, counter: 1 } as const;

/** Counters are in a family in which only the newest record counts, registers in the one with versions. */
export function isCounter(key: string): boolean {
  return key.includes("/c");
}

export function regionPrefix(region: number): string {
  return `${String.fromCharCode(96 + region)}/`;
}

/** Registers and counters, replicated. Checks at every entry what a machine may rely on. */
export class ToyMachine implements RegionMachine {
  readonly #parts: ToyParts;
  readonly #host: RegionHost;
  readonly #waiting = new Map<number, Waiting>();
  #answers: Answer[] = [];
  #proposals = 0;
  #inside = false;
  #leading = 0;
  #reads = 0;
  #closed = false;

  constructor(parts: ToyParts, host: RegionHost) {
    this.#parts = parts;
    this.#host = host;
  }

  get host(): RegionHost {
    return this.#host;
  }

  /** Who was not answered yet. */
  get waitingCount(): number {
    return this.#waiting.size + this.#answers.length + this.#reads;
  }

  /** The first proposal that was not answered yet; 0: none. */
  get oldestWaiting(): number {
    for (const proposal of this.#waiting.keys()) return proposal;
    return 0;
  }

  submit(command: ToyCommand, done: (end: ToyEnd) => void): void {
    const proposal = ++this.#proposals;
    this.#waiting.set(proposal, { command, done });
    this.#call(() => this.#host.propose(proposal, encodeCommand(command)));
  }

  read(key: string, done: (read: ToyRead) => void): void {
    this.#reads++;
    let isAnswered = false;
    this.#call(() =>
      this.#host.readIndex((ok) => {
        this.#refuseReentry("a read is answered");
        if (isAnswered) this.#parts.world.fail("reply", `${this.#parts.store}: a read is answered twice`);
        isAnswered = true;
        this.#reads--;
        done(ok && !this.#closed && this.holds(key) ? { value: this.valueOf(key) } : false);
      }),
    );
  }

  /** It is in the region, as applied here. */
  holds(key: string): boolean {
    return rangeContains(this.#host.region, encoder.encode(key));
  }

  /** As applied here. */
  valueOf(key: string): string | null {
    const family = isCounter(key) ? families.counter : families.register;
    return this.#stored(family, key);
  }

  /** How many entries the machine has applied: what it keeps outside of its range. */
  get count(): number {
    const record = this.#host.store.newest(columnFamily.local, machineStateKey(this.#host.region.id), versionMax);
    return record === null || record.value === null ? 0 : Number(decoder.decode(record.value));
  }

  split(children: readonly RegionMeta[], batch: VersionedBatch): void {
    for (const { id } of children) this.#tally(id, 0, batch);
  }

  /** What is counted is what this machine has applied: a source's entries are not. */
  merge(): void {}

  apply(entries: readonly CommittedEntry[], batch: VersionedBatch, hash: HistoryHash): void {
    const { store, witness } = this.#parts;
    const region = this.#host.region.id;
    if (this.#answers.length > 0) this.#parts.world.fail("contract", `${store}: applied is not called after apply`);
    const overlay = new Map<string, string | null>();
    let count = this.count;
    for (const entry of entries) {
      const command = decodeCommand(entry.data);
      count++;
      witness.applies(store, region, count, { ...entry, operation: command.operation });
      if (!entry.stale && !this.holds(command.key)) {
        const { epoch, end: to } = this.#host.region;
        const where = `region ${region} at version ${epoch.version}, to ${decoder.decode(to)}`;
        this.#parts.world.fail("region-map", `${store} writes ${command.key} in ${where}`);
      }
      const end = entry.stale ? staleEnd : this.#perform(command, entry.index, overlay, batch);
      hash.number(command.operation);
      hash.bytes(encoder.encode(end.kind === "done" ? (end.value ?? "-") : "stale"));
      this.#answer(entry, command, end, count);
    }
    const last = entries.at(-1);
    if (last !== undefined) {
      witness.hashed(store, region, last.index, hash);
      this.#tally(region, count, batch);
    }
  }

  applied(): void {
    const { witness } = this.#parts;
    const answers = this.#answers;
    this.#answers = [];
    for (const { waiting, end, term, count } of answers) {
      if (end.kind === "done") witness.acknowledged(this.#host.region.id, count, term);
      waiting.done(end);
    }
  }

  dropped(proposal: number, why: ProposalEnd): void {
    this.#refuseReentry("a proposal is dropped");
    const waiting = this.#take(proposal, "dropped");
    if (why !== "unknown") this.#parts.witness.refused(waiting.command.operation, why);
    waiting.done({ kind: "dropped", why });
  }

  lead(term: number): void {
    const { world, witness, store } = this.#parts;
    if (term <= this.#leading) world.fail("lead", `${store} leads ${term} after ${this.#leading}`);
    this.#leading = term;
    witness.leads(store, this.#host.region.id, term, this.count);
  }

  stepDown(): void {}

  regionChanged(): void {}

  close(): void {
    this.#closed = true;
    const { world, store } = this.#parts;
    if (this.#reads > 0) world.fail("reply", `${store}: a peer is closed, and ${this.#reads} reads have no answer`);
    const open = [...this.#waiting.values(), ...this.#answers.map(({ waiting }) => waiting)];
    this.#waiting.clear();
    this.#answers = [];
    for (const { done } of open) done({ kind: "dropped", why: "unknown" });
  }

  // oxlint-disable-next-line max-params -- where it reads and where it writes
  #perform(command: ToyCommand, index: number, overlay: Map<string, string | null>, batch: VersionedBatch): ToyEnd {
    const { key } = command;
    const previous = overlay.has(key) ? (overlay.get(key) ?? null) : this.valueOf(key);
    const value = after(command, previous);
    overlay.set(key, value);
    const bytes = encoder.encode(key);
    const counter = isCounter(key);
    const family = counter ? families.counter : families.register;
    const version = counter ? this.#host.store.nextVersion() : this.#versionOf(index);
    if (value === null) batch.delete(family, bytes, version);
    else batch.set(family, bytes, version, encoder.encode(value));
    return { kind: "done", previous, value };
  }

  #tally(region: number, count: number, batch: VersionedBatch): void {
    const value = encoder.encode(`${count}`);
    batch.set(columnFamily.local, machineStateKey(region), this.#host.store.nextVersion(), value);
  }

  /** Grows along a key, in whichever region it lies: indexes begin anew in every child. */
  #versionOf(index: number): number {
    return this.#host.region.epoch.version * 2 ** 32 + index;
  }

  // oxlint-disable-next-line max-params -- the entry, and what became of it
  #answer(entry: CommittedEntry, command: ToyCommand, end: ToyEnd, count: number): void {
    if (entry.proposal === 0) return;
    const waiting = this.#take(entry.proposal, "applied");
    if (waiting.command.operation !== command.operation) {
      const { operation } = waiting.command;
      const got = `entry ${entry.index}, operation ${command.operation}`;
      this.#parts.world.fail("reply", `proposal of operation ${operation} is answered by ${got}`);
    }
    this.#answers.push({ waiting, end, term: entry.term, count });
  }

  #take(proposal: number, what: string): Waiting {
    const waiting = this.#waiting.get(proposal);
    if (waiting === undefined) {
      this.#parts.world.fail("reply", `${this.#parts.store}: proposal ${proposal} is ${what}, and nobody waits for it`);
    }
    this.#waiting.delete(proposal);
    return waiting;
  }

  #stored(family: number, key: string): string | null {
    const record = this.#host.store.newest(family, encoder.encode(key), versionMax);
    return record === null || record.value === null ? null : decoder.decode(record.value);
  }

  /** Calls the host: what it answers must not come before the call is over. */
  #call(run: () => void): void {
    this.#inside = true;
    run();
    this.#inside = false;
  }

  #refuseReentry(what: string): void {
    if (this.#inside) this.#parts.world.fail("reentrancy", `${this.#parts.store}: ${what} inside the call that asked`);
  }
}

const staleEnd: ToyEnd = { kind: "stale" };

function after(command: ToyCommand, previous: string | null): string | null {
  switch (command.kind) {
    case "put":
      return command.text;
    case "append":
      return (previous ?? "") + command.text;
    case "add":
      return String(Number(previous ?? "0") + command.delta);
    case "delete":
      return null;
  }
}

/** As JSON and so many more bytes. */
function encodeCommand(command: ToyCommand): Uint8Array {
  return encoder.encode(`${JSON.stringify(command)}${" ".repeat(command.filler)}`);
}

function decodeCommand(data: Uint8Array): ToyCommand {
  return JSON.parse(decoder.decode(data)) as ToyCommand;
}
