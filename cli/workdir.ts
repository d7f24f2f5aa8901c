import { accessSync, constants, lstatSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { systemCode } from "../host/disk-error.ts";
import { CommandError, exitCode } from "./exit-code.ts";

/**
 * The directory that `path` names, absolute and without symbolic links, so that one directory has one name in
 * messages and locks. It exists, or its parent does and lets us create it. Throws a CommandError that says
 * why not; creates nothing.
 */
export function resolveWorkdir(path: string): string {
  const absolute = resolve(path);
  const present = lookUp(absolute);
  if (present === null) return join(resolveParent(absolute), basename(absolute));
  if (present === "file") {
    throw new CommandError(exitCode.cannotCreate, `workdir ${absolute}: is a file, not a directory`);
  }
  requireAccess(absolute, absolute);
  return realpathSync(absolute);
}

function resolveParent(absolute: string): string {
  const parent = dirname(absolute);
  const present = lookUp(parent);
  if (present === null) {
    const hint = `mkdir -p ${parent}`;
    throw new CommandError(exitCode.noInput, `workdir ${absolute}: ${parent} does not exist`, hint);
  }
  if (present === "file") {
    throw new CommandError(exitCode.cannotCreate, `workdir ${absolute}: ${parent} is not a directory`);
  }
  requireAccess(parent, absolute);
  return realpathSync(parent);
}

function lookUp(path: string): "directory" | "file" | null {
  try {
    return statSync(path).isDirectory() ? "directory" : "file";
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" && isLink(path)) {
      throw new CommandError(exitCode.cannotCreate, `workdir ${path}: is a symbolic link that leads nowhere`);
    }
    if (code === "ENOENT") return null;
    throw refusal(path, code, error);
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function requireAccess(directory: string, workdir: string): void {
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw refusal(workdir, systemCode(error), error);
  }
}

function refusal(path: string, code: string | null, error: unknown): unknown {
  switch (code) {
    case "EACCES":
    case "EPERM":
      return new CommandError(exitCode.permission, `workdir ${path}: permission denied`);
    case "EROFS":
      return new CommandError(exitCode.permission, `workdir ${path}: the file system is read-only`);
    case "ENOTDIR":
      return new CommandError(exitCode.cannotCreate, `workdir ${path}: part of the path is not a directory`);
    case "ELOOP":
    case "ENAMETOOLONG":
      return new CommandError(exitCode.cannotCreate, `workdir ${path}: ${code}`);
    case null:
    default:
      return error;
  }
}
