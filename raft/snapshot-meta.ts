import type { ConfState } from "./conf-state.ts";
import type { LogIndex, Term } from "./entry.ts";

/** What a snapshot stands for; its data travels elsewhere. */
export interface SnapshotMeta {
  /** The last entry whose effect it contains. */
  readonly index: LogIndex;
  readonly term: Term;
  /** The configuration at `index`. */
  readonly conf: ConfState;
  /** The replica's history hash at `index`, two 32-bit halves. The machine only carries it. */
  readonly historyHash: readonly [number, number];
  /** The runtime's: region metadata, list of files. */
  readonly context: Uint8Array;
}
