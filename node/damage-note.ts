import { type Disk, DiskError } from "../core/env/disk.ts";
import { readFully, writeFully } from "../core/env/whole-io.ts";
import { NokvError } from "../core/errors.ts";
import { closeFile } from "../core/wal/close-file.ts";

/** What a store leaves in its directory that has met damage there. Text, for people. */
export const damageNoteName = "DAMAGED";

/** In what is noted of directories that are sound in themselves. */
const olderCopy = "older copy";

const noteBytesMax = 4_096;

const remedy =
  "its replicas are whole elsewhere: start another store under a new id with an empty directory, " +
  "and take this one out with `nokv stores decommission`";

/** What a store ends with that has met damage in its directory: what and where, and what to do about it. */
export function damagedStore(error: NokvError, workDir: string): NokvError {
  // An earlier process of it has said all that.
  if (error.path === `${workDir}/${damageNoteName}`) return error;
  // Not the error's own remedy: a file of yesterday has forgotten what its store promised the others since.
  const { fact, path, offset } = error;
  const place = { path: path ?? workDir, remedy };
  const what = `${fact}; the store in ${workDir} serves no more`;
  return new NokvError("NOKV_CORRUPTION", what, offset === null ? place : { ...place, offset });
}

/** What a store ends with whose directory others know a later life of. `reason` tells both. */
export function supersededStore(storeId: number, workDir: string, reason: string): NokvError {
  const what = `a later process of store ${storeId} is known (${reason}): ${workDir} began anew, is an ${olderCopy}`;
  const order = `nokv stores decommission ${storeId}`;
  const remedy = `bring the newest directory back, or run "${order}" and start a store under a new id`;
  return new NokvError("NOKV_FOREIGN_DIRECTORY", `${what}, or runs twice`, { path: workDir, remedy });
}

/**
 * Notes in `workDir` that a store met damage there, so that no later process of it takes part for as long as it takes
 * to meet that damage again. Durable when it returns, as far as the disk lets it: a process that finds no note is where
 * this one was.
 */
export function noteDamage(disk: Disk, workDir: string, error: NokvError): void {
  try {
    const file = disk.open(`${workDir}/${damageNoteName}`, "create");
    const bytes = new TextEncoder().encode(`${error.message}\n`).subarray(0, noteBytesMax);
    writeFully(file, 0, bytes, 0, bytes.length);
    file.syncNow();
    closeFile(file);
    disk.syncDirNow(workDir);
  } catch (refused) {
    // Whoever is told of the damage hears of it all the same.
    if (!(refused instanceof DiskError)) throw refused;
  }
}

/** Throws `NOKV_CORRUPTION` where an earlier process of this store met damage, and `DiskError`. */
export function refuseDamaged(disk: Disk, workDir: string): void {
  const path = `${workDir}/${damageNoteName}`;
  if (disk.kind(path) === null) return;
  const file = disk.open(path, "read");
  const bytes = new Uint8Array(noteBytesMax);
  const length = readFully(file, 0, bytes, 0, noteBytesMax);
  closeFile(file);
  const noted = new TextDecoder().decode(bytes.subarray(0, length)).trim();
  const found = noted === "" ? "damage was found in it" : noted;
  const otherwise = found.includes(olderCopy)
    ? `\`nokv verify\` cannot tell an old copy: only if ${workDir} is the newest after all, remove ${path}`
    : `if \`nokv verify\` finds nothing wrong with ${workDir} after all, remove ${path}`;
  throw new NokvError("NOKV_CORRUPTION", `${workDir} is not served any more: ${found}; ${otherwise}`, { path });
}
