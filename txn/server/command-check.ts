import { compareKeys } from "../../core/bytes/record.ts";
import type { KeyRange as RegionRange } from "../../raft/region.ts";
import { rangeContains } from "../../raft/region.ts";
import type { Command, KeyRange } from "../percolator/command.ts";
import { readsOf } from "../percolator/reads.ts";
import { timestampMax } from "../percolator/timestamp.ts";

/** What a store asks of its callers. */
export interface CommandLimits {
  /** The longest value that an operation may make. */
  readonly valueBytesMax: number;
  /** Entries of a page; locks and records that one command may change. */
  readonly pageMax: number;
  readonly locksMax: number;
}

export const commandLimitsDefault: CommandLimits = { valueBytesMax: 1024 * 1000, pageMax: 1_024, locksMax: 64 };

/**
 * What makes `command` one that no client may ask for, or null. What passes here can be evaluated on any state of any
 * replica: a command that stopped one would stop all of them, again and again.
 */
export function commandProblem(command: Command): string | null {
  switch (command.kind) {
    case "prewrite":
    case "one-phase":
      if (!isStart(command.startTs)) return "startTs is no timestamp of a transaction";
      return hasTwice(command.mutations.map(({ key }) => key)) ? "two mutations of one key" : null;
    case "commit":
      return isStart(command.startTs) && command.commitTs > command.startTs ? null : "commitTs is not above startTs";
    case "rollback":
    case "txn-heart-beat":
      return isStart(command.startTs) ? null : "startTs is no timestamp of a transaction";
    case "check-txn-status":
      return isStart(command.lockTs) ? null : "lockTs is no timestamp of a transaction";
    case "resolve-lock":
      for (const { startTs, commitTs } of command.verdicts) {
        if (!isStart(startTs)) return "startTs of a verdict is no timestamp of a transaction";
        if (commitTs !== 0 && commitTs <= startTs) return "commitTs of a verdict is not above its startTs";
      }
      return null;
    case "atomic":
      return isStart(command.opId) ? null : "opId is no timestamp of an operation";
    case "get":
    case "scan":
    case "refresh":
    case "scan-locks":
    case "set-gc-floor":
    case "collect-garbage":
      return null;
  }
}

/** The largest one names fences. */
function isStart(ts: number): boolean {
  return ts > 0 && ts < timestampMax;
}

function hasTwice(keys: readonly Uint8Array[]): boolean {
  if (keys.length < 2) return false;
  const sorted = keys.toSorted(compareKeys);
  return sorted.some((key, i) => i > 0 && compareKeys(sorted[i - 1] as Uint8Array, key) === 0);
}

/** `command` with what it asks for cut to what is given at once; the rest is asked for by the next one. */
export function limited(command: Command, { valueBytesMax, pageMax, locksMax }: CommandLimits): Command {
  switch (command.kind) {
    case "scan":
    case "scan-locks":
    case "collect-garbage":
      return command.limit <= pageMax ? command : { ...command, limit: pageMax };
    case "resolve-lock":
      return command.limit <= locksMax ? command : { ...command, limit: locksMax };
    case "atomic":
      return command.valueBytesMax <= valueBytesMax ? command : { ...command, valueBytesMax };
    case "get":
    case "prewrite":
    case "commit":
    case "rollback":
    case "check-txn-status":
    case "txn-heart-beat":
    case "one-phase":
    case "refresh":
    case "set-gc-floor":
      return command;
  }
}

/** A key that `command` looks at or changes and that is not in `range`; null: there is none. */
export function keyOutside(range: RegionRange, command: Command): Uint8Array | null {
  const { keys, ranges } = readsOf(command);
  for (const key of keys) if (!rangeContains(range, key)) return key;
  for (const inner of ranges) if (!coversRange(range, inner)) return inner.start;
  return null;
}

function coversRange(range: RegionRange, inner: KeyRange): boolean {
  if (compareKeys(range.start, inner.start) > 0) return false;
  if (range.end.length === 0) return true;
  return inner.end !== null && compareKeys(inner.end, range.end) <= 0;
}
