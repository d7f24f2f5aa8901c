import { DiskError } from "../core/env/disk.ts";
import type { DiskErrorCode } from "../core/env/disk.ts";

/** The system's name and the contract's. Anything else is an EIO with the original as cause. */
const codes: Readonly<Record<string, DiskErrorCode>> = {
  EIO: "EIO",
  ENOSPC: "ENOSPC",
  EDQUOT: "ENOSPC",
  EFBIG: "ENOSPC",
  ENOENT: "ENOENT",
  EEXIST: "EEXIST",
  ENOTEMPTY: "EEXIST",
  EMFILE: "EMFILE",
  ENFILE: "EMFILE",
  EACCES: "EACCES",
  EPERM: "EACCES",
  EROFS: "EROFS",
  EISDIR: "EISDIR",
  ENOTDIR: "ENOTDIR",
};

/** The contract's error for what `node:fs` threw or reported. A defect of ours is thrown on as it is. */
export function toDiskError(error: unknown, operation: string, path: string): DiskError {
  const code = systemCode(error);
  if (code === null) throw error;
  const translated = new DiskError(codes[code] ?? "EIO", operation, path);
  translated.cause = error;
  return translated;
}

/** The errno name of a failed system call; null for any other value. */
export function systemCode(error: unknown): string | null {
  if (!(error instanceof Error) || !("errno" in error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
