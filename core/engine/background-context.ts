import type { BackgroundContext } from "./background.ts";
import type { EngineParts } from "./recovery.ts";
import type { Pins } from "./snapshot.ts";
import type { SafePoint } from "./safe-point.ts";
import type { TableSet } from "./table-set.ts";

/** The engine, as far as its background work knows it. */
export interface BackgroundOwner {
  /** Neither closing nor poisoned. */
  isActive(): boolean;
  /** Closed, and its last flushes may begin. */
  isEmptying(): boolean;
  readonly safePoint: SafePoint | null;
  /** Begins what is due. */
  kick(): void;
}

// oxlint-disable-next-line max-params
export function backgroundContext(
  parts: EngineParts,
  pins: Pins,
  tables: TableSet,
  owner: BackgroundOwner,
): BackgroundContext {
  const { env, directory, options, numbers, clock, write, records } = parts;
  return {
    env,
    directory,
    options,
    numbers,
    clock,
    pins,
    write,
    tables,
    safePoint: owner.safePoint,
    get active() {
      return parts.background && owner.isActive();
    },
    get emptying() {
      return parts.background && owner.isEmptying();
    },
    rangesGone: () => {
      records.clear();
      write.memtables.clearRetained();
    },
    ended: () => {
      // Held groups may go on, and the next piece of work may be due.
      write.resume();
      owner.kick();
    },
  };
}
