import type { Db } from "../core/engine/db.ts";

/** Deletes of one batch. */
const deletesPerBatchMax = 10_000;

/** Deletes every key that begins with `prefix` now; in several batches when there are many. */
export async function deletePrefix(db: Db, prefix: string): Promise<void> {
  const batch = db.batch();
  for (const key of db.keys({ prefix })) {
    batch.delete(key);
    if (batch.count < deletesPerBatchMax) continue;
    await batch.commit();
    batch.clear();
  }
  await batch.commit();
}
