import { DiskError } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { type Engine, openEngine } from "../../core/engine/engine.ts";
import { refusal } from "../../core/engine/failure.ts";
import type { EngineOptions } from "../../core/engine/options.ts";
import { NokvError } from "../../core/errors.ts";
import { RaftLog, raftLogOptionsDefault } from "../../raft/store/raft-log.ts";

/** Opens the database in `directory` for one act, and closes it whatever the act came to. Rejects with `NokvError`. */
// oxlint-disable-next-line max-params
export async function withEngine<T>(
  env: Env,
  directory: string,
  options: Partial<EngineOptions>,
  act: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await openEngine(env, directory, options);
  return await closing(act(engine), () => engine.close(), `the database in ${directory} failed`);
}

/** As `withEngine`, for a store's log. */
export async function withRaftLog<T>(env: Env, path: string, act: (log: RaftLog) => Promise<T>): Promise<T> {
  const log = await RaftLog.open(env, path, raftLogOptionsDefault, () => {});
  return await closing(act(log), () => log.close(), `the Raft log in ${path} failed`);
}

/** Only what is known to leave the process alive is tidied up for: a crash leaves what it leaves. */
export async function closing<T>(act: Promise<T>, close: () => Promise<void>, what: string): Promise<T> {
  let result: T;
  try {
    result = await act;
  } catch (error) {
    if (!(error instanceof NokvError) && !(error instanceof DiskError)) throw error;
    await close();
    throw error instanceof DiskError ? refusal(error, what) : error;
  }
  await close();
  return result;
}
