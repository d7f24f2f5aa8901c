import type { Env } from "../../core/env/env.ts";
import { corruption, NokvError } from "../../core/errors.ts";
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

/**
 * Throws `NOKV_FOREIGN_DIRECTORY`, saying what the directory is and what to do; `NOKV_CORRUPTION` where the manifest
 * of a store has lost what it said before MODE did.
 */
export function admit(opener: Opener, directory: string, { mode, gate, state, hasDatabase }: DirectoryLook): void {
  const why = refusalFor(opener, state);
  if (why === null) return;
  if (state === "illegal" && mode?.mode === "cluster" && (mode.step === "done" || mode.step === "joining")) {
    const lost = hasDatabase ? "the manifest has lost its last edits" : "CURRENT is missing";
    const found = `${pairText(mode, gate.mode)}: ${lost}, or MODE is another directory's`;
    throw corruption(`${directory}/${currentName}`, 0, found, "restore the directory from a copy; nothing was changed");
  }
  const pair = state === "illegal" ? ` (${pairText(mode, gate.mode)})` : "";
  throw new NokvError("NOKV_FOREIGN_DIRECTORY", `${directory}${pair}: ${why}`, { path: directory });
}
