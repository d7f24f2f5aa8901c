import { type Layout, decode, encode, struct, text, u53 } from "../../core/bytes/layout.ts";
import { NokvError } from "../../core/errors.ts";
import type { LogChange } from "./log-change.ts";
import { noteKey, storeGroup } from "./log-notes.ts";
import type { RaftLog } from "./raft-log.ts";

/** Whose directory this is. */
export interface StoreIdent {
  readonly clusterId: string;
  readonly storeId: number;
  /** Grows with every start: no two processes of a store have the same. */
  readonly incarnation: number;
}

const identLayout: Layout<StoreIdent> = struct({ clusterId: text, storeId: u53, incarnation: u53 });

/** Null: nothing of a cluster is here yet. Throws `NOKV_CORRUPTION`. */
export function readIdent(log: RaftLog): StoreIdent | null {
  const bytes = log.group(storeGroup)?.notes.get(noteKey.ident);
  if (bytes === undefined) return null;
  const read = decode(identLayout, bytes);
  if (typeof read !== "string") return read.value;
  throw new NokvError("NOKV_CORRUPTION", `the Raft log does not say whose it is: ${read}; restore it from its peers`);
}

/**
 * Begins another life of a store: resolves when its incarnation is durable, so that nothing is said under it before
 * (R16). Rejects with `NOKV_FOREIGN_DIRECTORY` when the log is another store's, and as `RaftLog.submitted`.
 */
export async function beginIncarnation(log: RaftLog, clusterId: string, storeId: number): Promise<StoreIdent> {
  const known = readIdent(log);
  if (known !== null && (known.clusterId !== clusterId || known.storeId !== storeId)) {
    const is = `store ${known.storeId} of cluster ${JSON.stringify(known.clusterId)}`;
    const asked = `store ${storeId} of cluster ${JSON.stringify(clusterId)}`;
    throw new NokvError("NOKV_FOREIGN_DIRECTORY", `this directory belongs to ${is}, not to ${asked}`);
  }
  const ident = { clusterId, storeId, incarnation: (known?.incarnation ?? 0) + 1 };
  await log.submitted([identChange(ident)]);
  return ident;
}

/** What makes a log that store's. */
export function identChange(ident: StoreIdent): LogChange {
  return { op: "note", group: storeGroup, key: noteKey.ident, value: encode(identLayout, ident) };
}
