import { decode, encode, type Layout, struct, u53 } from "../core/bytes/layout.ts";
import { NokvError } from "../core/errors.ts";
import type { ConfState } from "../raft/conf-state.ts";
import type { Restored } from "../raft/raft-options.ts";
import type { LogChange } from "../raft/store/log-change.ts";
import type { RaftLog } from "../raft/store/raft-log.ts";
import { restore } from "../raft/store/restored.ts";
import { noToken, type RootToken } from "./journal.ts";
import { type CoordinatorState, emptyState, stateLayout } from "./state.ts";

/** The group's number in the log of a member, and in its messages. No other group is there. */
export const rootGroup = 1;

/** Numbers of notes of the group. Never reused. */
const rootNote = { checkpoint: 1 } as const;

/** The state after every event up to `token`. */
export interface RootCheckpoint {
  readonly token: RootToken;
  readonly state: CoordinatorState;
}

/** What a note of the log holds, and the content of a snapshot. */
export const checkpointLayout: Layout<RootCheckpoint> = struct({
  token: struct<RootToken>({ term: u53, index: u53 }),
  state: stateLayout,
});

/** In one submit with whatever rests on it. */
export function checkpointNote(checkpoint: RootCheckpoint): LogChange {
  return { op: "note", group: rootGroup, key: rootNote.checkpoint, value: encode(checkpointLayout, checkpoint) };
}

/** What a member starts with. `path` is for messages. Throws `NOKV_CORRUPTION`. */
export function restoreRoot(
  log: RaftLog,
  conf: ConfState,
  path: string,
): RootCheckpoint & { readonly restored: Restored } {
  const group = log.group(rootGroup);
  const bytes = group?.notes.get(rootNote.checkpoint);
  const checkpoint = bytes === undefined ? { token: noToken, state: emptyState } : readCheckpoint(bytes, path);
  const { index } = checkpoint.token;
  const [begins, ends] = [group?.start.index ?? 0, group?.last ?? 0];
  if (index < begins || index > ends) {
    throw damaged(path, `its checkpoint is of event ${index}, and its log has those after ${begins} up to ${ends}`);
  }
  return { ...checkpoint, restored: restore(log, rootGroup, index, conf) };
}

function readCheckpoint(bytes: Uint8Array, path: string): RootCheckpoint {
  const read = decode(checkpointLayout, bytes);
  if (typeof read === "string") throw damaged(path, `its checkpoint is damaged: ${read}`);
  return read.value;
}

function damaged(path: string, what: string): NokvError {
  const message = `${path}: ${what}; restore this member's directory from a copy`;
  return new NokvError("NOKV_CORRUPTION", message, { path });
}
