import { unreachable } from "../../core/assert.ts";
import { keysOf } from "./atomic.ts";
import type { Command, KeyRange } from "./command.ts";

/** Where a command looks, and nowhere else: a store may fetch it first, so that evaluation never waits. */
export interface Reads {
  /** In all families. */
  readonly keys: readonly Uint8Array[];
  readonly ranges: readonly KeyRange[];
}

export function readsOf(command: Command): Reads {
  switch (command.kind) {
    case "get":
      return { keys: [command.key], ranges: [] };
    case "prewrite":
    case "one-phase": {
      const keys = [...command.mutations, ...command.checks].map(({ key }) => key);
      return { keys, ranges: command.kind === "one-phase" ? command.reads : [] };
    }
    case "commit":
    case "rollback":
      return { keys: command.keys, ranges: [] };
    case "check-txn-status":
    case "txn-heart-beat":
      return { keys: [command.primary], ranges: [] };
    case "scan":
    case "scan-locks":
    case "resolve-lock":
    case "collect-garbage":
      return { keys: [], ranges: [command.range] };
    case "atomic":
      return { keys: keysOf(command.mutation), ranges: [] };
    case "refresh":
      return { keys: [], ranges: command.ranges };
    case "set-gc-floor":
      return { keys: [], ranges: [] };
    default:
      return unreachable(command);
  }
}
