import { unreachable } from "../../core/assert.ts";
import { atomic } from "./atomic.ts";
import { checkTxnStatus, txnHeartBeat } from "./check-txn-status.ts";
import type { Command } from "./command.ts";
import { commit } from "./commit.ts";
import type { Execution } from "./execution.ts";
import { collectGarbage, scanLocks, setGcFloor } from "./gc.ts";
import { onePhase } from "./one-phase.ts";
import { prewrite } from "./prewrite.ts";
import { get, refresh, scan } from "./read.ts";
import { resolveLock } from "./resolve-lock.ts";
import { rollback } from "./rollback.ts";
import type { View } from "./view.ts";

/** What `command` does to the state that `view` shows. Pure: equal views, equal answers and writes on every replica. */
export function execute(view: View, command: Command): Execution {
  switch (command.kind) {
    case "get":
      return get(view, command);
    case "scan":
      return scan(view, command);
    case "prewrite":
      return prewrite(view, command);
    case "commit":
      return commit(view, command);
    case "rollback":
      return rollback(view, command);
    case "check-txn-status":
      return checkTxnStatus(view, command);
    case "resolve-lock":
      return resolveLock(view, command);
    case "txn-heart-beat":
      return txnHeartBeat(view, command);
    case "one-phase":
      return onePhase(view, command);
    case "atomic":
      return atomic(view, command);
    case "refresh":
      return refresh(view, command);
    case "scan-locks":
      return scanLocks(view, command);
    case "set-gc-floor":
      return setGcFloor(view, command);
    case "collect-garbage":
      return collectGarbage(view, command);
    default:
      return unreachable(command);
  }
}
