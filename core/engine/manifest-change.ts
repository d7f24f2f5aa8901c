import type { ManifestChange, ManifestWriter } from "../manifest/writer.ts";
import { refusal } from "./failure.ts";

/** Resolves when the change is durable; rejects when the manifest takes no more. `what` was being done. */
export function appendDurably(manifest: ManifestWriter, change: ManifestChange, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    manifest.append(change, (error) => {
      if (error === null) resolve();
      else reject(refusal(error, what));
    });
  });
}
