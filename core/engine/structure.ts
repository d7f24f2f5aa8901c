import { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import { damageOf, type Finding } from "../finding.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import { Version } from "../lsm/version.ts";
import { salvageManifest } from "../manifest/salvage.ts";
import type { ValueUsage } from "../vlog/value-file.ts";
import { checkSurvey, lookAtDirectory, survey } from "./directory.ts";
import { refusal } from "./failure.ts";
import { engineOptionsDefault } from "./options.ts";

/** What the manifest of a stopped database says. Plain data. */
export interface Structure {
  readonly directory: string;
  readonly manifestNumber: number;
  /** Log segments below it are obsolete. */
  readonly logNumber: number;
  readonly nextFile: number;
  readonly lastVersion: number;
  /** By level, from level 0; in each as reads look through it. */
  readonly levels: readonly (readonly TableMeta[])[];
  readonly values: readonly ValueUsage[];
  /** What is wrong with the manifest and CURRENT; what is shown is then the intact beginning of one. */
  readonly problems: readonly Finding[];
}

/**
 * Reads the manifest of a directory that nobody has open for writing, and changes nothing. Throws as
 * `verifyDirectory` rejects; null: there is a database, and no manifest of it can be read.
 */
export function readStructure(env: Env, directory: string): Structure | readonly Finding[] {
  try {
    const lock = lookAtDirectory(env, directory);
    try {
      return read(env, directory);
    } finally {
      lock.release();
    }
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `reading ${directory} failed`);
    throw error;
  }
}

function read(env: Env, directory: string): Structure | readonly Finding[] {
  const found = survey(env, directory);
  const manifests = found.files.filter(({ kind }) => kind === "manifest").map(({ number }) => number);
  if (!found.hasCurrent) {
    try {
      checkSurvey(env, directory, found, { ...engineOptionsDefault, createIfMissing: false });
    } catch (error) {
      if (!(error instanceof NokvError) || error.code !== "NOKV_CORRUPTION") throw error;
    }
  }
  const problems: Finding[] = [];
  const manifest = salvageManifest(env.disk, directory, manifests, (error) =>
    problems.push(damageOf(error, directory)),
  );
  if (manifest === null) return problems;
  const { state, number } = manifest;
  const version = Version.of(state.tablesInOrder(), state.valuesInOrder());
  return {
    directory,
    manifestNumber: number,
    logNumber: state.logNumber,
    nextFile: state.nextFile,
    lastVersion: state.lastVersion,
    levels: version.levels,
    values: version.values,
    problems,
  };
}
