// HOT: every committed entry of a region passes here, on every replica.
import { assert } from "../../core/assert.ts";
import { MalformedError } from "../../core/bytes/byte-reader.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { NokvError } from "../../core/errors.ts";
import type { HistoryHash } from "../../raft/store/history-hash.ts";
import type { CommittedEntry } from "../../raft/store/region-machine.ts";
import type { Command, Response } from "../percolator/command.ts";
import { execute } from "../percolator/execute.ts";
import type { View, Write } from "../percolator/view.ts";
import { readCommands } from "./command-codec.ts";
import { hashWrites } from "./effects.ts";
import { Overlay } from "./overlay.ts";
import { type GcState, putGcState } from "./region-state.ts";

/** What a proposal of this peer became. `responses` null: it was stale, and did nothing. */
export interface ProposalResult {
  readonly proposal: number;
  readonly responses: readonly Response[] | null;
}

/** A run of entries that were evaluated together. */
export interface AppliedRun {
  readonly results: readonly ProposalResult[];
  readonly writes: readonly Write[];
  readonly gc: GcState;
}

/** Evaluates entries in their order on the applied state, and gathers what they do into one batch. */
export class RunApplier {
  readonly #store: VersionedStore;
  readonly #view: View;
  readonly #regionId: number;

  /** `view`: the applied state; it may change in place. */
  constructor(store: VersionedStore, view: View, regionId: number) {
    this.#store = store;
    this.#view = view;
    this.#regionId = regionId;
  }

  /** Throws `NOKV_CORRUPTION` for an entry that nobody can have proposed. */
  apply(entries: readonly CommittedEntry[], batch: VersionedBatch, hash: HistoryHash): AppliedRun {
    const overlay = new Overlay(this.#view);
    const results: ProposalResult[] = [];
    const writes: Write[] = [];
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as CommittedEntry;
      const { proposal } = entry;
      if (entry.stale) {
        hash.number(0);
        if (proposal !== 0) results.push({ proposal, responses: null });
        continue;
      }
      const responses = this.#execute(overlay, this.#decode(entry), writes, hash);
      if (proposal !== 0) results.push({ proposal, responses });
    }
    overlay.flush(batch, this.#store);
    const gc = { floor: overlay.gcFloor, safePoint: overlay.gcSafePoint };
    assert(gc.safePoint <= gc.floor, "records go only where nothing begins any more");
    if (gc.floor !== this.#view.gcFloor || gc.safePoint !== this.#view.gcSafePoint) {
      putGcState(batch, this.#store, this.#regionId, gc);
    }
    return { results, writes, gc };
  }

  // oxlint-disable-next-line max-params
  #execute(overlay: Overlay, commands: readonly Command[], all: Write[], hash: HistoryHash): Response[] {
    const responses: Response[] = [];
    hash.number(commands.length);
    for (let i = 0; i < commands.length; i++) {
      const { response, writes } = execute(overlay, commands[i] as Command);
      responses.push(response);
      overlay.apply(writes);
      hashWrites(hash, writes);
      for (let w = 0; w < writes.length; w++) all.push(writes[w] as Write);
    }
    return responses;
  }

  #decode({ index, data }: CommittedEntry): Command[] {
    try {
      return readCommands(data);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      const what = `entry ${index} of region ${this.#regionId}: ${error.message}`;
      throw new NokvError("NOKV_CORRUPTION", `${what}; remove this peer and let its region make another`);
    }
  }
}
