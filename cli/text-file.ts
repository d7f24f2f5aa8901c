import { readFileSync } from "node:fs";
import { systemCode } from "../host/disk-error.ts";
import { CommandError, exitCode } from "./exit-code.ts";

/** The file that `option` names. Throws a CommandError that says why it cannot be read. */
export function readTextFile(option: string, path: string, encoding: "utf8" | "latin1"): string {
  try {
    return readFileSync(path, encoding);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    const exit = code === "EACCES" ? exitCode.permission : exitCode.noInput;
    throw new CommandError(exit, `--${option}: cannot read ${path}: ${reasons[code] ?? code}`);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  ENOTDIR: "part of its path is not a directory",
  EACCES: "permission denied",
};
