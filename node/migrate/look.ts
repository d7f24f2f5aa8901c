import type { Env } from "../../core/env/env.ts";
import { NokvError } from "../../core/errors.ts";
import { currentName } from "../../core/manifest/current.ts";
import { type FormatGate, standaloneGate } from "../../core/manifest/format-gate.ts";
import { readManifest } from "../../core/manifest/reader.ts";
import { type ModeFile, readMode } from "../mode/mode-file.ts";
import { type DirectoryState, type Opener, pairText, refusalFor, stateOf } from "../mode/openers.ts";

/** A directory as MODE and manifest show it, with nothing opened. */
export interface DirectoryLook {
  readonly mode: ModeFile | null;
  readonly gate: FormatGate;
  readonly state: DirectoryState;
  /** There is a database. */
  readonly hasDatabase: boolean;
}

/** Throws `NOKV_NOT_FOUND` without a directory, and what the reading of MODE and manifest throws. */
export function lookAt(env: Env, directory: string): DirectoryLook {
  const { disk } = env;
  if (disk.kind(directory) !== "directory") {
    throw new NokvError("NOKV_NOT_FOUND", `there is no directory ${directory}`, { path: directory });
  }
  const hasDatabase = disk.kind(`${directory}/${currentName}`) !== null;
  const mode = readMode(disk, directory);
  const gate = hasDatabase ? readManifest(disk, directory).state.gate : standaloneGate;
  return { mode, gate, state: stateOf(mode, gate.mode), hasDatabase };
}

/** Throws `NOKV_FOREIGN_DIRECTORY`, saying what the directory is and what to do. */
export function admit(opener: Opener, directory: string, { mode, gate, state }: DirectoryLook): void {
  const why = refusalFor(opener, state);
  if (why === null) return;
  const pair = state === "illegal" ? ` (${pairText(mode, gate.mode)})` : "";
  throw new NokvError("NOKV_FOREIGN_DIRECTORY", `${directory}${pair}: ${why}`, { path: directory });
}
