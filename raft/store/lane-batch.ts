// HOT: every append task of every group passes here.
import type { AppendTask } from "../ready.ts";
import type { LogChange } from "./log-change.ts";
import { noteKey } from "./log-notes.ts";
import type { Peer } from "./peer.ts";
import { toLogEntry } from "./restored.ts";

interface PeerTask {
  readonly peer: Peer;
  readonly task: AppendTask;
}

/** What the peers of a turn have to write, in the order in which they said so: one submit of the store's log. */
export class LaneBatch {
  changes: LogChange[] = [];
  tasks: PeerTask[] = [];
  mustSync = false;
  /** False: commit indexes only, which may ride along with whatever comes next. */
  urgent = false;
  entryCount = 0;

  add(peer: Peer, task: AppendTask): void {
    const { hard, snapshot, entries } = task;
    const group = peer.regionId;
    if (snapshot !== null) {
      const start = { index: snapshot.index, term: snapshot.term };
      // SnapDone: from here on the log is the snapshot's, and nothing is left to be finished.
      this.changes.push({ op: "snapshot", group, start, meta: snapshot.context });
      this.changes.push({ op: "note", group, key: noteKey.peer, value: null });
      this.changes.push({ op: "note", group, key: noteKey.snapshotIntent, value: null });
    }
    if (entries.length > 0) this.changes.push({ op: "entries", group, entries: entries.map(toLogEntry) });
    if (hard !== null) this.changes.push({ op: "hard", group, hard });
    this.tasks.push({ peer, task });
    this.mustSync ||= task.mustSync;
    this.urgent ||= task.mustSync || task.sendAfter.length > 0;
    this.entryCount += entries.length;
  }

  /** What a peer had to write that is gone: behind the end of its log it would be the beginning of another. */
  forget(peer: Peer): void {
    if (!this.tasks.some((waiting) => waiting.peer === peer)) return;
    this.tasks = this.tasks.filter((waiting) => waiting.peer !== peer);
    this.changes = this.changes.filter((change) => !("group" in change) || change.group !== peer.regionId);
  }
}
