import { columnFamily } from "../core/bytes/record.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { FamilyRange } from "../raft/store/snapshot-transfer.ts";
import { txnRecordBound } from "../txn/percolator/txn-record.ts";

/** Where everything lies that a region's transactions keep: see `docs/adr/0003`. */
export function regionRanges({ start, end }: RegionMeta): readonly FamilyRange[] {
  const { data, lock, txn, prewrite } = columnFamily;
  const isLast = end.length === 0;
  return [
    ...[data, lock, prewrite].map((family) => ({ family, start, end: isLast ? null : end })),
    // Zero bytes of keys are escaped there.
    { family: txn, start: txnRecordBound(start), end: isLast ? null : txnRecordBound(end) },
  ];
}
