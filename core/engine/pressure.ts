import { compactionDebtBytes, type PickOptions } from "../lsm/compaction-picker.ts";
import type { Version } from "../lsm/version.ts";
import type { Lane } from "./background.ts";
import type { TableSet } from "./table-set.ts";
import type { Pressure } from "./room.ts";

/** How far the background is behind, at every moment anew. */
// oxlint-disable-next-line max-params
export function livePressure(
  tables: TableSet,
  flush: Lane,
  compaction: Lane,
  options: PickOptions,
): Pressure {
  // Asked for with every group, and only ever another with another version.
  let judged: Version | null = null;
  let debtBytes = 0;
  return {
    get level0Tables() {
      return tables.level0Count;
    },
    get debtBytes() {
      const { version } = tables.current;
      if (version !== judged) debtBytes = compactionDebtBytes(version, options);
      judged = version;
      return debtBytes;
    },
    get flushFailure() {
      return flush.failure;
    },
    get compactionFailure() {
      return compaction.failure;
    },
    get compactionIsLent() {
      return compaction.isLent;
    },
  };
}
