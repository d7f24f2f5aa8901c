import type { Env } from "../env/env.ts";
import { checkSurvey, type Survey } from "./directory.ts";
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
  admit: checkSurvey,
  read: (env, directory, found) => (found.hasCurrent ? readPast(env, directory, found.files) : noPast()),
};
