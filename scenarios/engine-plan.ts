import type { Engine } from "../core/engine/engine.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import type { Env } from "../core/env/env.ts";

/** How the engine is opened and closed, when somebody stands before it. */
export interface EngineDoor {
  open(env: Env, directory: string, options: Partial<EngineOptions>): Promise<Engine>;
  close(): Promise<void>;
}

export interface EnginePlan {
  readonly directory: string;
  readonly options: Partial<EngineOptions>;
  /**
   * False: a power loss may take back what was acknowledged, because the durability level does not promise
   * more or because a failed sync may have cost the cached pages too.
   */
  readonly acknowledgedIsDurable: boolean;
  /** False: pages of a live machine can lose their content (failed syncs), so a process crash loses them too. */
  readonly cacheIsKept: boolean;
  /** Damage at rest may make a part of the database unreadable: what can be read is judged all the same. */
  readonly damaged?: boolean;
  /** The column families in use. */
  readonly families: readonly number[];
  readonly door?: EngineDoor;
}
