import { assert } from "../../core/assert.ts";
import { type RaftLimits, raftLimitsDefault } from "../raft-options.ts";

/** Limits of a store. Integers; bytes, microseconds, ticks or counts by name. */
export interface StoreOptions {
  readonly raft: RaftLimits;
  readonly tickUs: number;
  /** Of one region, taken together into one batch of the engine. One entry always fits. */
  readonly applyEntriesMax: number;
  readonly applyBytesMax: number;
  /** Of one region, waiting for their outcome. More are refused as busy. */
  readonly proposalsMax: number;
  readonly readsMax: number;
  /** After so many ticks without a leader's office, what was proposed is given up as unknown. */
  readonly proposalTicks: number;
  /** Entries that are kept behind what is applied, for followers that come back. */
  readonly logKeepEntries: number;
  /** With so many more, the log is cut, whoever still wants them, but for a snapshot on its way (`LogKeeper`). */
  readonly logEntriesMax: number;
  /** A leadership that is to be handed over and still is not after so many ticks stays. */
  readonly transferTicks: number;
  /** Messages to peers of regions that are about to begin here. More make a peer that knows nothing of its region. */
  readonly earlyMessagesMax: number;
  /** Between two questions of a frozen region's leader. */
  readonly mergeAskTicks: number;
  /** A freeze that is not unanimous after so many ticks is taken back. */
  readonly mergePatienceTicks: number;
  /** A group without work for so many ticks sleeps; 0: none ever does. The same on all stores. */
  readonly hibernateTicks: number;
  /** Of one store: no more elections at a time. */
  readonly campaignsMax: number;
}

export const storeOptionsDefault: StoreOptions = {
  raft: raftLimitsDefault,
  tickUs: 100_000,
  applyEntriesMax: 1_024,
  applyBytesMax: 1024 * 1024,
  proposalsMax: 4_096,
  readsMax: 16_384,
  proposalTicks: 100,
  logKeepEntries: 1_000,
  logEntriesMax: 20_000,
  transferTicks: 20,
  earlyMessagesMax: 64,
  mergeAskTicks: 3,
  mergePatienceTicks: 300,
  hibernateTicks: 10,
  campaignsMax: 200,
};

/** An entry travels in one frame of `net/rpc`, with what its message has around it. */
export const proposalBytesMax = 1024 * 1024 - 4096;

export function storeOptions(given: Partial<StoreOptions>): StoreOptions {
  const options = { ...storeOptionsDefault, ...given };
  assert(options.tickUs >= 1, "time passes between ticks");
  assert(options.applyEntriesMax >= 1, "a run holds an entry");
  assert(options.logKeepEntries <= options.logEntriesMax, "what is kept is within the limit");
  assert(options.campaignsMax >= 1, "who lost its leader may stand");
  assert(options.raft.messageBytesMax <= proposalBytesMax / 2, "a message fits its frame");
  return options;
}
