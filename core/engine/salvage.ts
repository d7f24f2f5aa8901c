import { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError, corruption } from "../errors.ts";
import { BlockCache } from "../lsm/block-cache.ts";
import { TableReader } from "../lsm/table-reader.ts";
import { salvageManifest } from "../manifest/salvage.ts";
import type { ManifestState } from "../manifest/state.ts";
import { valueFileProblem } from "../vlog/value-file-check.ts";
import { type Doubt, judgeLog, type LogVerdict } from "../wal/log-verdict.ts";
import type { SegmentScan } from "../wal/segment-scan.ts";
import { checkSurvey } from "./directory.ts";
import { damageOf, type Finding, remedies } from "../finding.ts";
import type { OpeningMode } from "./opening-mode.ts";
import { goesBack, noPast, readLog, replayOf } from "./past.ts";

/**
 * Opens what is left of a damaged directory and tells `note` everything that is not: for looking only, since what
 * remains need not be a prefix of what was written. Data before and behind a damaged place of the log is replayed;
 * tables that cannot be opened are left out; of a damaged manifest the intact beginning counts. A block that is
 * damaged is found by the read that meets it. Throws `NOKV_CORRUPTION` when no manifest is left to begin with.
 */
export function salvageOpening(note: (finding: Finding) => void): OpeningMode {
  return {
    background: false,
    pass: () => {},
    admit: (env, directory, found, options) => {
      if (found.files.some((file) => file.kind === "manifest")) return;
      checkSurvey(env, directory, found, options);
    },
    read: (env, directory, found) => {
      const manifests = found.files.filter((file) => file.kind === "manifest").map((file) => file.number);
      if (manifests.length === 0 && !found.hasCurrent) return noPast();
      let manifestIsSound = true;
      const manifest = salvageManifest(env.disk, directory, manifests, (error) => {
        manifestIsSound = false;
        note(damageOf(error, directory));
      });
      if (manifest === null) {
        throw corruption(directory, 0, "no manifest can be read: nothing says what the files are", remedies.restore);
      }
      const { state, number, epoch } = manifest;
      dropUnreadable(env, directory, state, note);
      dropUnreferenced(state);
      for (const file of state.valuesInOrder()) {
        const problem = valueFileProblem(env.disk, directory, file);
        if (problem !== null) note(damageOf(problem, directory));
      }
      const { scans, images } = readLog(env, directory, found.files, { state, epoch, note });
      const tableVersion = state.newestTableVersion();
      const log = lenientVerdict(directory, scans, state, note);
      // What the lost evidence would have said of this place, nobody knows.
      if (log.torn !== null && !manifestIsSound) note(damageOf(doubtOf(log.torn), directory));
      const replay = withoutVersionsThatGoBack(log.replay, tableVersion, note);
      const newest = replay.reduce((version, scan) => Math.max(version, scan.lastVersion), tableVersion);
      return {
        manifest: { number, epoch },
        state,
        log: { ...log, replay },
        tableVersion,
        lastVersion: Math.max(newest, state.lastVersion),
        tornBytes: log.tornBytes + manifest.tornBytes,
        replay: replayOf(replay, images, epoch),
      };
    },
  };
}

/** Leaves those tables out of `state` that do not open as what it says they are. */
function dropUnreadable(
  env: Env,
  directory: string,
  state: ManifestState,
  note: (finding: Finding) => void,
): void {
  const cache = new BlockCache(0, 0);
  for (const table of state.tablesInOrder()) {
    try {
      TableReader.openAs(env.disk, directory, table, cache).close();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      note(damageOf(error, directory));
      state.tables.delete(table.number);
    }
  }
}

/** What only tables that were left out point into. */
function dropUnreferenced(state: ManifestState): void {
  const referenced = new Set(state.tablesInOrder().flatMap(({ valueRefs }) => valueRefs.map(({ file }) => file)));
  for (const { number } of state.valuesInOrder()) {
    if (!referenced.has(number)) state.values.delete(number);
  }
}

function doubtOf({ path, offset, problem }: Doubt): NokvError {
  return corruption(path, offset, problem, remedies.restore);
}

/** The strict verdict where there is no damage; else every good beginning of a segment. */
function lenientVerdict(
  directory: string,
  scans: readonly SegmentScan[],
  state: ManifestState,
  note: (finding: Finding) => void,
): LogVerdict {
  try {
    return judgeLog(directory, scans, state);
  } catch (error) {
    if (error instanceof DiskError || !(error instanceof NokvError)) throw error;
    note(damageOf(error, directory));
    // The verdict ends at the first place. Without this loop what rotted further on is left out without a word.
    for (const { path, goodBytes: offset, problem } of scans) {
      const isKnown = problem === "" || (path === error.path && offset === error.offset);
      if (!isKnown) note(damageOf(doubtOf({ path, offset, problem }), directory));
    }
  }
  const replay = scans.filter((scan) => scan.header !== null && scan.goodBytes > 0);
  const tornBytes = scans.reduce((sum, scan) => sum + scan.sizeBytes - scan.goodBytes, 0);
  return { replay, torn: null, tornBytes };
}

/** What is replayed must be newer than all before it; a segment that is not belongs elsewhere. */
function withoutVersionsThatGoBack(
  scans: readonly SegmentScan[],
  tableVersion: number,
  note: (finding: Finding) => void,
): SegmentScan[] {
  let newest = tableVersion;
  return scans.filter((scan) => {
    if (goesBack(scan, newest)) {
      note(damageOf(corruption(scan.path, 0, "its versions go back: it belongs elsewhere"), scan.path));
      return false;
    }
    newest = Math.max(newest, scan.lastVersion);
    return true;
  });
}
