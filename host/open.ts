import { type Db, openDb } from "../core/engine/db.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { openHostEnv } from "./env.ts";
import { ownerText } from "./owner-text.ts";

export type {
  BatchOperation,
  Data,
  Db,
  Lifetime,
  ReadOptions,
  ScanOptions,
  WriteOptions,
} from "../core/engine/db.ts";
export type { Durability, EngineOptions } from "../core/engine/options.ts";
export { NokvError, type NokvErrorCode } from "../core/errors.ts";

/** `owner` is what another process reads when it finds the directory locked; by default it names this one. */
export type OpenOptions = Partial<EngineOptions>;

/**
 * Opens the database in `directory`, created if missing, on this machine's disk. One process at a time: a
 * second one gets `NOKV_LOCKED` with the first one's name. Rejects with `NokvError`; nothing is open then.
 */
export function open(directory: string, options: OpenOptions = {}): Promise<Db> {
  return openDb(openHostEnv(), directory, { owner: ownerText(), ...options });
}
