import { NokvError } from "../../core/errors.ts";
import type { ConfState } from "../conf-state.ts";
import type { Entry, LogIndex } from "../entry.ts";
import { entryKindCodes, entryKindOf } from "../message-codec.ts";
import type { Restored } from "../raft-options.ts";
import type { LogEntry } from "./log-change.ts";
import type { RaftLog } from "./raft-log.ts";

const scanBytesMax = 1024 * 1024;

export function toLogEntry(entry: Entry): LogEntry {
  return { index: entry.index, term: entry.term, kind: entryKindCodes[entry.kind], data: entry.data };
}

/** Entries `[low, high)` of a group, the first always and more while they fit. Throws as `RaftLog.entries`. */
// oxlint-disable-next-line max-params
export function readEntries(log: RaftLog, id: number, low: LogIndex, high: LogIndex, bytesMax: number): Entry[] {
  return log.entries(id, low, high - 1, bytesMax).map(({ index, term, kind, data }) => {
    const name = entryKindOf(kind);
    if (name !== null) return { index, term, kind: name, data };
    throw damaged(id, `entry ${index} is of kind ${kind}, which this program does not know`);
  });
}

/** The same; "compacted": the log begins behind `low`. */
// oxlint-disable-next-line max-params
export function fetchEntries(
  log: RaftLog,
  id: number,
  low: LogIndex,
  high: LogIndex,
  bytesMax: number,
): Entry[] | "compacted" {
  const base = log.group(id)?.start.index ?? 0;
  return low <= base ? "compacted" : readEntries(log, id, low, high, bytesMax);
}

const noConf: ConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [] };

/** Of a peer that nothing is known of. */
export const blank: Restored = {
  hard: { term: 0, vote: 0, commit: 0 },
  log: { base: 0, baseTerm: 0, runs: [], last: 0, confs: [] },
  applied: 0,
  conf: noConf,
};

/**
 * A peer that waits for its first snapshot, or for its parent to be divided, has its hard state, if any. Its log may
 * have begun, where a crash took the rest of its beginning back: nothing was ever put into it.
 */
export function restoreUninitialised(log: RaftLog, id: number): Restored {
  const { term, vote } = log.group(id)?.hard ?? blank.hard;
  return { ...blank, hard: { term, vote, commit: 0 } };
}

/**
 * What a peer starts with: its group as the log has it, and the engine's applied state. The log may be behind what is
 * applied only where a snapshot says so, and `applied` alone then is where it begins. Throws `NOKV_CORRUPTION`.
 */
export function restore(log: RaftLog, id: number, applied: LogIndex, conf: ConfState): Restored {
  const group = log.group(id);
  if (group === null) {
    if (applied > 0) throw damaged(id, `${applied} entries are applied, and the log holds nothing`);
    return { ...blank, conf };
  }
  const { hard, start, last } = group;
  if (applied < start.index) throw damaged(id, `applied up to ${applied}, but the log begins behind ${start.index}`);
  if (applied > last) throw damaged(id, `applied up to ${applied}, but the log ends at ${last}`);
  if (hard.commit > last) throw damaged(id, `committed up to ${hard.commit}, but the log ends at ${last}`);
  const runs = group.terms().map(({ index, term }) => ({ first: index, term }));
  const confs = unappliedConfs(log, id, applied, last);
  return { hard, log: { base: start.index, baseTerm: start.term, runs, last, confs }, applied, conf };
}

/** Until they are applied nobody may stand for election. */
// oxlint-disable-next-line max-params
function unappliedConfs(log: RaftLog, id: number, applied: LogIndex, last: LogIndex): LogIndex[] {
  const confs: LogIndex[] = [];
  for (let next = applied + 1; next <= last;) {
    const entries = readEntries(log, id, next, last + 1, scanBytesMax);
    for (const { index, kind } of entries) if (kind === "conf") confs.push(index);
    next += entries.length;
  }
  return confs;
}

function damaged(id: number, what: string): NokvError {
  return new NokvError("NOKV_CORRUPTION", `region ${id}: ${what}; remove this peer and let its region make another`);
}
