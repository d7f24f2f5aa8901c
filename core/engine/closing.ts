import { assert } from "../assert.ts";
import type { DiskError, DiskLock } from "../env/disk.ts";
import type { NokvError } from "../errors.ts";
import type { PointBudget } from "../lsm/point-index.ts";
import type { ManifestWriter } from "../manifest/writer.ts";
import type { Lane } from "./background.ts";
import type { Compactor } from "./compactor.ts";
import { closed, undetermined, unlock } from "./failure.ts";
import type { Flusher } from "./flusher.ts";
import type { TableSet } from "./table-set.ts";
import type { Transfer } from "./transfer.ts";
import type { Verifier } from "./verify-open.ts";
import type { WritePath } from "./write-path.ts";

/** What an engine must bring to an end. */
export interface ClosingParts {
  readonly write: WritePath;
  readonly manifest: ManifestWriter;
  readonly tables: TableSet;
  readonly flusher: Flusher;
  readonly compactor: Compactor;
  readonly verifier: Verifier;
  readonly transfer: Transfer;
  readonly points: PointBudget;
  readonly lock: DiskLock;
  /** What poisoned the store before it was closed; null: nothing. */
  readonly failedBefore: DiskError | null;
  /** What poisoned it so far. */
  readonly failure: () => DiskError | null;
}

/** A log of at least a memtable's one part in so many is emptied. */
const emptiedShare = 8;

/**
 * Moves what is in memory into tables, so that the next opening has nothing to write again. It is worth its while for
 * a log of some length, and given up for whatever stands against it: the log has everything. No compaction begins.
 */
export async function emptyLog(write: WritePath, flusher: Flusher, memtableBytes: number): Promise<void> {
  const { memtables } = write;
  const { lane } = flusher;
  const isWorthIt = memtables.usedBytes >= Math.ceil(memtableBytes / emptiedShare);
  // What waits for the background to get on can not be flushed, and nobody is to wait for that.
  const isReached = write.pendingVersion === write.visibleVersion && !write.wal.outOfSpace;
  if (!isWorthIt || !isReached || lane.failure !== null || !(lane.ready || lane.running)) return;
  if (!memtables.active.memtable.isEmpty) write.rotate(0);
  while (memtables.oldestImmutable !== null) {
    flusher.kick();
    if (!lane.running) return;
    const error = await new Promise<NokvError | null>((resolve) => lane.afterNext(resolve));
    if (error !== null) return;
  }
}

/**
 * Ends an engine that takes no more calls, in order: what was taken becomes durable, work under way ends, the manifest
 * notes where the log ends, and the directory is given back. Rejects with `NOKV_UNDETERMINED` when that failed now.
 */
export async function closeParts(parts: ClosingParts): Promise<void> {
  const { write, manifest, tables, flusher, compactor, failure, failedBefore } = parts;
  flusher.stop(closed("database"));
  compactor.stop(closed("database"));
  const sealed = seal(parts);
  await idle(flusher.lane);
  await idle(compactor.lane);
  await parts.verifier.idle();
  await parts.transfer.idle();
  await sealed;
  if (failure() === null) await closeManifest(parts);
  await new Promise<void>((resolve) => manifest.whenIdle(resolve));
  write.wal.spares.removeAll();
  write.wal.closeFiles();
  manifest.closeFile();
  tables.close();
  assert(tables.openCount === 0, "every table was given back");
  assert(parts.points.usedBytes === 0, "tables that are closed have no points in memory");
  const unlocking = unlock(parts.lock);
  const failedNow = failure();
  if (failedBefore === null && failedNow !== null) throw undetermined(failedNow);
  if (unlocking !== null) throw unlocking;
}

/** Every segment in use is durable now; the manifest notes where the log ends. */
function closeManifest({ write, manifest }: ClosingParts): Promise<void> {
  const { active } = write.memtables;
  const listed = write.memtables.segmentNumbers();
  return new Promise((resolve) => {
    // A failure poisons, and whoever closes looks there.
    manifest.append({ listed, closedBytes: active.segment.endBytes }, () => resolve());
  });
}

function seal({ write, failure }: ClosingParts): Promise<void> {
  return new Promise((resolve) => {
    if (failure() !== null) return resolve();
    write.close(() => resolve());
  });
}

function idle(lane: Lane): Promise<void> {
  if (!lane.running) return Promise.resolve();
  return new Promise((resolve) => lane.afterNext(() => resolve()));
}
