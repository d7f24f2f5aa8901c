import { DiskError, type DiskLock } from "../env/disk.ts";
import { NokvError } from "../errors.ts";

/** A refusal of the machine, as callers of the engine know it. `what` was being done; nothing happened. */
export function refusal(error: DiskError, what: string): NokvError {
  const place = { path: error.path, cause: error };
  if (error.code === "ENOSPC") return new NokvError("NOKV_NO_SPACE", `${what}: ${error.message}`, place);
  return new NokvError("NOKV_IO", `${what}: ${error.message}`, place);
}

/**
 * Gives back the lock of a database that is closed otherwise: an error tells only that the file may still name
 * this process.
 */
export function unlock(lock: DiskLock): NokvError | null {
  try {
    lock.release();
    return null;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return refusal(error, "closing the database");
  }
}

/** For writes that were handed over before the store was poisoned. */
export function undetermined(error: DiskError): NokvError {
  const message = `the write may or may not survive: ${error.message}; reopen the database to find out`;
  return new NokvError("NOKV_UNDETERMINED", message, { path: error.path, cause: error });
}

/** For writes that come after. */
export function poisoned(error: DiskError): NokvError {
  const message = `the database takes no more writes after ${error.message}; reopen it`;
  return new NokvError("NOKV_POISONED", message, { path: error.path, cause: error });
}

export function closed(what: string): NokvError {
  return new NokvError("NOKV_CLOSED", `the ${what} is closed`);
}

export function invalidArgument(message: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", message);
}
