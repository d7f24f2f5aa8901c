/** A region's machine that keeps, per key, every word that was ever said to it: order, loss and doubling show. */
import { columnFamily, versionMax } from "../../core/bytes/record.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { Term } from "../entry.ts";
import type { HistoryHash } from "./history-hash.ts";
import type { CommittedEntry, ProposalEnd, RegionHost, RegionMachine } from "./region-machine.ts";

export type ToyOutcome = "applied" | "stale" | ProposalEnd;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class ToyMachine implements RegionMachine {
  readonly host: RegionHost;
  readonly calls: string[] = [];
  readonly #waiting = new Map<number, (outcome: ToyOutcome) => void>();
  #answers: (() => void)[] = [];
  #last = 0;
  closed = false;

  constructor(host: RegionHost) {
    this.host = host;
  }

  /** `key=word` */
  say(text: string, done: (outcome: ToyOutcome) => void): void {
    this.#waiting.set(++this.#last, done);
    this.host.propose(this.#last, encoder.encode(text));
  }

  apply(entries: readonly CommittedEntry[], batch: VersionedBatch, hash: HistoryHash): void {
    const { store } = this.host;
    const seen = new Map<string, string>();
    for (const { data, stale, proposal, index } of entries) {
      hash.number(index);
      const [key = "", word = ""] = decoder.decode(data).split("=");
      if (!stale) seen.set(key, `${seen.get(key) ?? readToy(store, key)}${word},`);
      hash.bytes(encoder.encode(seen.get(key) ?? ""));
      const done = this.#waiting.get(proposal);
      this.#waiting.delete(proposal);
      if (done !== undefined) this.#answers.push(() => done(stale ? "stale" : "applied"));
    }
    for (const [key, words] of seen) {
      const name = toyKey(key);
      batch.set(columnFamily.txn, name, store.nextVersion(), encoder.encode(words));
    }
  }

  split(): void {}

  merge(): void {}

  applied(): void {
    const answers = this.#answers;
    this.#answers = [];
    for (const answer of answers) answer();
  }

  dropped(proposal: number, why: ProposalEnd): void {
    const done = this.#waiting.get(proposal);
    this.#waiting.delete(proposal);
    done?.(why);
  }

  lead(term: Term): void {
    this.calls.push(`lead ${term}`);
  }

  stepDown(): void {
    this.calls.push("stepDown");
  }

  regionChanged(): void {
    this.calls.push(`region v${this.host.region.epoch.version} c${this.host.region.epoch.confVer}`);
  }

  close(): void {
    this.closed = true;
    this.calls.push("close");
    for (const done of this.#waiting.values()) done("unknown");
    this.#waiting.clear();
  }
}

/** Every word that was said to `key`, in order. */
export function readToy(store: VersionedStore, key: string): string {
  const value = store.newest(columnFamily.txn, toyKey(key), versionMax)?.value ?? null;
  return value === null ? "" : decoder.decode(value);
}

function toyKey(key: string): Uint8Array {
  return encoder.encode(key);
}
