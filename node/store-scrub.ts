import { type ScrubOptions, Scrubber, scrubOptionsDefault } from "../core/engine/scrubber.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import type { RaftLog } from "../raft/store/raft-log.ts";
import { readMode } from "./mode/mode-file.ts";
import type { Topology } from "./topology.ts";

export interface StoreScrubParts {
  readonly workDir: string;
  readonly engine: Engine;
  readonly log: RaftLog;
  readonly options: ScrubOptions;
  /** A file is damaged that is still in use. */
  readonly failed: (error: NokvError) => void;
}

/** What reads, slowly, all that a store keeps: the engine's files, the segments of the Raft log, and MODE. */
export function storeScrubber(env: Env, { workDir, engine, log, options, failed }: StoreScrubParts): Scrubber {
  return new Scrubber({
    env,
    options,
    files: () => {
      lookAtMode(env, workDir, failed);
      return [...engine.scrub.files(), ...log.scrubFiles()];
    },
    damaged: failed,
  });
}

/** What was given, what the topology says, or what is usual. */
export function scrubOptions(given: Partial<ScrubOptions>, { scrubPassSeconds }: Topology): ScrubOptions {
  const said = scrubPassSeconds === undefined ? {} : { passMs: scrubPassSeconds * 1_000 };
  return { ...scrubOptionsDefault, ...said, ...given };
}

/** It is small, and has a checksum of its own. */
function lookAtMode(env: Env, workDir: string, failed: (error: NokvError) => void): void {
  try {
    readMode(env.disk, workDir);
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    if (error.code === "NOKV_CORRUPTION") failed(error);
  }
}
