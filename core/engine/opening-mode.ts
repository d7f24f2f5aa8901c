import type { Env } from "../env/env.ts";
import { checkSurvey, type Survey } from "./directory.ts";
import { NokvError } from "../errors.ts";
import type { FormatGate, GateMode } from "../manifest/format-gate.ts";
import { modeName, raftDirectoryName } from "./file-names.ts";
import type { EngineOptions } from "./options.ts";
import { noPast, type Past, readPast } from "./past.ts";

/** How an opening judges what it finds, and whether the engine then goes to work. */
export interface OpeningMode {
  /** Flushes and compactions run. Without them nothing new is ever written but the log. */
  readonly background: boolean;
  /** Throws when the directory is none to go on with. */
  admit(env: Env, directory: string, found: Survey, options: EngineOptions): void;
  /** Throws when this opener may not go on with what MODE and the manifest's gate say the directory is. */
  pass(env: Env, directory: string, found: Survey, gate: FormatGate, options: EngineOptions): void;
  /** Throws for damage that this mode does not put up with. */
  read(env: Env, directory: string, found: Survey): Past;
}

/** Damage that no crash explains is refused. */
export const strictOpening: OpeningMode = {
  background: true,
  admit: admitWriter,
  pass: passWriter,
  read: (env, directory, found) => (found.hasCurrent ? readPast(env, directory, found.files) : noPast()),
};

/** As `strictOpening`, for those who only look: also at a store of a cluster. */
export const lookingOpening: OpeningMode = {
  ...strictOpening, background: false, admit: checkSurvey, pass: () => {},
};

/** What was written beside the log of its replicas would never be told to them, nor be read by anybody there. */
function admitWriter(env: Env, directory: string, found: Survey, options: EngineOptions): void {
  checkSurvey(env, directory, found, options);
  if (options.versions === "given" || !found.foreign.includes(raftDirectoryName)) return;
  // It says more, and is heard once the manifest is read.
  if (found.files.some(({ name }) => name === modeName)) return;
  // The gate says more as well, where there is one to read.
  if (!found.hasCurrent) refuseRaftLog(env, directory);
}

/**
 * Who gives versions is a store or a migration, and knows the mode. Everybody else writes to standalone databases only,
 * and MODE alone is enough to refuse: it comes before the gate, and goes after it.
 */
// oxlint-disable-next-line max-params
function passWriter(
  env: Env,
  directory: string,
  found: Survey,
  gate: FormatGate,
  options: EngineOptions,
): void {
  if (options.versions === "given") return;
  if (gate.mode !== "standalone") throw notStandalone(directory, wordOf(found, gate.mode));
  if (found.files.some(({ name }) => name === modeName)) throw notStandalone(directory, "preparing");
  if (found.foreign.includes(raftDirectoryName)) refuseRaftLog(env, directory);
}

function refuseRaftLog(env: Env, directory: string): void {
  // A migration that was undone leaves the directory itself, and it is empty: directories are never removed.
  if (env.disk.list(`${directory}/${raftDirectoryName}`).length > 0) throw notStandalone(directory, "cluster");
}

type RefusedMode = Exclude<GateMode, "standalone">;

/** On its way to a cluster a directory has MODE first and to the end. */
function wordOf(found: Survey, gate: RefusedMode): RefusedMode | "lost" {
  const isOnItsWay = gate === "preparing" || gate === "seeded";
  return isOnItsWay && !found.files.some(({ name }) => name === modeName) ? "lost" : gate;
}

const remedies: Readonly<Record<RefusedMode | "lost", string>> = {
  lost: "is on its way to a cluster and has lost its file MODE: restore it from MODE.prev or a copy; where it is " +
    'lost for good, "nokv migrate rollback" undoes a migration whose seed was never served',
  preparing: 'is being made a store of a cluster: finish it with "nokv migrate init", or undo it with "nokv migrate ' +
    'rollback"; "nokv migrate status" says how far it is',
  seeded: 'is the seed of a cluster: "nokv serve" opens it; "nokv migrate rollback" makes it standalone again',
  cluster: 'is a store of a cluster: "nokv serve" opens it, nothing else may write to it',
  demoting: "is being made standalone again: finish that first",
};

function notStandalone(directory: string, mode: RefusedMode | "lost"): NokvError {
  return new NokvError("NOKV_FOREIGN_DIRECTORY", `${directory} ${remedies[mode]}`, { path: directory });
}
