import type { EngineOptions } from "../core/engine/options.ts";
import { openReadOnly, type ReadOnlyDb } from "../core/engine/read-only.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import type { SeenEntry } from "../sim/checkers/expected-state.ts";
import { toText } from "../sim/checkers/text.ts";
import type { World } from "../sim/world.ts";
import { watchedEnv } from "./watched-disk.ts";

export interface LookPlan {
  readonly directory: string;
  readonly options: Partial<EngineOptions>;
}

/** What somebody saw who only looked: the entries, or why not. */
export type Looked = readonly SeenEntry[] | NokvError;

/** Opens the directory to look at it. Any change of it is a violation. */
export async function look(env: Env, world: World, plan: LookPlan): Promise<Looked> {
  const watched = watchedEnv(env, (what) => world.fail("read-only", `looking changed the directory: ${what}`));
  const { createIfMissing: _create, errorIfExists: _exists, owner: _owner, ...options } = plan.options;
  try {
    const db = await openReadOnly(watched, plan.directory, options);
    try {
      return entriesOf(db);
    } finally {
      await db.close();
    }
  } catch (error) {
    if (error instanceof NokvError) return error;
    throw error;
  }
}

/**
 * What was seen must be what the opening right after it shows, `opened`: the same entries, or the same refusal.
 * Lifetimes go on in between, and each opening may be refused by the machine on its own.
 */
export function judgeLook(looked: Looked, opened: Looked): string | null {
  if (isOfTheMachine(looked) || isOfTheMachine(opened)) return null;
  if (looked instanceof NokvError && opened instanceof NokvError) return null;
  if (opened instanceof NokvError) return `looking was fine, opening is not: ${opened.message}`;
  if (looked instanceof NokvError) {
    // Opening makes a database where there is none.
    if (looked.code === "NOKV_NOT_FOUND" && opened.length === 0) return null;
    return `opening was fine, looking was not: ${looked.message}`;
  }
  const [before, after] = [lasting(looked), lasting(opened)];
  const at = before.findIndex(({ key, value }, i) => after[i]?.key !== key || after[i]?.value !== value);
  if (at < 0 && before.length === after.length) return null;
  const place = at < 0 ? before.length : at;
  return `entry ${place}: looking showed ${describe(before[place])}, opening ${describe(after[place])}`;
}

/** Who knows what was written, and hears of what was noticed. */
export interface LookWitness {
  readonly wasWritten: (key: string, value: string) => boolean;
  readonly noticed: (message: string) => void;
}

/**
 * Looks at what is left of a directory that was refused for its damage. Null: all is well, or nothing is left to begin
 * with; else what is wrong: damage must be listed, and what is shown must have been written once.
 */
export async function lookAtRest(
  env: Env,
  world: World,
  plan: LookPlan,
  witness: LookWitness,
): Promise<string | null> {
  const watched = watchedEnv(env, (what) => world.fail("read-only", `looking changed the directory: ${what}`));
  const { createIfMissing: _create, errorIfExists: _exists, owner: _owner, ...options } = plan.options;
  try {
    const db = await openReadOnly(watched, plan.directory, { ...options, damaged: "skip" });
    try {
      for (const { path, what } of db.problems) witness.noticed(`${path}: ${what}`);
      if (db.problems.length === 0) return "opening was refused for damage, and looking finds none";
      const invented = entriesOf(db).find(({ key, value }) => !witness.wasWritten(key, value));
      return invented === undefined ? null : `${describe(invented)} was never written`;
    } finally {
      await db.close();
    }
  } catch (error) {
    // A block that is damaged too, or no manifest at all.
    if (!(error instanceof NokvError) || error.code !== "NOKV_CORRUPTION") throw error;
    witness.noticed(error.message);
    return null;
  }
}

function isOfTheMachine(looked: Looked): boolean {
  return looked instanceof NokvError && (looked.code === "NOKV_IO" || looked.code === "NOKV_NO_SPACE");
}

function lasting(entries: readonly SeenEntry[]): readonly SeenEntry[] {
  return entries.filter(({ expiresAtMs }) => expiresAtMs === 0);
}

function describe(entry: SeenEntry | undefined): string {
  return entry === undefined ? "nothing" : JSON.stringify({ key: entry.key, value: entry.value.slice(0, 20) });
}

export function entriesOf(db: ReadOnlyDb): readonly SeenEntry[] {
  const seen: SeenEntry[] = [];
  const iterator = db.iterator();
  try {
    while (iterator.next()) {
      const { key, value, expiresAtMs } = iterator;
      seen.push({ key: toText(key), value: toText(value), expiresAtMs });
    }
  } finally {
    iterator.close();
  }
  return seen;
}
