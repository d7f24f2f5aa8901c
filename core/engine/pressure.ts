import type { Lane } from "./background.ts";
import type { TableSet } from "./table-set.ts";
import type { Pressure } from "./write-path.ts";

/** How far the background is behind, at every moment anew. */
export function livePressure(tables: TableSet, flush: Lane, compaction: Lane): Pressure {
  return {
    get level0Tables() {
      return tables.level0Count;
    },
    get flushFailure() {
      return flush.failure;
    },
    get compactionFailure() {
      return compaction.failure;
    },
  };
}
