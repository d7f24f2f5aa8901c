import type { LogIndex, Term } from "../raft/entry.ts";
import type { Status } from "../raft/raft.ts";
import type { LogChange } from "../raft/store/log-change.ts";
import type { RaftLog } from "../raft/store/raft-log.ts";
import type { RaftJournalLimits } from "./raft-journal-options.ts";
import { checkpointNote, type RootCheckpoint, rootGroup } from "./root-checkpoint.ts";

/**
 * Keeps the log of a member short: now and then the state becomes a checkpoint, and entries behind it that nobody
 * needs go, in one submit. So whatever is left of a log follows from a checkpoint in it.
 */
export class RootKeeper {
  readonly #log: RaftLog;
  readonly #limits: RaftJournalLimits;
  readonly #compacted: (index: LogIndex) => void;
  /** As of which the newest checkpoint is. */
  #checkpoint: LogIndex;
  #busy = false;

  // oxlint-disable-next-line max-params
  constructor(
    log: RaftLog,
    limits: RaftJournalLimits,
    checkpoint: LogIndex,
    compacted: (index: LogIndex) => void,
  ) {
    this.#log = log;
    this.#limits = limits;
    this.#checkpoint = checkpoint;
    this.#compacted = compacted;
  }

  /** A snapshot took the place of everything. */
  installed(index: LogIndex): void {
    this.#checkpoint = index;
  }

  tick(checkpoint: RootCheckpoint, status: Status, termAt: (index: LogIndex) => Term): void {
    const { index: applied } = checkpoint.token;
    if (this.#busy || applied - this.#checkpoint < this.#limits.checkpointEntries) return;
    const changes: LogChange[] = [checkpointNote(checkpoint)];
    const base = Math.max(this.#log.group(rootGroup)?.start.index ?? 0, status.base);
    const index = Math.min(applied, this.#floor(status));
    const cuts = index > base;
    if (cuts) changes.push({ op: "compact", group: rootGroup, start: { index, term: termAt(index) } });
    this.#busy = true;
    this.#checkpoint = applied;
    // A crash that takes it back leaves the checkpoint and the entries from before.
    this.#log.submit(changes, false, () => {
      this.#busy = false;
      if (cuts) this.#compacted(index);
    });
  }

  /** What nobody needs whom it is worth to wait for. */
  #floor({ applied, last, peers }: Status): LogIndex {
    const { keepEntries, logEntriesMax } = this.#limits;
    let floor = applied - keepEntries;
    for (const { match, state, pendingSnapshot, recentlyActive } of peers) {
      // What it has when its snapshot is there; the log must go on from there.
      if (state === "snapshot") floor = Math.min(floor, pendingSnapshot);
      else if (recentlyActive) floor = Math.min(floor, match);
    }
    return Math.max(floor, Math.min(applied, last - logEntriesMax));
  }
}
