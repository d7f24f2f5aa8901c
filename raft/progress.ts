// HOT: asked and changed by every reply of a follower.
import { type Entry, type LogIndex, type PeerId, entryBytes } from "./entry.ts";
import { Inflights } from "./inflights.ts";

/**
 * `probe`: where the logs agree is not known: one append at a time. `replicate`: it is, and appends are
 * sent ahead. `snapshot`: one is on its way, nothing else is sent.
 */
export const progressStates = ["probe", "replicate", "snapshot"] as const;
export type ProgressState = (typeof progressStates)[number];

export type Ballot = "none" | "granted" | "refused";

/** What a leader knows of one peer; what a candidate heard from it. */
export class Progress {
  readonly id: PeerId;
  readonly inflights: Inflights;
  isLearner = false;
  state: ProgressState = "probe";
  /** The log is known to agree up to here. */
  match: LogIndex = 0;
  /** The next entry to send. */
  next: LogIndex = 1;
  /** In `snapshot`: its index. 0: none is on its way. */
  pendingSnapshot: LogIndex = 0;
  /** It was heard of since the last check of the quorum. */
  recentlyActive = false;
  /** In `probe`: an append is out and unanswered. */
  paused = false;
  /** The next append goes out even when empty, and past a full window: it finds out what was lost. */
  emptyWanted = false;
  /** The commit index that it has been told. */
  sentCommit: LogIndex = 0;
  applied: LogIndex = 0;
  /** The last round of reads for which it acknowledged this leader. */
  readSeq = 0;
  /** Entries for it are being read from the log. */
  fetching = false;
  /** The runtime was told that it needs a snapshot. */
  snapshotWanted = false;
  ballot: Ballot = "none";

  // oxlint-disable-next-line max-params -- two bounds of one window
  constructor(id: PeerId, next: LogIndex, inflightCountMax: number, inflightBytesMax: number) {
    this.id = id;
    this.next = next;
    this.inflights = new Inflights(inflightCountMax, inflightBytesMax);
  }

  /** A new term of office begins. */
  reset(next: LogIndex): void {
    this.match = 0;
    this.next = next;
    this.pendingSnapshot = 0;
    this.recentlyActive = false;
    this.sentCommit = 0;
    this.applied = 0;
    this.readSeq = 0;
    this.fetching = false;
    this.snapshotWanted = false;
    this.ballot = "none";
    this.#enter("probe");
  }

  becomeProbe(): void {
    // After a snapshot that arrived, the log goes on behind it.
    const next = Math.max(this.match, this.state === "snapshot" ? this.pendingSnapshot : 0) + 1;
    this.pendingSnapshot = 0;
    this.next = next;
    this.sentCommit = Math.min(this.sentCommit, next - 1);
    this.#enter("probe");
  }

  becomeReplicate(): void {
    this.pendingSnapshot = 0;
    this.next = this.match + 1;
    this.sentCommit = Math.min(this.sentCommit, this.match);
    this.#enter("replicate");
  }

  becomeSnapshot(index: LogIndex): void {
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
    this.snapshotWanted = true;
    this.#enter("snapshot");
  }

  /** In `probe`: its log is older than what it has applied, as that of a region that was divided off is. */
  skipToApplied(): void {
    if (this.state === "probe") this.next = Math.max(this.next, this.applied + 1);
  }

  /** The snapshot that was on its way will not arrive: it never was. */
  snapshotFailed(): void {
    this.pendingSnapshot = 0;
    this.becomeProbe();
  }

  /** Entries may be sent. */
  flows(): boolean {
    if (this.state === "probe") return !this.paused;
    return this.state === "replicate" && !this.inflights.full();
  }

  /** An append of `entries` after `next - 1` went out, telling of `commit`. */
  sent(entries: readonly Entry[], commit: LogIndex): void {
    this.emptyWanted = false;
    if (this.state === "probe") this.paused = true;
    else if (entries.length > 0) {
      let bytes = 0;
      for (let i = 0; i < entries.length; i++) bytes += entryBytes(entries[i] as Entry);
      this.next += entries.length;
      this.inflights.add(this.next - 1, bytes);
    }
    this.sentCommit = Math.max(this.sentCommit, Math.min(commit, this.next - 1));
  }

  /** It has the log up to `index`. False: that is old news. */
  matched(index: LogIndex): boolean {
    const news = index > this.match;
    if (news) this.match = index;
    if (this.next <= index) this.next = index + 1;
    return news;
  }

  /**
   * It refused an append after `rejected`, and the logs may agree at `hint` at best. False: the refusal is of
   * an append that does not matter any more.
   */
  rejected(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === "snapshot") return false;
    if (this.state === "replicate") {
      // Reordered: what it refused has been acknowledged since.
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.paused = false;
    return true;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.emptyWanted = false;
    if (state !== "snapshot") this.snapshotWanted = false;
    this.inflights.reset();
  }
}

/** A vote or a pre-vote was answered. The first answer counts. */
export function castBallot(progress: Progress, granted: boolean): void {
  if (progress.ballot === "none") progress.ballot = granted ? "granted" : "refused";
}
