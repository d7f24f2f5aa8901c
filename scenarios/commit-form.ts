import { Batch } from "../core/engine/batch.ts";
import { NokvError } from "../core/errors.ts";
import type { ModelBatch, ModelWrite } from "../sim/checkers/prefix-model.ts";
import { toBytes } from "../sim/checkers/text.ts";

/** How a commit is called: told by a callback, by a promise, or when the call returns. */
export type CommitForm = "callback" | "promise" | "sync";

export function batchOf(writes: ModelBatch): Batch {
  const batch = new Batch();
  for (const write of writes) addTo(batch, write);
  return batch;
}

/** A promise's end as a callback. What is no answer of the store ends the run. */
export function settleBy(answer: Promise<void>, settle: (error: NokvError | null) => void): void {
  answer.then(
    () => settle(null),
    (error: unknown) => {
      if (!(error instanceof NokvError)) throw error;
      settle(error);
    },
  );
}

function addTo(batch: Batch, write: ModelWrite): void {
  const { family } = write;
  if ("from" in write) {
    batch.deleteRange(toBytes(write.from), write.until === null ? null : toBytes(write.until), family);
  } else if (write.value === null) {
    batch.delete(toBytes(write.key), family);
  } else {
    batch.set(toBytes(write.key), toBytes(write.value), write.expiresAtMs, family);
  }
}
