import { DiskError, type DiskFile } from "../env/disk.ts";

/** Gives a handle back. What its file holds was synced or given up before: a refusal changes nothing. */
export function closeFile(file: DiskFile): void {
  try {
    file.close();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
