import { currentName, currentTempName, manifestName } from "../manifest/current.ts";
import { tableFileName } from "../lsm/table-meta.ts";
import { valueFileName } from "../vlog/value-file.ts";
import { fileNumberMax } from "../wal/file-header.ts";
import { walName } from "../wal/segment-name.ts";

export const lockName = "LOCK";
/** What a disk puts beside `LOCK` where the kernel's lock can not be had: a claim, its draft, and its guard. */
const lockClaim = /^LOCK\.(?:owner|takeover|[1-9]\d{0,9}\.tmp)$/;
/** What a directory is to a cluster (`node/mode`); without it, nothing. The one before stays as `MODE.prev`. */
export const modeName = "MODE";
export const modePreviousName = "MODE.prev";
/** Written, made durable, and renamed to one of the two. */
const modeTempNames = ["MODE.tmp", "MODE.prev.tmp"];
/** Where a store of a cluster keeps its Raft log, within its database's directory. Foreign to the engine. */
export const raftDirectoryName = "raft";
/** Where it keeps what it takes in and hands out. Foreign, too. */
export const snapshotsDirectoryName = "snapshots";

export type OwnFileKind =
  | "current" | "lock" | "mode" | "manifest" | "wal" | "spare" | "table" | "value" | "temp";

export interface OwnFile {
  readonly name: string;
  readonly kind: OwnFileKind;
  /** 0 for files without one. */
  readonly number: number;
}

/**
 * The file of an obsolete segment that waits to be written over. The number is only there to tell them apart.
 */
export function spareName(number: number): string {
  return `spare-${String(number).padStart(6, "0")}.log`;
}

const numbered = /^(?:MANIFEST-|wal-|spare-|table-|value-)(\d{6,10})(?:\.log|\.sst|\.vlog)?$/;

/** What of ours `name` is; null for a foreign file. Only exactly the names this program writes are ours. */
export function ownFile(name: string): OwnFile | null {
  if (name === currentName) return { name, kind: "current", number: 0 };
  if (name === lockName || lockClaim.test(name)) return { name, kind: "lock", number: 0 };
  if (name === modeName || name === modePreviousName || modeTempNames.includes(name)) {
    return { name, kind: "mode", number: 0 };
  }
  if (name === currentTempName) return { name, kind: "temp", number: 0 };
  const number = Number(numbered.exec(name)?.[1] ?? "0");
  if (number < 1 || number > fileNumberMax) return null;
  if (name === manifestName(number)) return { name, kind: "manifest", number };
  if (name === walName(number)) return { name, kind: "wal", number };
  if (name === spareName(number)) return { name, kind: "spare", number };
  if (name === tableFileName(number)) return { name, kind: "table", number };
  if (name === valueFileName(number)) return { name, kind: "value", number };
  return null;
}
