/**
 * What can go wrong for a caller. The code is stable and meant for programs; the message is for people and
 * names the thing, the place and the remedy.
 *
 * - `NOKV_INVALID_ARGUMENT`: the call itself is wrong (type, size, range). Nothing happened.
 * - `NOKV_CLOSED`: the database, snapshot or iterator is closed. Nothing happened.
 * - `NOKV_LOCKED`: another process has the directory open; the message names it.
 * - `NOKV_NOT_FOUND`: the directory or its database does not exist and creation was not allowed.
 * - `NOKV_FOREIGN_DIRECTORY`: the directory holds something else; it was left untouched.
 * - `NOKV_FORMAT`: written by another format version of this program; the message gives both.
 * - `NOKV_CORRUPTION`: bytes on disk fail their checksum or contradict each other; `path` and `offset` say where.
 * - `NOKV_IO`: the machine refused an operation (EIO, EACCES, EMFILE and so on). Nothing was changed by a read.
 * - `NOKV_NO_SPACE`: no room for the write. The write did not happen.
 * - `NOKV_UNDETERMINED`: the write may or may not survive: durability failed after it was handed over.
 * - `NOKV_POISONED`: an earlier write or sync failed; the store takes no more writes until it is reopened.
 * - `NOKV_BUSY`: a bound was reached (memory, queue); the operation did not happen and may be retried.
 * - `NOKV_ABORTED`: the caller's AbortSignal fired before the operation took effect.
 */
export type NokvErrorCode =
  | "NOKV_INVALID_ARGUMENT"
  | "NOKV_CLOSED"
  | "NOKV_LOCKED"
  | "NOKV_NOT_FOUND"
  | "NOKV_FOREIGN_DIRECTORY"
  | "NOKV_FORMAT"
  | "NOKV_CORRUPTION"
  | "NOKV_IO"
  | "NOKV_NO_SPACE"
  | "NOKV_UNDETERMINED"
  | "NOKV_POISONED"
  | "NOKV_BUSY"
  | "NOKV_ABORTED";

export interface NokvErrorPlace {
  /** File or directory concerned. */
  readonly path?: string;
  /** Byte offset within `path`. */
  readonly offset?: number;
  /** What an operator can do about it. The message ends with it. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** The one error class of the public surface. */
export class NokvError extends Error {
  override readonly name = "NokvError";
  readonly code: NokvErrorCode;
  readonly path: string | null;
  readonly offset: number | null;
  readonly remedy: string | null;

  constructor(code: NokvErrorCode, fact: string, place: NokvErrorPlace = {}) {
    const { remedy = null } = place;
    super(`${fact}${hintOf(remedy)}`, "cause" in place ? { cause: place.cause } : undefined);
    this.code = code;
    this.path = place.path ?? null;
    this.offset = place.offset ?? null;
    this.remedy = remedy;
  }

  /** The message without the remedy: for whoever knows a better one. */
  get fact(): string {
    return this.message.slice(0, this.message.length - hintOf(this.remedy).length);
  }
}

/** `path` fails a check at `offset`; `what` says which, `remedy` what an operator can do. */
export function corruption(path: string, offset: number, what: string, remedy?: string): NokvError {
  return new NokvError("NOKV_CORRUPTION", `${path}: offset ${offset}: ${what}`, {
    path,
    offset,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function hintOf(remedy: string | null): string {
  return remedy === null ? "" : ` (${remedy})`;
}
