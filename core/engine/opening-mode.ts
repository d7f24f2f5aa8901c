import type { Env } from "../env/env.ts";
import { checkSurvey, type Survey } from "./directory.ts";
import { NokvError } from "../errors.ts";
import { raftDirectoryName } from "./file-names.ts";
import type { EngineOptions } from "./options.ts";
import { noPast, type Past, readPast } from "./past.ts";

/** How an opening judges what it finds, and whether the engine then goes to work. */
export interface OpeningMode {
  /** Flushes and compactions run. Without them nothing new is ever written but the log. */
  readonly background: boolean;
  /** Throws when the directory is none to go on with. */
  admit(env: Env, directory: string, found: Survey, options: EngineOptions): void;
  /** Throws for damage that this mode does not put up with. */
  read(env: Env, directory: string, found: Survey): Past;
}

/** Damage that no crash explains is refused. */
export const strictOpening: OpeningMode = {
  background: true,
  admit: admitWriter,
  read: (env, directory, found) => (found.hasCurrent ? readPast(env, directory, found.files) : noPast()),
};

/** As `strictOpening`, for those who only look: also at a store of a cluster. */
export const lookingOpening: OpeningMode = { ...strictOpening, background: false, admit: checkSurvey };

/** What was written beside the log of its replicas would never be told to them, nor be read by anybody there. */
function admitWriter(env: Env, directory: string, found: Survey, options: EngineOptions): void {
  checkSurvey(env, directory, found, options);
  if (options.versions === "given" || !found.foreign.includes(raftDirectoryName)) return;
  const message = `${directory} is a store of a cluster: "nokv serve" opens it, nothing else may write to it`;
  throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path: directory });
}
