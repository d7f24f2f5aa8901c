import type { ValueFileMeta } from "../vlog/value-file.ts";
import type { Compactor } from "./compactor.ts";
import type { Flusher } from "./flusher.ts";
import type { ValueStats } from "./stats.ts";
import type { TableSet } from "./table-set.ts";

/** What stands outside tables, and how much of it nobody needs. */
export function valueStats(tables: TableSet, flusher: Flusher, compactor: Compactor): ValueStats {
  const { current, values } = tables;
  const { lingering } = values;
  const usage = current.version.values;
  const sizeBytes = usage.reduce((sum, { file }) => sum + file.sizeBytes, 0);
  const liveBytes = usage.reduce((sum, used) => sum + used.liveBytes, 0);
  const isSegment = (file: ValueFileMeta): boolean => file.kind === "log";
  return {
    valueFiles: usage.length,
    valueFilesLingering: lingering.length,
    valueSegments: [...current.version.valueFiles(), ...lingering].filter(isSegment).length,
    valueBytes: sizeBytes,
    valueLiveBytes: liveBytes,
    valueGarbageBytes: usage.reduce((sum, used) => sum + used.file.separableBytes - used.liveBytes, 0),
    valuesSeparated: flusher.valuesSeparated + compactor.valuesSeparated,
    valueSegmentsKept: flusher.segmentsKept,
    valueBytesWritten: flusher.valueBytesWritten + compactor.valueBytesWritten,
    valueReads: values.readCount,
    valueFilesRemoved: values.removedCount,
    valuesRelocated: compactor.valuesRelocated,
    valueBytesRelocated: compactor.valueBytesRelocated,
    gcRuns: compactor.collectionCount,
  };
}
