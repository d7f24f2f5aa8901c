import { AssertionError } from "../core/assert.ts";
import { DiskError, type DiskErrorCode } from "../core/env/disk.ts";
import { NetworkError } from "../core/env/network.ts";
import { NokvError, type NokvErrorCode } from "../core/errors.ts";

/** What a command tells the shell. 2 and the sixties and seventies follow sysexits.h. */
export const exitCode = {
  ok: 0,
  /** `sim`: an oracle was violated, or a batch never had what it is for. `mutants`: a planted bug survived. */
  violation: 1,
  usage: 2,
  /** `sim`: the same seed ran differently twice. */
  nondeterminism: 3,
  corruption: 65,
  noInput: 66,
  unavailable: 69,
  internal: 70,
  cannotCreate: 73,
  io: 74,
  locked: 75,
  permission: 77,
  /** Stopped by a signal before the work was done. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** The arguments make no sense. `message` is the whole line; `hint` says what would. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly hint: string;

  constructor(message: string, hint = "") {
    super(message);
    this.hint = hint;
  }
}

/** A failure that has its place in the table already. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: ExitCode;
  readonly hint: string;

  constructor(code: ExitCode, message: string, hint = "") {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

const codeOfNokv: Readonly<Record<NokvErrorCode, ExitCode>> = {
  NOKV_INVALID_ARGUMENT: exitCode.usage,
  NOKV_CLOSED: exitCode.internal,
  NOKV_LOCKED: exitCode.locked,
  NOKV_NOT_FOUND: exitCode.noInput,
  NOKV_FOREIGN_DIRECTORY: exitCode.corruption,
  NOKV_FORMAT: exitCode.corruption,
  NOKV_CORRUPTION: exitCode.corruption,
  NOKV_IO: exitCode.io,
  NOKV_NO_SPACE: exitCode.io,
  NOKV_UNDETERMINED: exitCode.io,
  NOKV_POISONED: exitCode.io,
  NOKV_BUSY: exitCode.locked,
  NOKV_ABORTED: exitCode.locked,
};

const codeOfDisk: Readonly<Record<DiskErrorCode, ExitCode>> = {
  EIO: exitCode.io,
  ENOSPC: exitCode.io,
  EMFILE: exitCode.io,
  ENOENT: exitCode.noInput,
  EEXIST: exitCode.cannotCreate,
  EISDIR: exitCode.cannotCreate,
  ENOTDIR: exitCode.cannotCreate,
  EACCES: exitCode.permission,
  EROFS: exitCode.permission,
  ELOCKED: exitCode.locked,
};

/** Anything that is in no table is a defect of this program. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return exitCode.usage;
  if (error instanceof CommandError) return error.code;
  if (error instanceof NokvError) {
    // NOKV_IO is every refusal of the machine; which one is in the cause.
    const { code, cause } = error;
    const reason = code === "NOKV_IO" && (cause instanceof DiskError || cause instanceof NetworkError);
    return reason ? exitCodeOf(cause) : codeOfNokv[code];
  }
  if (error instanceof DiskError) return codeOfDisk[error.code];
  if (error instanceof NetworkError) {
    return error.code === "EACCES" ? exitCode.permission : exitCode.unavailable;
  }
  return exitCode.internal;
}

/** One line for stderr, without the leading `nokv: `. */
export function describeError(error: unknown): string {
  if (error instanceof UsageError || error instanceof CommandError) {
    return error.hint === "" ? error.message : `${error.message} (${error.hint})`;
  }
  if (error instanceof AssertionError) return `internal error: ${error.message} (a defect: please report it)`;
  const known = error instanceof NokvError || error instanceof DiskError || error instanceof NetworkError;
  if (known) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  return `internal error: ${message} (--debug shows the stack)`;
}
